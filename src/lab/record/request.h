// What a disk is asked, and who is told of it.
//
// Words
//   request     one write, zeroing, discard or flush as it came to the disk; reads are not recorded
//   submitted   the moment it came in
//   completed   the moment its effect is on the disk and its sender may be told
//   mark        a line of text that the load put between its requests
//   observer    is told of all of these, in one order
//   split       a disk may stand for two devices, one behind the other, each with a volatile cache
//   of
//               its own: a file system's, and that of its external journal
//
// A flush covers only writes that were completed before it was submitted; so both moments are kept,
// and requests that overlap in time are seen to do so.
#pragma once

#include <cstdint>
#include <string_view>

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
  // Bytes.  Of a flush: the device that it is for, all of it; 0 and 0: all that there is.
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  Bytes data;  // kWrite: `length` bytes, valid during the call only
};

// A request lies on one device.
struct DeviceSplit {
  std::uint64_t second_at = 0;  // bytes: where the second device begins; 0: there is one

  bool is_split() const { return second_at != 0; }
  std::size_t device_of(std::uint64_t offset) const {
    return is_split() && offset >= second_at ? 1 : 0;
  }
  // Whether a flush of that range (as Request has it) is for that device.
  bool flushes(std::uint64_t offset, std::uint64_t length, std::size_t device) const {
    return length == 0 || device_of(offset) == device;
  }
  friend bool operator==(const DeviceSplit&, const DeviceSplit&) = default;
};
inline constexpr std::size_t kDevicesMax = 2;

inline constexpr std::size_t kMarkBytesMax = 4096;  // of a mark's text

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
  // The load says something ("fsync of f7 returned"): all that it had done before, it did before.
  virtual void on_mark(std::string_view /*text*/, Nanoseconds /*when*/) {}
};

}  // namespace powercut::lab
