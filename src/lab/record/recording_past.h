// What a recording that is still being written says so far, in passes over its events alone: the
// marks, and how many crash points there are about.
//
// Words
//   pass   the file opened as it is by then, and walked from its first event to the last that is
//          whole; what earlier passes saw is not counted again
//
// Events that were folded before any pass saw them are not counted.
// Memory: the marks, at most kMarksBytesMax of text.  Threads: none of its own.
#pragma once

#include <array>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "host/file.h"
#include "lab/record/frame_walk.h"

namespace powercut::lab {

class RecordingPast {
 public:
  static constexpr std::size_t kMarksBytesMax = std::size_t{64} << 20;
  struct Mark {
    std::uint64_t number = 0;  // of the event
    std::string text;
  };

  // Begins a pass.  Errors: as FrameFile::open().
  Result<void> open(const std::filesystem::path& path);
  // Of the pass: the first event that is there, and one past the last.
  std::uint64_t first() const { return frames_->folded_events(); }
  std::uint64_t end() const { return end_; }
  const File& file() const { return *file_; }
  // The earliest event from which on read_recording() takes `bytes` of memory at most; counts the
  // disk before it as wholly written.  Errors: kLimit: the disk alone takes more; as pass().
  Result<std::uint64_t> first_within(std::uint64_t bytes) const;
  // Makes the pass.  Returns how many requests were under way before event `number`, which is there
  // or end().  Errors: kCorrupt, kLimit (marks), kIo.
  Result<std::uint64_t> pass(std::uint64_t number);

  // In the order of their numbers.
  const std::vector<Mark>& marks() const { return marks_; }
  // About: a cover that changes nothing counts too.
  std::uint64_t crash_points() const { return crash_points_; }

 private:
  struct Device {
    std::deque<std::uint64_t> completed;  // writes that no flush covers yet: when
  };
  Result<void> take(const WalkedEvent& walked);
  Result<void> take_mark(const WalkedEvent& walked);
  void take_completed(const WalkedEvent& walked);
  bool cover(const RecordedEvent& flush, std::uint64_t submitted);

  std::optional<File> file_;
  std::optional<FrameFile> frames_;
  std::uint64_t end_ = 0;
  std::uint64_t next_ = 0;  // the first event that no pass has seen
  std::vector<Mark> marks_;
  std::size_t marks_bytes_ = 0;
  std::map<std::uint64_t, std::uint64_t> flushes_;  // under way, by sequence: when submitted
  std::array<Device, kDevicesMax> devices_;
  std::uint64_t crash_points_ = 0;
};

}  // namespace powercut::lab
