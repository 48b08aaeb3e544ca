#include "lab/campaign/load_run.h"

#include <algorithm>

#include "host/machine.h"
#include "lab/campaign/online_thread.h"

namespace powercut::lab {
namespace {

constexpr auto kTurn = std::chrono::milliseconds(50);
constexpr auto kProgressEvery = std::chrono::milliseconds(200);
constexpr auto kMountLimit = std::chrono::seconds(60);
// The load's own limit is the guest's to keep; the host adds what stopping and unmounting may take.
constexpr auto kEndingLimit = std::chrono::seconds(90);
constexpr std::size_t kReportLinesPerTurn = 1000;
constexpr std::size_t kLoadOutputMax = 8192;
constexpr std::size_t kTroubleMax = 500;

class LoadRun {
 public:
  LoadRun(const LoadRunOptions& options, const LabEnvironment& environment, RunOutcome& outcome,
          DiskServer& disk, LoadMachine& machine)
      : options_(options),
        environment_(environment),
        outcome_(outcome),
        disk_(disk),
        machine_(machine),
        clock_(environment.clock),
        started_(clock_.now()),
        phase_since_(started_) {}

  void go() {
    while (!has_ended_) {
      poll_guest();
      poll_disk();
      poll_explorer();
      check_limits();
      show_progress(nullptr);
    }
    end_explorer();
    take_cpu_time();
    const bool is_cut = outcome_.ending == Ending::kFirstFinding;
    if (!(is_cut ? machine_.cut_power() : machine_.stop())) {
      // Who waits for the disk for ever is let go with errors.
      disk_.kill();
      machine_.stop();
    }
    take_cpu_time();
    close_disk();
    outcome_.console_tail = machine_.console_tail();
    outcome_.seconds = seconds_of(clock_.now() - started_);
  }

 private:
  void end(Ending ending, std::string trouble = {}) {
    if (has_ended_) return;
    has_ended_ = true;
    outcome_.ending = ending;
    outcome_.trouble = std::move(trouble);
    if (outcome_.load_started && !outcome_.load_ended) outcome_.load_ended = now_seconds();
  }
  double now_seconds() const { return seconds_of(clock_.now() - started_); }
  void enter(std::string_view phase) {
    phase_ = phase;
    phase_since_ = clock_.now();
  }

  void take_cpu_time() {
    outcome_.guest_cpu_seconds = std::max(outcome_.guest_cpu_seconds, machine_.cpu_seconds());
  }

  void poll_guest() {
    const auto event = machine_.poll(kTurn);
    take_cpu_time();
    if (!event) {
      end(options_.lost, error_words(event.error()));
    } else if (*event) {
      take_event(**event);
    }
  }

  void take_event(const GuestEvent& event) {
    switch (event.kind) {
      case GuestEventKind::kBooted: outcome_.booted = now_seconds(); return enter("mounting");
      case GuestEventKind::kMounted: outcome_.mounted = now_seconds(); return;
      case GuestEventKind::kMountFailed:
        return end(Ending::kMountFailed, "mount failed: " + event.text);
      case GuestEventKind::kLoadStarted:
        outcome_.load_started = now_seconds();
        load_started_at_ = clock_.now();
        start_explorer();
        return enter("load");
      case GuestEventKind::kLoadEnded:
        outcome_.load_ended = now_seconds();
        // A load that was stopped at its time limit did what was asked of it.
        if (event.code != 0 && event.text.find("time limit") == std::string::npos) {
          add_load_trouble("the load ended with status " + std::to_string(event.code));
        }
        return enter("ending");
      case GuestEventKind::kLoadOutput:
        outcome_.load_output += event.text + "\n";
        if (outcome_.load_output.size() > kLoadOutputMax) {
          outcome_.load_output.erase(0, outcome_.load_output.size() - kLoadOutputMax);
        }
        return;
      case GuestEventKind::kPanic: return end(Ending::kPanic, event.text);
      case GuestEventKind::kTrouble: return add_load_trouble(event.text);
      case GuestEventKind::kExited: return end_of_guest(event);
      case GuestEventKind::kOff: is_off_ = true; return;
      case GuestEventKind::kListed:
      case GuestEventKind::kKernelMessage:
      case GuestEventKind::kConsoleLine: return;
    }
  }

  // At most a few: a load may write such lines itself.
  void add_load_trouble(const std::string& text) {
    if (load_trouble_.size() > kTroubleMax) return;
    load_trouble_ += (load_trouble_.empty() ? "" : "; ") + text;
  }

  void end_of_guest(const GuestEvent& event) {
    if (!is_off_) {
      return end(options_.lost, std::string(options_.process_name) + " ended with status " +
                                    std::to_string(event.code) +
                                    (load_trouble_.empty() ? "" : "; " + load_trouble_));
    }
    if (!outcome_.load_ended) add_load_trouble("the load's end was not heard");
    if (!load_trouble_.empty()) return end(Ending::kLoadFailed, load_trouble_);
    end(Ending::kLoadEnded);
  }

  void poll_disk() {
    for (std::size_t i = 0; i < kReportLinesPerTurn && !has_ended_; ++i) {
      const auto line = disk_.next(Nanoseconds{0});
      // A disk of this kernel's ends in order when nobody holds it any more, which may be heard
      // before the machine's own end.
      if (!line && disk_.status().is_last) return;
      if (!line) return end(Ending::kDiskLost, error_words(line.error()));
      if (!*line) return;
      take_line(**line);
    }
  }

