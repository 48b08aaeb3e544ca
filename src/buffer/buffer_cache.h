// The blocks of a file system that are in memory, by number.
//
// A buffer that somebody holds, or that a transaction or the journal needs, stays; the others are
// given up, those used longest ago first, when there are more than `blocks_max`.
//
// Threads: any.  The table is cut into shards with a mutex each (rank kBufferTable), never held
// over the device.
#pragma once

#include <array>
#include <list>
#include <unordered_map>
#include <vector>

#include "buffer/buffer.h"

namespace powercut {

class BufferCache {
 public:
  // `device` must outlive it.  `block_bytes`: of the file system.
  BufferCache(BlockDevice& device, std::uint32_t block_bytes, std::uint64_t blocks_max);

  std::uint32_t block_bytes() const { return block_bytes_; }
  std::uint64_t block_count() const { return block_count_; }

  // The block, loaded.  Errors: kIo; kCorrupt: a block past the end of the device.
  Result<BufferRef> get(BlockNo block);
  // The block without a look at the device, for one whose whole content will be replaced.
  Result<BufferRef> get_unread(BlockNo block);
  // Loads `count` blocks from `first` on, those that are absent by as few requests as may be.
  // Errors: as get().
  Result<std::vector<BufferRef>> get_run(BlockNo first, std::uint32_t count);
  // Whether the block is here and loaded.
  bool holds(BlockNo block) const;
  // Gives up all that is clean and that nobody holds.
  void drop_clean();
  std::uint64_t size() const;  // blocks here

 private:
  struct Shard {
    mutable Mutex mutex{LockRank::kBufferTable};
    // Most recently used first.
    std::list<BufferRef> by_use GUARDED_BY(mutex);
    std::unordered_map<std::uint64_t, std::list<BufferRef>::iterator> by_number GUARDED_BY(mutex);
  };
  static constexpr std::size_t kShards = 64;

  Shard& shard_of(BlockNo block) { return shards_[(block.value() / 8) % kShards]; }
  const Shard& shard_of(BlockNo block) const { return shards_[(block.value() / 8) % kShards]; }
  BufferRef find_or_add(BlockNo block);
  Result<void> load_run(std::span<const BufferRef> buffers);
  void trim(Shard& shard) REQUIRES(shard.mutex);

  BlockDevice& device_;
  const std::uint32_t block_bytes_;
  const std::uint64_t block_count_;
  const std::size_t per_shard_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace powercut
