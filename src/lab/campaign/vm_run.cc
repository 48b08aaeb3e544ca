#include "lab/campaign/vm_run.h"

#include <algorithm>

#include "lab/sources/initramfs.h"
#include "lab/sources/vm.h"

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

class Run {
 public:
  Run(const RunOptions& options, const LabEnvironment& environment, RunOutcome& outcome,
      DiskDoor& door, VirtualMachine& vm)
      : options_(options),
        environment_(environment),
        outcome_(outcome),
        door_(door),
        vm_(vm),
        clock_(environment.clock),
        started_(clock_.now()),
        phase_since_(started_) {}

  void go() {
    while (!has_ended_) {
      poll_guest();
      poll_disk();
      check_limits();
      show_progress(nullptr);
    }
    outcome_.guest_cpu_seconds = std::max(outcome_.guest_cpu_seconds, vm_.process().cpu_seconds());
    if (outcome_.ending == Ending::kFirstFinding) {
      vm_.cut_power();
    } else {
      vm_.stop();
    }
    close_disk();
    outcome_.console_tail = vm_.console_tail();
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

  void poll_guest() {
    const auto event = vm_.poll(kTurn);
    outcome_.guest_cpu_seconds = std::max(outcome_.guest_cpu_seconds, vm_.process().cpu_seconds());
    if (!event) {
      end(Ending::kGuestLost, error_words(event.error()));
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
      return end(Ending::kGuestLost, "QEMU ended with status " + std::to_string(event.code));
    }
    if (!outcome_.load_ended) add_load_trouble("the load's end was not heard");
    if (!load_trouble_.empty()) return end(Ending::kLoadFailed, load_trouble_);
    end(Ending::kLoadEnded);
  }

  void poll_disk() {
    for (std::size_t i = 0; i < kReportLinesPerTurn && !has_ended_; ++i) {
      const auto line = door_.next(Nanoseconds{0});
      if (!line) {
        return end(Ending::kDiskLost, error_words(line.error()));
      }
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
    if (outcome_.findings.size() < RunOutcome::kFindingsMax) outcome_.findings.push_back(finding);
    show_progress(&finding);
    // Where the image is kept, its line follows; check_limits() waits for it.
    if (options_.until_first && options_.keep.empty()) end(Ending::kFirstFinding);
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
      end(Ending::kHung,
          "the guest hangs while " + std::string(phase_) + "; its last words: " + last_words());
    }
  }

  std::string last_words() const {
    constexpr std::size_t kMost = 300;
    const std::string tail = vm_.console_tail();
    return tail.size() > kMost ? tail.substr(tail.size() - kMost) : tail;
  }

  void close_disk() {
    const auto status = door_.close([this](const DiskReportLine& line) { take_line(line); });
    outcome_.disk = door_.status();
    outcome_.disk_words = door_.words();
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

  void show_progress(const Finding* finding) {
    const Nanoseconds now = clock_.now();
    if (!environment_.progress || (finding == nullptr && now - shown_ < kProgressEvery)) return;
    if (finding == nullptr) shown_ = now;
    environment_.progress({phase_, seconds_of(now - phase_since_), &door_.status(), finding});
  }

  const RunOptions& options_;
  const LabEnvironment& environment_;
  RunOutcome& outcome_;
  DiskDoor& door_;
  VirtualMachine& vm_;
  const Clock& clock_;
  const Nanoseconds started_;
  std::string_view phase_ = "booting";
  Nanoseconds phase_since_;
  Nanoseconds shown_{0};
  std::optional<Nanoseconds> load_started_at_;
  std::string load_trouble_;
  bool is_off_ = false;
  bool has_ended_ = false;
};

Result<DiskDoor> open_door(const RunOptions& options, const std::filesystem::path& folder) {
  DiskDoorOptions door;
  door.folder = folder;
  door.size_bytes = options.disk_bytes;
  door.journal_mib = options.journal_mib;
  door.mkfs_options = options.mkfs_options;
  door.keep = options.keep;
  door.record = options.record;
  door.record_bytes_max = options.record_bytes_max;
  return DiskDoor::open(door);
}

}  // namespace

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

Result<RunOutcome> run_in_vm(const RunOptions& options, const LabEnvironment& environment) {
  RunOutcome outcome;
  outcome.kernel = options.kernel;
  GuestJob job;
  job.commands = options.commands;
  job.mount_options = options.mount_options;
  job.settings = options.settings;
  job.command_limit = options.load_limit;
  job.has_marks = true;
  VmOptions vm_options;
  vm_options.kernel = options.kernel;
  vm_options.initramfs =
      TRY(build_initramfs(options.kernel, job, {environment.guest_program, options.programs, {}}));
  const auto accelerator =
      TRY(choose_accelerator(options.accelerator, options.kernel, environment.guest_program,
                             environment.cache_dir, environment.clock));
  outcome.accelerator = vm_options.accelerator = accelerator.accelerator;
  outcome.accelerator_reason = accelerator.reason;
  const TempDirectory folder = TRY(TempDirectory::make("run"));
  DiskDoor door = TRY(open_door(options, folder.path()));
  vm_options.disk_socket = door.socket();
  vm_options.marks_socket = door.marks();
  vm_options.cpus = options.cpus;
  vm_options.memory_mib = options.memory_mib;
  vm_options.append = options.append;
  vm_options.throttle_iops = options.throttle_iops;
  VirtualMachine vm = TRY(VirtualMachine::start(std::move(vm_options), environment.clock));
  Run(options, environment, outcome, door, vm).go();
  return outcome;
}

RunOptions hunt_options(const KernelImage& kernel, Nanoseconds seconds) {
  RunOptions options;
  options.kernel = kernel;
  const auto whole_seconds = std::chrono::duration_cast<std::chrono::seconds>(seconds).count();
  options.commands = {{"hot-store", "--files", "3", "--pages", "2000", "--dwell-us", "2000",
                       "--sync", "--seconds", std::to_string(whole_seconds), "."}};
  options.settings = {{"vm/dirty_expire_centisecs", "10"}, {"vm/dirty_writeback_centisecs", "10"}};
  options.append = {"preempt=full"};
  options.cpus = 1;
  options.throttle_iops = 400;
  // Making and syncing the files comes before the load's own clock.
  options.load_limit = seconds + std::chrono::seconds(60);
  return options;
}

}  // namespace powercut::lab
