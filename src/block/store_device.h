// A disk on a ByteStore (a file, an anonymous memory file).  Writes are durable after flush(), or
// at once with kFua, as far as the store's sync() goes.  Threads: as the store's.
#pragma once

#include "base/byte_store.h"
#include "block/block_device.h"

namespace powercut {

class StoreDevice final : public BlockDevice {
 public:
  // `store` must outlive the device.
  explicit StoreDevice(ByteStore& store) : store_(store) {}
  std::uint64_t size_bytes() const override { return store_.size_bytes(); }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    return store_.read_at(offset, into);
  }
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability durability) override {
    TRY(store_.write_at(offset, from));
    return durability == Durability::kFua ? store_.sync() : Result<void>{};
  }
  // Neighbours go to the store in one piece of work; one sync makes all durable that ask for it.
  Result<void> do_write_all(std::span<const BlockWrite> writes) override;
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                               Durability durability) override {
    TRY(store_.punch(offset, length));
    return durability == Durability::kFua ? store_.sync() : Result<void>{};
  }
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override {
    return store_.punch(offset, length);
  }
  Result<void> do_flush() override { return store_.sync(); }

  ByteStore& store_;
};

}  // namespace powercut
