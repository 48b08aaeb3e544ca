#include "tests/simulation/fs_stream.h"

#include "base/check.h"
#include "base/task.h"
#include "base/wall_clock.h"
#include "block/simulated_disk.h"
#include "lab/check/content_judge.h"
#include "lab/check/stream_findings.h"
#include "lab/check/structure_judge.h"
#include "lab/sources/guest/load_kinds.h"
#include "tests/simulation/volume_system.h"
#include "tests/support/mount_forms.h"
#include "tests/support/mounted_image.h"
#include "tests/support/recording_observer.h"

namespace powercut::testing {
namespace {

using RunLoad = Result<std::string> (*)(lab::LoadPlace&);

RunLoad load_of(const std::string& kind) {
  if (kind == "write") return lab::run_write_load;
  if (kind == "append") return lab::run_append_load;
  if (kind == "rename") return lab::run_rename_load;
  CHECK(kind == "mixed", "a load without maps");
  return lab::run_mixed_load;
}

// A load from its mount to its unmount.
class LoadRun {
 public:
  LoadRun(const std::vector<std::uint8_t>& image, const FsLoad& load)
      : load_(load),
        recorder_(image),
        stream_(clock_, {&recorder_}),
        disk_(image, {.seed = load.seed}, &stream_) {}

  void run() {
    fs::MountOptions mount = options_of_simulation(8, load_.has_service);
    mount.journal.single_wait = load_.single_wait;
    auto opened = fs::Mounted::open(disk_, clock_, wall_clock_, mount);
    CHECK(opened.has_value(), "a file system without faults can be mounted");
    fs::Mounted& mounted = **opened;
    const Result<void> ran = run_tasks(mounted);
    if (!ran) Simulation::fail(error_words(ran.error()));
    result.commits = mounted.core().journal->counters().commits;
    result.checkpoints = mounted.core().journal->counters().checkpoints;
    const auto closed = mounted.close();
    if (!closed) Simulation::fail(error_words(closed.error()));
    result.recording = recorder_.take();
  }

  RecordedLoad result;

 private:
  Result<void> run_tasks(fs::Mounted& mounted) {
    VolumeSystem system(mounted, stream_);
    lab::WorkloadOptions options;
    options.kind = load_.kind;
    options.file_count = load_.files;
    options.file_kib = load_.file_kib;
    options.sync_percent = load_.sync_percent;
    options.operation_max = load_.operations;
    const auto number = static_cast<std::uint32_t>(Prng(load_.seed).next());
    lab::LoadShared shared{.options = options,
                           .clock = clock_,
                           .code = lab::WordCode(number),
                           .system = system,
                           .deadline = std::chrono::hours(24)};
    std::vector<lab::LoadPlace> places;
    for (unsigned i = 0; i < load_.tasks; ++i) {
      const std::string name = load_.kind + "-t" + std::to_string(i);
      places.push_back(TRY(lab::LoadPlace::make(shared, "", name, Prng(load_.seed).child(name))));
    }
    TRY(mounted.sync());
    TRY(places.front().mark({lab::BeginClause{load_.kind, lab::DataMode::kJournal}}));
    std::vector<Result<std::string>> ends(places.size(), std::string());
    {
      std::vector<Task> tasks;
      for (std::size_t i = 0; i < places.size(); ++i) {
        tasks.push_back(Task::start("load", [&, i] { ends[i] = load_of(load_.kind)(places[i]); }));
      }
    }
    for (const auto& end : ends) {
      const std::string wrong = TRY(end);
      if (!wrong.empty()) Simulation::fail("read back: " + wrong);
    }
    return places.front().mark({lab::EndClause{}});
  }

  const FsLoad& load_;
  const SimulatedClock clock_;
  const ManualWallClock wall_clock_{fs::kTestTime};
  RecordingObserver recorder_;
  lab::SimulatedStream stream_;
  SimulatedDisk disk_;
};

JournalMap journal_of(const lab::Recording& recording) {
  lab::RecordedView view(recording);
  view.apply(recording.events.front());
  return locate_journal(Volume::open(view).value()).value();
}

}  // namespace

RecordedLoad record_load(const std::vector<std::uint8_t>& image, const FsLoad& load) {
  std::unique_ptr<LoadRun> lived;
  const SimulationResult run = Simulation({.seed = load.seed, .mutants = load.mutants}).run([&] {
    lived = std::make_unique<LoadRun>(image, load);
    lived->run();
  });
  if (run.has_finding()) {
    RecordedLoad failed;
    failed.finding = std::string(simulation_end_name(run.end)) + ": " + run.what;
    return failed;
  }
  return std::move(lived->result);
}

JudgedLoad judge_load(const lab::Recording& recording, std::uint64_t states_max,
                      std::uint64_t seed) {
  JudgedLoad judged;
  const SteadyClock clock;
  for (const lab::StreamFinding& finding : lab::judge_stream(recording, clock)) {
    judged.finding = std::string(lab::judge_name(finding.check.judge)) + ": " + finding.check.rule +
                     ": " + finding.check.words;
    return judged;
  }
  const JournalMap map = journal_of(recording);
  auto stream =
      lab::BlockStream::make(recording, map.block_bytes(), std::uint64_t{1} << 30).value();
  lab::StructureJudge structure;
  lab::ContentJudge content;
  lab::ExplorerOptions options;
  options.states_max = states_max;
  options.seed = seed;
  lab::Explorer explorer(stream, map, {&structure, &content}, clock, options);
  const auto explored = explorer.run([](const lab::ExplorerCounts&) { return true; });
  judged.counts = explorer.counts();
  if (!explored) judged.finding = "explorer: " + error_words(explored.error());
  for (const lab::GroupedFinding& group : explorer.findings()) {
    judged.finding = std::string(lab::judge_name(group.finding.judge)) + ": " + group.finding.rule +
                     ": " + group.finding.words + " (state " +
                     std::to_string(group.first.crash_point) + " " + group.first.writes + ", " +
                     std::to_string(group.state_count) + " such)";
    break;
  }
  return judged;
}

}  // namespace powercut::testing
