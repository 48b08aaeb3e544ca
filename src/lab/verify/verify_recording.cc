#include "lab/verify/verify_recording.h"

#include <algorithm>

#include "lab/record/recording_player.h"

namespace powercut::lab {
namespace {

class Collector final : public FindingSink {
 public:
  explicit Collector(Verification& into) : into_(into) {}
  void on_finding(const Finding& finding) override {
    if (into_.findings.size() < Verification::kFindingsMax) into_.findings.push_back(finding);
  }
  void on_no_longer_replayable(Tid tid, Nanoseconds replayable) override {
    for (auto finding = into_.findings.rbegin(); finding != into_.findings.rend(); ++finding) {
      if (finding->tid == tid && !finding->replayable) finding->replayable = replayable;
    }
  }

 private:
  Verification& into_;
};

JudgeOptions judge_options(const DeviceSplit& split) {
  JudgeOptions options;
  options.split = split;
  options.identify_share = 1;  // nothing waits for it here
  options.identify_free = std::chrono::seconds(60);
  options.measures_time = false;
  return options;
}

// Times since the first request mean more than those of a clock that is gone.
void finish(Verification& verification, TagJudge& judge, Nanoseconds first, Nanoseconds last) {
  judge.finish(last);
  for (Finding& finding : verification.findings) finding.when -= first;
  verification.counters = judge.counters();
  verification.trouble = judge.trouble();
}

}  // namespace

Verification verify_recording(const Recording& recording, const Clock& clock) {
  Verification verification;
  verification.is_cut = recording.is_cut;
  RecordedView view(recording);
  const auto is_base = [](const RecordedEvent& event) { return event.kind == EventKind::kBase; };
  for (const RecordedEvent& event : recording.events) {
    if (is_base(event)) view.apply(event);
  }
  Collector collector(verification);
  TagJudge judge(view, clock, collector, judge_options(recording.split));
  play(recording, view, {&judge});
  const auto first = std::ranges::find_if_not(recording.events, is_base);
  const bool is_empty = first == recording.events.end();
  finish(verification, judge, is_empty ? Nanoseconds(0) : first->when,
         recording.events.empty() ? Nanoseconds(0) : recording.events.back().when);
  return verification;
}

Result<Verification> verify_recording(RecordingReader& reader, const Clock& clock) {
  Verification verification;
  const auto player = TRY(RecordingPlayer::make(reader));
  TRY(player->read_base());
  Collector collector(verification);
  TagJudge judge(player->disk(), clock, collector, judge_options(reader.facts().split));
  TRY(player->play({&judge}));
  finish(verification, judge, player->first_time(), player->last_time());
  verification.is_cut = reader.is_cut();
  return verification;
}

}  // namespace powercut::lab
