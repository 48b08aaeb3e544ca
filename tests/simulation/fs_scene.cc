#include "tests/simulation/fs_scene.h"

#include <algorithm>

#include "base/check.h"
#include "base/task.h"
#include "base/wall_clock.h"
#include "block/simulated_disk.h"
#include "fs/journal_place.h"
#include "lab/check/order_judge.h"
#include "lab/record/simulated_stream.h"
#include "lab/verify/tag_judge.h"
#include "recovery/recovery.h"
#include "tests/simulation/first_finding.h"
#include "tests/support/aimed_cut.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/mount_forms.h"
#include "tests/support/mounted_image.h"

namespace powercut::testing {
namespace {

using Image = std::vector<std::uint8_t>;

// Where the power goes, in a mount of what was cut and behind it.
constexpr AimPoint kMountPoints[] = {
    {"recovery.begin"}, {"recovery.home"}, {"fs.orphan.recover", 2}};
constexpr AimPoint kWorkPoints[] = {
    {"journal.start", 100, true, 16}, {"journal.extend", 3, true, 2},
    {"journal.log_durable", 10},      {"checkpoint.home", 2, false, 2},
    {"fs.truncate.more", 2, true, 2}, {"fs.remove.part", 10, true, 4},
    {"fs.zero.punched", 5, true, 2},  {"fs.rename.done", 10, true, 4},
};

bool is_aim_point(std::string_view name) {
  const auto is_it = [&](const AimPoint& point) { return point.name == name; };
  return std::ranges::any_of(kMountPoints, is_it) || std::ranges::any_of(kWorkPoints, is_it);
}

// How a life goes, and how it is to end.
struct LifePlan {
  unsigned operations = 0;
  std::optional<CutAim> aim;
  std::span<const AimPoint> stops;
};

// From a mount to the end of the power, or to an orderly unmount.
class FsLife {
 public:
  FsLife(const FsSceneOptions& options, FolderHistories& histories, Image image,
         const LifePlan& plan, Prng prng)
      : options_(options),
        plan_(plan),
        histories_(histories),
        prng_(prng),
        disk_(std::move(image), {.atomic_bytes = options.tears ? 1024u : 4096u,
                                 .crash_at_event = 1 + prng_.below(options.crash_events),
                                 .seed = prng_.next()}),
        tag_(disk_.content(), clock_, finding_, {.measures_time = false}),
        order_(disk_.content(), finding_),
        aimed_(disk_, plan.aim, plan.stops, prng_.child("stops")),
        stream_(clock_, {&tag_, &order_}) {}

  void at_point(std::string_view name) {
    if (is_aim_point(name)) ++passings_[std::string(name)];
    aimed_.at_point(name);
  }
  void run() {
    disk_.observe(&stream_);
    mount_and_work();
    tag_.finish(clock_.now());
    order_.finish();
  }

  Image image() {
    if (disk_.is_off()) return *disk_.crash_image();
    return disk_.crash(prng_);
  }
  const std::string& finding() const { return finding_.words(); }
  void count(FsSceneResult& result) const {
    result.tally.add(tally_);
    result.events += disk_.event_count();
    result.commits += counters_.commits;
    result.checkpoints += counters_.checkpoints;
    result.revokes += counters_.revokes;
    result.waits_for_room += counters_.waits_for_room;
    result.cuts += disk_.is_off() ? 1 : 0;
    result.orderly_ends += disk_.is_off() ? 0 : 1;
    result.recovered_orphans += orphans_;
    for (const auto& [name, count] : passings_) result.passings[name] += count;
  }

 private:
  void mount_and_work() {
    fs::MountOptions mount = options_of_simulation(6, options_.has_service);
    mount.journal.single_wait = options_.single_wait;
    auto opened = fs::Mounted::open(disk_, clock_, wall_clock_, mount);
    if (!opened) return refuse(opened.error());
    fs::Mounted& mounted = **opened;
    if (mounted.core().orphans->count() != 0) Simulation::fail("the mount left orphans");
    orphans_ = mounted.recovered_orphans().deleted + mounted.recovered_orphans().truncated;
    work(mounted);
    counters_ = mounted.core().journal->counters();
    if (disk_.is_off()) return;
    const auto closed = mounted.close();
    if (!closed) return refuse(closed.error());
    histories_.answer_all();
  }

