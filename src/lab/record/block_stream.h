// A recording as the explorer and its judges see it: whole blocks, each with the id of its content.
//
// Words
//   block    as long as the file system's blocks: the unit in which a power cut loses writes
//   event    a submission, a completion, a mark or a power cycle, in the recorder's one order
//
// A request that covers a block in part becomes a write of the whole block: the rest is what the
// disk held by then, with every request before it done.
// Threads: made by one; then const.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lab/record/content_pool.h"
#include "lab/record/recording_file.h"
#include "lab/record/recording_reader.h"

namespace powercut::lab {

struct BlockWrite {
  BlockNo block;
  ContentId content;
};

// The devices that a flush is for.
enum class FlushScope : std::uint8_t { kAll, kFirst, kSecond };

enum class StreamEventKind : std::uint8_t { kSubmitted, kCompleted, kMark, kPowerCycle };

struct StreamEvent {
  StreamEventKind kind = StreamEventKind::kSubmitted;
  RequestKind request = RequestKind::kWrite;  // kSubmitted, kCompleted
  bool is_fua = false;
  FlushScope scope = FlushScope::kAll;  // of a flush
  // kSubmitted and kCompleted: which blocks, as a range of BlockStream's writes; empty for a flush.
  // A discard is a write of zeroes that may be undone until it is flushed, as any write may.
  std::uint32_t first_write = 0, write_count = 0;
  std::uint64_t sequence = 0;
  Nanoseconds when{0};
  std::uint32_t mark = 0;  // kMark: its text, as an index
};

// Events of a recording by their numbers: `first` and those after it, before `end`.
struct EventWindow {
  std::uint64_t first = 0;  // 0: the first that is there
  std::uint64_t end = UINT64_MAX;
};

class BlockStream {
 public:
  // Errors: kLimit: contents or blocks beyond `memory_max` bytes; kInvalid: `block_bytes` does not
  // divide the disk, or its devices.
  static Result<BlockStream> make(const Recording& recording, std::uint32_t block_bytes,
                                  std::uint64_t memory_max);
  // The same of a part of a recording that need not fit memory.  Contents that are as long as a
  // block are taken over without being put together and hashed again.  `reader` is fresh.
  // Errors: as above, and as RecordingReader::start_at() and next().
  static Result<BlockStream> make(RecordingReader& reader, std::uint32_t block_bytes,
                                  std::uint64_t memory_max, const EventWindow& window);

  std::uint32_t block_bytes() const { return pool_->block_bytes(); }
  std::uint64_t block_count() const { return base_.size(); }
  // Contents may be added, say of torn blocks.
  ContentPool& pool() { return *pool_; }
  const ContentPool& pool() const { return *pool_; }
  // What each block held before the first event.
  std::span<const ContentId> base() const { return base_; }
  std::span<const StreamEvent> events() const { return events_; }
  // The first block of the second device; as many as there are blocks: there is one device.
  BlockNo second_device() const { return second_device_; }
  std::span<const BlockWrite> writes(const StreamEvent& event) const {
    return std::span(writes_).subspan(event.first_write, event.write_count);
  }
  const std::string& mark(const StreamEvent& event) const { return marks_[event.mark]; }

 private:
  explicit BlockStream(std::unique_ptr<ContentPool> pool) : pool_(std::move(pool)) {}
  class Maker;
  static Result<BlockStream> make_empty(std::uint64_t disk_bytes, const DeviceSplit& split,
                                        std::uint32_t block_bytes, std::uint64_t memory_max);

  std::unique_ptr<ContentPool> pool_;
  BlockNo second_device_;
  std::vector<ContentId> base_;
  std::vector<StreamEvent> events_;
  std::vector<BlockWrite> writes_;
  std::vector<std::string> marks_;
};

}  // namespace powercut::lab
