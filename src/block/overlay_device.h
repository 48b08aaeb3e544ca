// A disk on top of a view that stays as it is: what is written here is kept here, in pages.
// Made and dropped in microseconds; every write is durable at once.  The base must outlive it and
// must not change.  Memory: 4 KiB for each page touched, at most `kept_bytes_max` in all (a write
// past that is kNoSpace).  Threads: one caller at a time.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>
#include <vector>

#include "block/block_device.h"

namespace powercut {

class OverlayDevice final : public BlockDevice {
 public:
  static constexpr std::size_t kPageBytes = 4096;
  explicit OverlayDevice(const BlockView& base,
                         std::uint64_t kept_bytes_max = std::uint64_t{1} << 30)
      : base_(base), pages_max_(kept_bytes_max / kPageBytes) {}

  std::uint64_t size_bytes() const override { return base_.size_bytes(); }
  std::size_t page_count() const { return pages_.size(); }
  // Calls visit(offset, bytes) for each page kept here, in ascending order.
  template <class Visit>
  void for_each_page(Visit visit) const {
    for (const std::uint64_t page : sorted_pages()) {
      const std::uint64_t offset = page * kPageBytes;
      const std::uint64_t length = std::min<std::uint64_t>(kPageBytes, size_bytes() - offset);
      visit(offset, Bytes(*pages_.at(page)).first(length));
    }
  }

 private:
  using Page = std::array<std::uint8_t, kPageBytes>;

  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability) override;
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length, Durability) override;
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> do_flush() override { return {}; }
  // The page as kept here, brought in from the base at its first change.
  Result<Page*> page_to_change(std::uint64_t page);
  std::vector<std::uint64_t> sorted_pages() const;

  const BlockView& base_;
  std::uint64_t pages_max_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Page>> pages_;
};

}  // namespace powercut