  void work(fs::Mounted& mounted) {
    std::vector<std::unique_ptr<FolderWorker>> workers(histories_.count());
    {
      std::vector<Task> tasks;
      for (std::size_t i = 0; i < workers.size(); ++i) {
        tasks.push_back(Task::start("worker", [&, i] {
          workers[i] = std::make_unique<FolderWorker>(mounted, histories_, i);
          workers[i]->run(plan_.operations);
        }));
      }
    }
    for (const auto& worker : workers) tally_.add(worker->tally());
  }

  // Nothing but the end of the power is a reason.
  void refuse(const Error& why) const {
    if (!disk_.is_off()) Simulation::fail("mount or unmount: " + error_words(why));
  }

  const FsSceneOptions& options_;
  const LifePlan plan_;
  FolderHistories& histories_;
  Prng prng_;
  const SimulatedClock clock_;
  const ManualWallClock wall_clock_{fs::kTestTime};
  SimulatedDisk disk_;
  FirstFinding finding_;
  lab::TagJudge tag_;
  lab::OrderJudge order_;
  AimedCut aimed_;
  lab::SimulatedStream stream_;
  JournalCounters counters_;
  FolderTally tally_;
  std::uint64_t orphans_ = 0;
  std::map<std::string, std::uint64_t> passings_;
};

std::string judge_recovered(const Image& image, FolderHistories& histories) {
  const MemoryDevice device(image);
  const auto raw = Volume::open(device);
  if (!raw) return "recovery: " + error_words(raw.error());
  const JournalMap map = locate_journal(*raw).value();
  const auto plan = plan_recovery(device, map);
  if (!plan) return "recovery: " + error_words(plan.error());
  if (plan->end == RecoveryEnd::kRefused) {
    return "recovery refused: " + std::string(recovery_rule_name(plan->end_rule));
  }
  const bool has_log = plan->end != RecoveryEnd::kNothingToDo && !plan->transactions.empty();
  if (has_log && !raw->superblock().needs_recovery()) {
    return "recovery: there is a log, and nothing says so";
  }
  const RecoveredView view(device, map, *plan);
  const auto recovered = Volume::open(view);
  if (!recovered) return "recovered: " + error_words(recovered.error());
  const std::string wrong = histories.settle(*recovered);
  return wrong.empty() ? "" : "recovered: " + wrong;
}

// Every other cut is aimed.  Of the lives behind the first some are to end in their mount, where
// the one before them was cut.
LifePlan plan_life(const FsSceneOptions& options, unsigned life, Prng prng) {
  LifePlan plan{options.operations, {}, {}};
  if (life > 0 && prng.chance(1, 2)) {
    plan.operations = 4;
    plan.aim = draw_aim(kMountPoints, prng);
    return plan;
  }
  if (prng.chance(1, 2)) plan.aim = draw_aim(kWorkPoints, prng);
  if (prng.chance(3, 4)) plan.stops = kWorkPoints;
  return plan;
}

// Mounted by us and unmounted, outside of a simulation.
std::string judge_mounted(const Image& image, FolderHistories& histories, bool asks_e2fsck) {
  fs::TestMount mount(image);
  auto opened = fs::Mounted::open(mount.device, mount.clock, mount.wall_clock, mount.options);
  if (!opened) return "our mount: " + error_words(opened.error());
  const auto closed = (*opened)->close();
  if (!closed) return "our unmount: " + error_words(closed.error());
  opened->reset();
  const auto volume = Volume::open(mount.device);
  if (!volume) return "after our mount: " + error_words(volume.error());
  const std::string wrong = histories.settle(*volume);
  if (!wrong.empty()) return "after our mount: " + wrong;
  if (!asks_e2fsck) return "";
  const auto checked = fs::fsck_of(mount.device.bytes());
  return checked.status == 0 ? "" : "e2fsck -fn: " + checked.output;
}

Image with_folders(Image image, std::size_t count) {
  fs::TestMount mount(std::move(image));
  mount.mount();
  fs::Core& core = mount.core();
  const fs::NodeRef root = core.nodes->get(kRootInode).value();
  for (std::size_t i = 0; i < count; ++i) {
    const auto made =
        fs::make_directory(core, *root, "t" + std::to_string(i), {.permissions = 0755});
    CHECK(made.has_value(), "there is room for a folder");
  }
  mount.unmount();
  return {mount.device.bytes().begin(), mount.device.bytes().end()};
}

// The empty journal goes on with this transaction, in so much of its blocks.
void prepare_journal(Image& image, Tid tid, std::uint32_t log_blocks) {
  MemoryDevice device(image);
  const Volume volume = Volume::open(device).value();
  const JournalMap map = locate_journal(volume).value();
  const std::uint64_t at = map.device_block(LogBlock(0)).value() * map.block_bytes();
  const MutableBytes block = MutableBytes(image).subspan(at, map.block_bytes());
  JournalSuperblock superblock = JournalSuperblock::parse(block).value();
  superblock.sequence = tid;
  if (log_blocks != 0) superblock.log_block_count = log_blocks;
  superblock.encode(block);
}

}  // namespace

void FsSceneResult::add(const FsSceneResult& other) {
  tally.add(other.tally);
  steps += other.steps;
  events += other.events;
  commits += other.commits;
  checkpoints += other.checkpoints;
  revokes += other.revokes;
  cuts += other.cuts;
  orderly_ends += other.orderly_ends;
  recovered_orphans += other.recovered_orphans;
  waits_for_room += other.waits_for_room;
  for (const auto& [name, count] : other.passings) passings[name] += count;
}

std::vector<std::string> FsScene::aim_points() {
  std::vector<std::string> names;
  for (const AimPoint& point : kMountPoints) names.emplace_back(point.name);
  for (const AimPoint& point : kWorkPoints) names.emplace_back(point.name);
  return names;
}

FsScene::FsScene(const FsForm& form) {
  const E2fsImage made({.mke2fs = form.mke2fs, .size = form.size});
  if (!made.is_made()) return;
  Image image = made.bytes();
  prepare_journal(image, form.first_tid, form.log_blocks);
  image_ = with_folders(std::move(image), kTasks);
}

FsSceneResult FsScene::run(const FsSceneOptions& options) const {
  FsSceneResult result;
  FolderHistories histories(kTasks);
  Image image = image_;
  Prng prng(options.seed);
  for (unsigned life = 0; life < options.lives && result.finding.empty(); ++life) {
    std::unique_ptr<FsLife> lived;
    const Prng its_own = prng.child("life " + std::to_string(life));
    const LifePlan plan = plan_life(options, life, its_own.child("plan"));
    const auto at_point = [&](std::string_view name) {
      if (lived) lived->at_point(name);
    };
    const SimulationResult run =
        Simulation({.seed = prng.next(),
                    .strategy = options.strategy,
                    .pct_steps = 20'000,
                    .mutants = options.mutants,
                    .at_point = at_point})
            .run([&] {
              lived = std::make_unique<FsLife>(options, histories, std::move(image), plan, its_own);
              lived->run();
            });
    result.steps += run.steps;
    result.trace_hash ^= run.trace_hash;
    if (run.has_finding()) {
      result.finding = std::string(simulation_end_name(run.end)) + ": " + run.what;
      break;
    }
    lived->count(result);
    image = lived->image();
    result.finding = lived->finding();
    if (result.finding.empty()) result.finding = judge_recovered(image, histories);
    if (result.finding.empty()) {
      result.finding = judge_mounted(image, histories, options.asks_e2fsck);
    }
    if (!result.finding.empty())
      result.finding = "life " + std::to_string(life + 1) + ": " + result.finding;
  }
  return result;
}

}  // namespace powercut::testing
