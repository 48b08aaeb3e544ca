// What is in a recording, counted in one pass over its events; contents are not unpacked.
#pragma once

#include <filesystem>

#include "host/file.h"
#include "lab/record/recording_reader.h"

namespace powercut::lab {

struct RecordedMark {
  std::uint64_t number = 0;  // of the event
  Nanoseconds when{0};       // after the first event
  std::string text;
};

struct RecordingSummary {
  RecordingFacts facts;
  std::uint64_t file_bytes = 0;
  bool is_cut = false;
  std::uint64_t base_bytes = 0;  // of the disk that are not zero before the first event
  std::uint64_t carried = 0;     // requests under way when it was folded
  std::uint64_t events = 0;      // without these
  std::uint64_t writes = 0, fua_writes = 0, zeroings = 0, discards = 0, flushes = 0;
  std::uint64_t written_bytes = 0;  // by writes
  std::uint64_t completed = 0, power_cycles = 0, mark_count = 0;
  Nanoseconds length{0};            // from the first event to the last
  std::vector<RecordedMark> marks;  // the first kMarksMax
  static constexpr std::size_t kMarksMax = 100'000;
};

// Errors: as RecordingReader.
Result<RecordingSummary> summarize_recording(const File& file);

}  // namespace powercut::lab
