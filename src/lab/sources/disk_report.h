// What a served disk tells the process that started it: lines of JSON over a pipe.
//
//   {"counters": {...}, "trouble": "...", "dropped": 0, "cpu": 1.5, "end": false}
//                                     ten times a second, and once with "end": true
//   {"finding": {...}}                each, as it is found
//   {"replayable": {"tid": 7, "seconds": 2.5}}
//                                     the tail has durably passed a bad transaction
//   {"kept": "PATH", "why_not": ""}   the image at the first finding
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/verify/finding_json.h"

namespace powercut::lab {

struct DiskStatus {
  JudgeCounters counters;
  std::string trouble;              // why there is no journal to check; empty if there is one
  std::string record_trouble;       // why the recording ended early; empty if it did not
  std::uint64_t folded_events = 0;  // of the recording, which its limit made part of its base
  std::uint64_t failed_count = 0;   // requests that failed
  std::string failure;              // why the first of them did
  std::uint64_t dropped_count = 0;  // findings that were counted but not told in full
  double cpu_seconds = 0;           // of the disk's process
  bool is_last = false;
};
struct NoLongerReplayable {
  Tid tid;
  Nanoseconds replayable{0};
};
struct KeptImage {
  std::string path;  // empty: not kept
  std::string why_not;
};
// One line; exactly one member is set.
struct DiskReportLine {
  std::optional<DiskStatus> status;
  std::optional<Finding> finding;
  std::optional<NoLongerReplayable> passed;
  std::optional<KeptImage> kept;
};

std::string status_line(const DiskStatus& status);
std::string finding_line(const Finding& finding);
std::string passed_line(Tid tid, Nanoseconds replayable);
std::string kept_line(const KeptImage& kept);
// Errors: kCorrupt.
Result<DiskReportLine> parse_report_line(std::string_view line);

}  // namespace powercut::lab
