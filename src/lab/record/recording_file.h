// A recording: what a disk held at first, and every request since, in a file.
//
//   "PCUTREC1" | disk size (le64) | frame | frame | ...
//   frame: "FRAM" | stored bytes (le32) | raw bytes (le32) | crc32c of the stored bytes (le32) |
//          the stored bytes: zstd of the raw ones
//   the raw bytes of all frames, one after another, are events:
//     kind (1 byte) | flags (1) | zero (6) | sequence (le64) | time, ns (le64) | offset (le64) |
//     length (le64) | data, `length` bytes, for kBase and the submission of a write
//   An event does not cross frames.
//
// A recorder that dies leaves whole frames and at most one broken one at the end: reading stops
// there and says so.  Nothing read is trusted: see read_recording().  docs/format-recording.md.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "host/file.h"
#include "lab/record/request.h"

namespace powercut::lab {

enum class EventKind : std::uint8_t {  // stored
  kBase = 1,                           // content of the disk before the first request
  kSubmitted = 2,
  kCompleted = 3,  // of the submission with that sequence
  kPowerCycle = 4,
  kMark = 5,  // a line of text that the load put there
};

struct RecordedEvent {
  EventKind kind = EventKind::kBase;
  RequestKind request = RequestKind::kWrite;  // kSubmitted
  Durability durability = Durability::kCached;
  std::uint64_t sequence = 0;
  Nanoseconds when{0};
  std::uint64_t offset = 0, length = 0;
  Bytes data;  // lives as long as the Recording
};

// A recording in memory.
struct Recording {
  std::uint64_t disk_bytes = 0;
  std::vector<RecordedEvent> events;
  bool is_cut = false;  // the file ends in a broken frame, which was left out
  std::vector<std::vector<std::uint8_t>> frames;  // what the events' data points into
};

// Writes a recording while a disk is being used.  A write that fails, or `bytes_max` reached, ends
// the recording, not the disk: see trouble().
class RecordingWriter final : public DiskObserver {
 public:
  // The file must not exist.  `view` gives the content at first: its pages that are not zero.
  static Result<std::unique_ptr<RecordingWriter>> create(const std::filesystem::path& path,
                                                         const BlockView& view,
                                                         std::uint64_t bytes_max);
  ~RecordingWriter() override;
  void on_submitted(const Request& request, Nanoseconds when) override;
  void on_completed(const Request& request, Nanoseconds when) override;
  void on_power_cycle(Nanoseconds when) override;
  void on_mark(std::string_view text, Nanoseconds when) override;
  // Writes out what is buffered and syncs.  A limit reached is in trouble(), not an error.
  Result<void> close();
  const std::string& trouble() const { return trouble_; }

 private:
  RecordingWriter(File file, std::uint64_t bytes_max)
      : file_(std::move(file)), bytes_max_(bytes_max) {}
  void add(const RecordedEvent& event);
  Result<void> write_frame();

  File file_;
  std::uint64_t bytes_max_;
  std::vector<std::uint8_t> raw_;
  std::vector<std::uint8_t> stored_;
  std::string trouble_;
  bool is_closed_ = false;
};

// Reads a whole recording into memory, at most `memory_max` bytes of events.
// Errors: kCorrupt: not a recording, or a whole frame that breaks the format; kLimit: that bound,
// or a disk over 64 GiB; kIo.
Result<Recording> read_recording(const ByteStore& file, std::uint64_t memory_max);

// The disk of a recording, with its content as of each moment.  The data is not copied.
class RecordedView final : public BlockView {
 public:
  explicit RecordedView(const Recording& recording);
  std::uint64_t size_bytes() const override { return recording_.disk_bytes; }
  // Takes the effect of a kBase or a submission.
  void apply(const RecordedEvent& event);

 private:
  static constexpr std::uint64_t kPageBytes = 4096;
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;
  void apply_bytes(std::uint64_t offset, std::uint64_t length, const std::uint8_t* data);

  const Recording& recording_;
  std::vector<const std::uint8_t*> pages_;                                    // null: zero
  std::vector<std::unique_ptr<std::array<std::uint8_t, kPageBytes>>> mixed_;  // written in part
};

// Plays all events to the observers; `view` must be fresh.
void play(const Recording& recording, RecordedView& view,
          const std::vector<DiskObserver*>& observers);

}  // namespace powercut::lab
