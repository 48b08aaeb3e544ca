// A StateImage as a view, for readers of file systems.
#pragma once

#include <algorithm>

#include "block/block_device.h"
#include "lab/check/state_judge.h"

namespace powercut::lab {

class StateView final : public BlockView {
 public:
  // `image` must outlive the view.
  explicit StateView(const StateImage& image) : image_(&image) {}
  std::uint64_t size_bytes() const override {
    return image_->block_count() * image_->block_bytes();
  }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    const std::uint32_t block_bytes = image_->block_bytes();
    while (!into.empty()) {
      const auto at = static_cast<std::size_t>(offset % block_bytes);
      const std::size_t count = std::min(into.size(), block_bytes - at);
      const Bytes block = image_->bytes(BlockNo(offset / block_bytes));
      std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
      into = into.subspan(count);
      offset += count;
    }
    return {};
  }

  const StateImage* image_;
};

}  // namespace powercut::lab
