// The tag judge over a recording instead of a disk in use.
#pragma once

#include "lab/record/recording_file.h"
#include "lab/record/recording_reader.h"
#include "lab/verify/tag_judge.h"

namespace powercut::lab {

struct Verification {
  JudgeCounters counters;
  std::string trouble;            // why there is no journal to check; empty if there is one
  std::vector<Finding> findings;  // at most kFindingsMax
  bool is_cut = false;            // the recording ends in a broken frame
  static constexpr std::size_t kFindingsMax = 100'000;
};

// The same of a recording of format 2 that need not fit memory.  Errors: as RecordingReader.
Result<Verification> verify_recording(RecordingReader& reader, const Clock& clock);
// Plays the recording to a judge.  `clock` measures the judge's own time.
Verification verify_recording(const Recording& recording, const Clock& clock);

}  // namespace powercut::lab
