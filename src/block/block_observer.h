// Who is told what a disk is asked, and when.  Submission and completion are apart: a flush covers
// only writes that were completed before it was submitted.
#pragma once

#include "block/block_device.h"

namespace powercut {

enum class BlockRequestKind : std::uint8_t { kWrite, kZero, kDiscard, kFlush };

struct BlockRequest {
  BlockRequestKind kind = BlockRequestKind::kWrite;
  Durability durability = Durability::kCached;
  std::uint64_t number = 0;  // of its submission: 1, 2, 3 ... without a gap
  std::uint64_t offset = 0;  // 0 for a flush
  std::uint64_t length = 0;  // 0 for a flush
  Bytes data = {};           // kWrite: `length` bytes, valid during the call only
};

// Called one at a time, in one order, which is that of the disk's changes.  It must not use the
// disk as a disk: SimulatedDisk has content() and crash() for it.
class BlockObserver {
 public:
  virtual ~BlockObserver() = default;
  virtual void on_submitted(const BlockRequest& request) = 0;
  // The disk's content has the request's effect.  A request that fails is never completed.
  virtual void on_completed(const BlockRequest& request) = 0;
};

}  // namespace powercut
