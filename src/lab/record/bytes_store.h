// Bytes in memory as a ByteStore that cannot be written: what the fuzz targets read from.
#pragma once

#include <algorithm>

#include "base/byte_store.h"

namespace powercut::lab {

class BytesStore final : public ByteStore {
 public:
  // The bytes must outlive the store.
  explicit BytesStore(Bytes bytes) : bytes_(bytes) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  Result<void> read_at(std::uint64_t offset, MutableBytes into) const override {
    CHECK(offset <= bytes_.size() && bytes_.size() - offset >= into.size(), "read past the end");
    copy_bytes(bytes_.subspan(offset, into.size()), into);
    return {};
  }
  Result<void> write_at(std::uint64_t, Bytes) override { return refused(); }
  Result<void> punch(std::uint64_t, std::uint64_t) override { return refused(); }
  Result<void> sync() override { return {}; }

 private:
  static Failure refused() { return fail(Errc::kReadOnly, "bytes that are only read"); }
  Bytes bytes_;
};

}  // namespace powercut::lab
