// Where the frames of a recording go: packed and appended to the file by a thread of its own.
//
// What waits is bounded; a put() that finds too much waiting waits, too.  After the first error the
// recording has ended: what comes is dropped, and trouble() says why.
// Threads: put() and finish() by one at a time; the rest by any.  Lock: kRecording, below which
// nothing is taken; it is not held while a file is written.
#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <string>
#include <thread>

#include "base/sync.h"
#include "host/file.h"
#include "lab/record/frame_builder.h"

namespace powercut::lab {

// Of format 2, or 3 where the disk is two devices.
Result<void> append_recording_header(File& file, std::uint64_t disk_bytes,
                                     std::uint64_t folded_events, const DeviceSplit& split);

class FrameSink {
 public:
  // Numbers of contents from here on are the sink's to give, for those that a fold makes.
  static constexpr std::uint32_t kFirstFoldNumber = 1u << 31;
  // How large a frame should be so that a few that wait are no matter beside `bytes_max`.
  static std::size_t frame_bytes(std::uint64_t bytes_max);

  // `file`, which is at `path`, has its header already.  `bytes_max`: of the file, and while it is
  // folded of both.
  FrameSink(File file, std::filesystem::path path, std::uint64_t bytes_max);
  ~FrameSink();
  void put(RawFrame&& frame) EXCLUDES(mutex_);
  // Ends the recording; `why` is static.
  void end(const char* why) EXCLUDES(mutex_);
  // What waits is written, and the file synced.  No put() comes after it.
  Result<void> finish() EXCLUDES(mutex_);

  bool has_ended() const { return has_ended_; }
  // True once for each fold: the frame put next must say that it precedes it.
  bool wants_fold() { return wants_fold_ && wants_fold_.exchange(false); }
  std::string trouble() const EXCLUDES(mutex_);
  std::uint64_t folded_events() const { return folded_events_; }

 private:
  static constexpr std::size_t kWaitingMax = 4;  // frames
  void work() EXCLUDES(mutex_);
  Result<void> write(const RawFrame& frame);
  Result<void> fold();

  // Of the thread alone, and of finish() when the thread is gone.
  File file_;
  const std::filesystem::path path_;
  const std::uint64_t bytes_max_;
  std::vector<std::uint8_t> stored_;
  bool is_fold_asked_ = false;
  std::uint32_t next_fold_number_ = kFirstFoldNumber;

  std::atomic<bool> has_ended_ = false, wants_fold_ = false;
  std::atomic<std::uint64_t> folded_events_ = 0;
  mutable Mutex mutex_{LockRank::kRecording};
  Condition changed_;
  std::deque<RawFrame> waiting_ GUARDED_BY(mutex_);
  std::string trouble_ GUARDED_BY(mutex_);
  bool is_finishing_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace powercut::lab
