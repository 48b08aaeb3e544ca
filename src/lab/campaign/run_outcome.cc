#include "lab/campaign/run_outcome.h"

namespace powercut::lab {

std::string_view ending_name(Ending ending) {
  switch (ending) {
    case Ending::kLoadEnded: return "the load ended in order";
    case Ending::kFirstFinding: return "power cut at the first finding";
    case Ending::kInterrupted: return "interrupted";
    case Ending::kLoadFailed: return "the load failed";
    case Ending::kMountFailed: return "the mount failed";
    case Ending::kPanic: return "the guest's kernel stopped";
    case Ending::kHung: return "the guest hung";
    case Ending::kGuestLost: return "the guest was lost";
    case Ending::kStageHung: return "the stage hung";
    case Ending::kStageLost: return "the stage was lost";
    case Ending::kDiskFailed: return "the disk failed";
    case Ending::kDiskLost: return "the disk was lost";
  }
  return "unknown";
}

bool is_complete(Ending ending) {
  return ending == Ending::kLoadEnded || ending == Ending::kFirstFinding;
}

double RunOutcome::load_seconds() const {
  return load_started && load_ended ? *load_ended - *load_started : 0;
}

std::optional<double> RunOutcome::first_finding_seconds() const {
  if (findings.empty()) return std::nullopt;
  return seconds_of(findings.front().when);
}

double RunOutcome::check_share() const {
  const double all = guest_cpu_seconds + disk.cpu_seconds;
  return all > 0 ? seconds_of(disk.counters.judge_time) / all : 0;
}

}  // namespace powercut::lab
