// What a disk is asked, and who is told of it.
//
// Words
//   request     one write, zeroing, discard or flush as it came to the disk; reads are not recorded
//   submitted   the moment it came in
//   completed   the moment its effect is on the disk and its sender may be told
//   observer    is told of both, in one order for all requests
//
// A flush covers only writes that were completed before it was submitted; so both moments are kept,
// and requests that overlap in time are seen to do so.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "block/block_device.h"

namespace powercut::lab {

enum class RequestKind : std::uint8_t {
  kWrite = 1,
  kZero = 2,
  kDiscard = 3,
  kFlush = 4
};  // stored

struct Request {
  RequestKind kind = RequestKind::kWrite;
  Durability durability = Durability::kCached;
  std::uint64_t sequence = 0;  // of its submission: 1, 2, 3 ... without a gap
  std::uint64_t offset = 0;    // bytes; 0 for a flush
  std::uint64_t length = 0;    // bytes; 0 for a flush
  Bytes data;                  // kWrite: `length` bytes, valid during the call only
};

// Called with the disk's order held: one call at a time, never at once.  An observer must not call
// back into the disk that it observes, other than to read it.
class DiskObserver {
 public:
  virtual ~DiskObserver() = default;
  virtual void on_submitted(const Request& request, Nanoseconds when) = 0;
  // The disk's content already has the request's effect.
  virtual void on_completed(const Request& request, Nanoseconds when) = 0;
  // The machine that writes was switched off and on: what it had not sent is gone.
  virtual void on_power_cycle(Nanoseconds when) = 0;
};

}  // namespace powercut::lab