  void take_line(const DiskReportLine& line) {
    if (line.kept) outcome_.kept = *line.kept;
    if (line.passed) take_passed(*line.passed);
    if (!line.finding) return;
    Finding finding = *line.finding;
    finding.when -= load_started_at_.value_or(started_);
    const std::string witness = machine_.witness_of(*line.finding);
    if (outcome_.findings.size() < RunOutcome::kFindingsMax) {
      outcome_.findings.push_back(finding);
      outcome_.witnesses.push_back(witness);
    }
    show_progress(&finding, witness);
    // Where the image is kept, its line follows; check_limits() waits for it.
    if (options_.until_first && !options_.keeps_image) end(Ending::kFirstFinding);
  }

  void start_explorer() {
    if (options_.online == nullptr || explorer_) return;
    explorer_ = std::make_unique<OnlineThread>(options_.recording, *options_.online, clock_);
  }

  void poll_explorer() {
    if (!explorer_) return;
    const OnlineThread::News news = explorer_->news();
    explored_.emplace(news.explored, news.crash_points);
    for (const GroupedFinding& group : news.fresh) {
      show_bad_state(group);
      if (options_.until_first) end(Ending::kFirstFinding);
    }
  }

  void end_explorer() {
    if (!explorer_) return;
    outcome_.online = explorer_->stop();
    explorer_.reset();
  }

  void show_bad_state(const GroupedFinding& group) const {
    if (!environment_.progress) return;
    RunProgress progress{phase_, seconds_of(clock_.now() - phase_since_), &disk_.status()};
    progress.bad_state = &group;
    environment_.progress(progress);
  }

  void take_passed(const NoLongerReplayable& passed) {
    for (Finding& finding : outcome_.findings) {
      if (finding.tid == passed.tid && !finding.replayable) finding.replayable = passed.replayable;
    }
  }

  void check_limits() {
    if (has_ended_) return;
    if (was_interrupted()) return end(Ending::kInterrupted, "interrupted");
    if (options_.until_first && !outcome_.findings.empty() && !outcome_.kept.path.empty()) {
      return end(Ending::kFirstFinding);
    }
    if (options_.until_first && !outcome_.kept.why_not.empty()) return end(Ending::kFirstFinding);
    const Nanoseconds in_phase = clock_.now() - phase_since_;
    const Nanoseconds limit = phase_ == "load"     ? options_.load_limit + kEndingLimit
                              : phase_ == "ending" ? Nanoseconds(kEndingLimit)
                                                   : Nanoseconds(kMountLimit);
    if (in_phase > limit) {
      end(options_.hung, std::string(options_.machine_name) + " hangs while " +
                             std::string(phase_) + "; its last words: " + last_words());
    }
  }

  std::string last_words() const {
    constexpr std::size_t kMost = 300;
    const std::string tail = machine_.console_tail();
    return tail.size() > kMost ? tail.substr(tail.size() - kMost) : tail;
  }

  void close_disk() {
    const auto take = [this](const DiskReportLine& line) { take_line(line); };
    disk_.await_end(take, options_.disk_end_limit);
    const auto status = disk_.close(take);
    outcome_.disk = disk_.status();
    outcome_.disk_words = disk_.words();
    // What the load did then was done on a disk that refused: whatever it says, it is not complete.
    if (outcome_.disk.failed_count != 0 && is_complete(outcome_.ending)) {
      outcome_.ending = Ending::kDiskFailed;
      outcome_.trouble = std::to_string(outcome_.disk.failed_count) +
                         " requests failed, the first: " + outcome_.disk.failure;
    }
    if (!status && outcome_.ending != Ending::kDiskLost) {
      outcome_.trouble += (outcome_.trouble.empty() ? "" : "; ") + std::string(status.error().what);
    }
  }

  void show_progress(const Finding* finding, std::string_view witness = {}) {
    const Nanoseconds now = clock_.now();
    if (!environment_.progress || (finding == nullptr && now - shown_ < kProgressEvery)) return;
    if (finding == nullptr) shown_ = now;
    environment_.progress(
        {phase_, seconds_of(now - phase_since_), &disk_.status(), finding, witness, explored_});
  }

  const LoadRunOptions& options_;
  const LabEnvironment& environment_;
  RunOutcome& outcome_;
  DiskServer& disk_;
  LoadMachine& machine_;
  const Clock& clock_;
  const Nanoseconds started_;
  std::string_view phase_ = "booting";
  Nanoseconds phase_since_;
  Nanoseconds shown_{0};
  std::optional<Nanoseconds> load_started_at_;
  std::unique_ptr<OnlineThread> explorer_;  // while the load runs
  std::optional<std::pair<std::uint64_t, std::uint64_t>> explored_;
  std::string load_trouble_;
  bool is_off_ = false;
  bool has_ended_ = false;
};

}  // namespace

void run_load(const LoadRunOptions& options, const LabEnvironment& environment, DiskServer& disk,
              LoadMachine& machine, RunOutcome& outcome) {
  LoadRun(options, environment, outcome, disk, machine).go();
}

}  // namespace powercut::lab
