// A recording in memory: what a disk held at first, and every request since.
//
// For recordings that fit; recording_reader.h reads them event by event, recording_writer.h writes
// them.  docs/format-recording.md describes the file.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "host/file.h"
#include "lab/record/recorded_event.h"
#include "lab/record/recording_writer.h"

namespace powercut::lab {

struct Recording {
  std::uint64_t disk_bytes = 0;
  DeviceSplit split;
  std::vector<RecordedEvent> events;  // data: lives as long as the Recording
  bool is_cut = false;                // the file ends in a broken frame, which was left out
  std::uint64_t folded_events = 0;    // that were dropped, their effect being in the base
  std::vector<std::vector<std::uint8_t>> frames;  // what the events' data points into
};

// Reads a recording into memory, at most `memory_max` bytes of events: whole, or as if all before
// the event `first` had been folded.
// Errors: kCorrupt: not a recording, or a whole frame that breaks the format; kLimit: that bound,
// or a disk over 64 GiB; kInvalid, kUnsupported: `first`, as RecordingReader::start_at(); kIo.
Result<Recording> read_recording(const ByteStore& file, std::uint64_t memory_max,
                                 std::optional<std::uint64_t> first = std::nullopt);

// The disk of a recording, with its content as of each moment.  The data is not copied.
class RecordedView final : public BlockView {
 public:
  explicit RecordedView(const Recording& recording);
  std::uint64_t size_bytes() const override { return recording_.disk_bytes; }
  // Takes the effect of a kBase or a submission.  A discard leaves zeroes, as the disk does that
  // Powercut serves.
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
