// A litmus for the journal, in simulations: tasks change blocks that belong together, the power
// goes at some event, and what a recovery finds must be a prefix of what was done.  And the
// mistakes on purpose, each of which must be found.
//
// Words
//   step      one handle: it changes the two blocks of its task, the block that all share, and
//             gives up or uses again one of a few others
//   history   all steps in the order in which they changed the shared block, which counts them
//   answer    a task knows that its step is durable
//
// What must hold after a recovery, of whatever image the disk may leave: with the count in the
// shared block, every block is as the history up to there says, and all answered steps are in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>

#include "base/simulation.h"
#include "base/stored_int.h"
#include "block/simulated_disk.h"
#include "buffer/buffer_cache.h"
#include "journal/journal.h"
#include "recovery/recovery.h"
#include "tests/support/long_form.h"

namespace powercut {
namespace {

constexpr std::uint32_t kBlockBytes = 1024;
constexpr std::uint32_t kHomeBlocks = 64;
constexpr std::uint32_t kLogBlocks = 100;
constexpr BlockNo kShared{5};
constexpr std::uint64_t kFirstOfA = 10, kFirstOfB = 20, kFirstReused = 40, kReusedCount = 3;
constexpr int kMarkAt = 16;  // where a block's number is; what is before may be the magic

using Image = std::vector<std::uint8_t>;

struct LitmusOptions {
  std::uint64_t seed = 1;  // of the crash, of the steps
  SearchStrategy strategy = SearchStrategy::kRandom;
  std::vector<std::string> mutants = {};
  unsigned tasks = 3, steps = 12;    // steps of each task
  std::uint64_t crash_events = 400;  // the power goes at one of so many events of the disk
  unsigned lives = 2;                // after a crash recovered and gone on with, so often in all
  std::uint32_t atomic_bytes = 4096;
  // Without it the log is written full, again and again, before anything goes home.
  bool has_service = true;
  bool gathers = true;
  bool single_wait = false;
  // The power goes right behind a write of the journal's superblock, of which there are few.
  bool aims_at_tail = false;
};

struct LitmusResult {
  std::string finding;  // empty: all held
  std::uint64_t steps = 0, commits = 0, checkpoints = 0, crashes = 0, events = 0;
  std::uint64_t trace_hash = 0;
};

JournalMap log_map() {
  return JournalMap::make({{LogBlock(0), BlockNo(kHomeBlocks), kLogBlocks}}, kBlockBytes,
                          kHomeBlocks + kLogBlocks, kHomeBlocks)
      .value();
}

Image new_image() {
  Image image((kHomeBlocks + kLogBlocks) * kBlockBytes);
  JournalSuperblock superblock;
  superblock.block_bytes = kBlockBytes;
  superblock.log_block_count = kLogBlocks;
  superblock.first = LogBlock(1);
  superblock.sequence = Tid(0xFFFF'FFF0);
  superblock.uuid = {9, 8, 7};
  superblock.encode(MutableBytes(image).subspan(kHomeBlocks * kBlockBytes, kBlockBytes));
  return image;
}

std::uint64_t mark_of(Bytes block) {
  return std::uint64_t{*load<Le64>(block, kMarkAt)};
}

// A block that says `mark`; every third looks like a journal block.
void fill(MutableBytes block, std::uint64_t mark) {
  std::ranges::fill(block, std::uint8_t{0});
  if (mark % 3 == 0) store(block, 0, Be32(kJournalMagic));
  store(block, kMarkAt, Le64(mark));
  store(block, block.size() - 8, Le64(mark));
}

// As fill() makes it, or never written.
bool is_whole(Bytes block) {
  Image expected(block.size());
  if (mark_of(block) != 0) fill(expected, mark_of(block));
  return std::ranges::equal(block, expected);
}

struct Step {
  unsigned task = 0;
  std::uint64_t number = 0;  // of the task, from 1
  std::uint64_t reused = 0;  // which of the blocks that are given up and used again
  bool gives_up = false;
};

struct World {
  std::vector<Step> history;            // over all lives
  std::vector<std::uint64_t> answered;  // by task: the newest step known to be durable
  std::vector<std::uint64_t> done;      // by task
};

// At which events of a disk its journal's superblock was written.
class TailWatch final : public BlockObserver {
 public:
  explicit TailWatch(const SimulatedDisk& disk) : disk_(disk) {}
  void on_submitted(const BlockRequest&) override {}
  void on_completed(const BlockRequest& request) override {
    const bool is_superblock =
        request.kind == BlockRequestKind::kWrite && request.offset == kHomeBlocks * kBlockBytes;
    if (is_superblock) events.push_back(disk_.event_count());
  }

  std::vector<std::uint64_t> events;

 private:
  const SimulatedDisk& disk_;
};

// What one life of the file system is: a journal on a disk, its tasks, and the end of the power.
class Life {
 public:
  Life(const LitmusOptions& options, World& world, Image image, Tid first_tid,
       std::uint64_t crash_at, std::uint64_t seed)
      : options_(options),
        world_(world),
        first_tid_(first_tid),
        disk_(std::move(image),
              {.atomic_bytes = options.atomic_bytes, .crash_at_event = crash_at, .seed = seed}),
        cache_(disk_, kBlockBytes, 1000) {
    disk_.observe(&tail_watch_);
  }

  void run() {
    const auto block = cache_.get(BlockNo(kHomeBlocks));
    if (!block) return;
    JournalPlace place{&disk_, log_map(),
                       JournalSuperblock::parse((*block)->snapshot().bytes()).value(),
                       !options_.single_wait, first_tid_};
    JournalOptions journal_options;
    journal_options.commit_interval = std::chrono::milliseconds(20);
    journal_options.verify_before_write = true;
    journal_options.has_service = options_.has_service;
    journal_options.gathers = options_.gathers;
    journal_options.single_wait = options_.single_wait;
    auto opened = Journal::open(std::move(place), clock_, wall_clock_, nullptr, journal_options);
    if (!opened) return;
    journal_ = std::move(*opened);
    std::vector<Task> tasks;
    for (unsigned t = 0; t < options_.tasks; ++t) {
      tasks.push_back(Task::start("storer", [this, t] { store_steps(t); }));
    }
    if (journal_options.has_service) {
      tasks.push_back(Task::start("checkpoint", [this] { checkpoint_sometimes(); }));
    }
    for (Task& task : tasks) task.join();
    counters = journal_->counters();
    journal_.reset();
  }

  Image image_after(std::uint64_t seed) const {
    if (disk_.crash_image()) return *disk_.crash_image();
    Prng prng(seed);
    return disk_.crash(prng);
  }
  std::uint64_t events() const { return disk_.event_count(); }
  const std::vector<std::uint64_t>& tail_events() const { return tail_watch_.events; }

  JournalCounters counters;

 private:
  void store_steps(unsigned task) {
    Prng& random = Simulation::random();
    for (unsigned i = 0; i < options_.steps; ++i) {
      const std::optional<Tid> tid = one_step(task, random);
      if (!tid) return;
      if (!random.chance(1, 3)) continue;
      const std::uint64_t number = world_.done[task];
      if (!journal_->wait_durable(*tid)) return;
      world_.answered[task] = std::max(world_.answered[task], number);
    }
  }

  std::optional<Tid> one_step(unsigned task, Prng& random) {
    Step step{task, world_.done[task] + 1, random.below(kReusedCount), random.chance(1, 3)};
    std::array<BufferRef, 4> buffers;
    const std::array<BlockNo, 4> blocks = {kShared, BlockNo(kFirstOfA + task),
                                           BlockNo(kFirstOfB + task),
                                           BlockNo(kFirstReused + step.reused)};
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      auto buffer = cache_.get(blocks[i]);
      if (!buffer) return std::nullopt;
      buffers[i] = std::move(*buffer);
    }
    auto handle = journal_->start(Credits(4));
    if (!handle) return std::nullopt;
    handle->change(buffers[1], [&](MutableBytes bytes) { fill(bytes, step.number); });
    std::uint64_t place = 0;
    handle->change(buffers[0], [&](MutableBytes bytes) {
      world_.history.push_back(step);
      place = world_.history.size();
      store(bytes, kMarkAt, Le64(place));
    });
    reuse(*handle, buffers[3], step, place);
    handle->change(buffers[2], [&](MutableBytes bytes) { fill(bytes, step.number); });
    world_.done[task] = step.number;
    return handle->tid();
  }

  // Two tasks may be between their place in the history and here, so the newer place counts.  One
  // at a time, as an allocator would have it.
  void reuse(Handle& handle, const BufferRef& buffer, const Step& step, std::uint64_t place) {
    Lock lock(reuse_mutex_);
    std::uint64_t& newest = newest_place_[step.reused];
    if (newest > place) {
      world_.history[place - 1].reused = kReusedCount;  // of no consequence
      return;
    }
    newest = place;
    if (step.gives_up) {
      handle.forget(buffer);
      return;
    }
    Content content = Content::zeroes(kBlockBytes);
    fill(content.mutable_bytes(), place);
    handle.replace(buffer, std::move(content));
  }

  void checkpoint_sometimes() {
    for (int i = 0; i < 3; ++i) {
      Simulation::sleep_for(std::chrono::milliseconds(1 + Simulation::random().below(30)));
      if (!journal_->checkpoint_all()) return;
    }
  }

  const LitmusOptions& options_;
  World& world_;
  const Tid first_tid_;
  SimulatedClock clock_;
  ManualWallClock wall_clock_{std::chrono::seconds(1'700'000'000)};
  SimulatedDisk disk_;
  TailWatch tail_watch_{disk_};
  BufferCache cache_;
  std::unique_ptr<Journal> journal_;
  Mutex reuse_mutex_{LockRank::kGroup};
  std::array<std::uint64_t, kReusedCount> newest_place_ GUARDED_BY(reuse_mutex_){};
};

struct Recovered {
  Image image;
  Tid next_tid;
  std::string finding;
};

// The tid beyond all that lie in the ring.
Tid beyond_ring(const Image& image, Tid next) {
  for (std::uint32_t log = 1; log < kLogBlocks; ++log) {
    const Bytes block = Bytes(image).subspan((kHomeBlocks + log) * kBlockBytes, kBlockBytes);
    const auto header = parse_journal_header(block);
    if (header && !header->tid.comes_before(next) && header->tid.since(next) < 1000) {
      next = header->tid.next();
    }
  }
  return next;
}

Recovered recover(Image image) {
  MemoryDevice device(std::move(image));
  const JournalMap map = log_map();
  const auto plan = plan_recovery(device, map);
  if (!plan) return {{}, {}, "recovery: " + error_words(plan.error())};
  if (plan->end == RecoveryEnd::kRefused) {
    return {{}, {}, "refused: " + std::string(recovery_rule_name(plan->end_rule))};
  }
  if (!apply_recovery(*plan, device, map, device))
    return {{}, {}, "recovery: could not be applied"};
  Image after(device.bytes().begin(), device.bytes().end());
  const Tid next = beyond_ring(after, plan->next_tid);
  return {std::move(after), next, ""};
}

// Empty if the image is a prefix of the history with all answers in it.
std::string judge(const Image& image, World& world) {
  const auto mark = [&](BlockNo block) {
    return mark_of(Bytes(image).subspan(block.value() * kBlockBytes, kBlockBytes));
  };
  const std::uint64_t count = mark(kShared);
  if (count > world.history.size()) return "a count that nobody made";
  std::vector<std::uint64_t> numbers(world.done.size());
  std::array<std::optional<std::uint64_t>, kReusedCount> reused{};
  for (std::uint64_t i = 0; i < count; ++i) {
    const Step& step = world.history[i];
    numbers[step.task] = step.number;
    if (step.reused == kReusedCount) continue;
    reused[step.reused] = step.gives_up ? std::nullopt : std::optional(i + 1);
  }
  for (std::uint64_t block = kFirstOfA; block < kFirstReused + kReusedCount; ++block) {
    // One that was given up may be torn: it is free.
    if (block >= kFirstReused && !reused[block - kFirstReused]) continue;
    if (!is_whole(Bytes(image).subspan(block * kBlockBytes, kBlockBytes))) {
      return "block " + std::to_string(block) + " is not as it was written";
    }
  }
  for (std::size_t t = 0; t < numbers.size(); ++t) {
    const std::uint64_t a = mark(BlockNo(kFirstOfA + t)), b = mark(BlockNo(kFirstOfB + t));
    const std::string who = "task " + std::to_string(t) + ": ";
    if (a != numbers[t] || b != numbers[t]) {
      return who + "blocks say " + std::to_string(a) + " and " + std::to_string(b) + ", not " +
             std::to_string(numbers[t]);
    }
    if (numbers[t] < world.answered[t]) {
      return who + "step " + std::to_string(world.answered[t]) + " was answered and is lost";
    }
  }
  for (std::uint64_t r = 0; r < kReusedCount; ++r) {
    if (reused[r] && mark(BlockNo(kFirstReused + r)) != *reused[r]) {
      return "a block that is used again says " + std::to_string(mark(BlockNo(kFirstReused + r))) +
             ", not " + std::to_string(*reused[r]);
    }
  }
  // What was not made durable is gone; the next life goes on from here.
  world.history.resize(count);
  world.done = numbers;
  return "";
}

struct Lived {
  std::unique_ptr<Life> life;
  SimulationResult run;
};

Lived live(const LitmusOptions& options, World& world, const Image& image, Tid first_tid,
           std::uint64_t crash_at, std::uint64_t seed) {
  Lived lived;
  lived.run =
      Simulation({.seed = seed, .strategy = options.strategy, .mutants = options.mutants}).run([&] {
        lived.life = std::make_unique<Life>(options, world, image, first_tid, crash_at, seed);
        lived.life->run();
      });
  return lived;
}

// Its tasks were left where they were, with what they hold.
void leave(std::unique_ptr<Life> life) {
  static auto* const left = new std::vector<std::unique_ptr<Life>>;
  left->push_back(std::move(life));
}

// The event of the cut: lived once without one, the same life has its events at the same places.
std::uint64_t choose_cut(const LitmusOptions& options, const World& world, const Image& image,
                         Tid first_tid, std::uint64_t seed, Prng& prng) {
  constexpr std::uint64_t kNear = 10;
  if (options.aims_at_tail) {
    World unharmed = world;
    Lived lived = live(options, unharmed, image, first_tid, 0, seed);
    const std::vector<std::uint64_t> events = lived.life->tail_events();
    if (lived.run.has_finding()) leave(std::move(lived.life));
    if (!events.empty()) return events[prng.below(events.size())] + prng.below(kNear);
  }
  return 1 + prng.below(options.crash_events);
}

LitmusResult litmus(const LitmusOptions& options) {
  LitmusResult result;
  World world;
  world.done.resize(options.tasks);
  world.answered.resize(options.tasks);
  Image image = new_image();
  Tid first_tid(0xFFFF'FFF0);
  Prng prng(options.seed);
  for (unsigned life = 0; life < options.lives && result.finding.empty(); ++life) {
    const std::uint64_t seed = prng.next();
    const std::uint64_t crash_at = choose_cut(options, world, image, first_tid, seed, prng);
    Lived lived_now = live(options, world, image, first_tid, crash_at, seed);
    const SimulationResult& run = lived_now.run;
    std::unique_ptr<Life>& lived = lived_now.life;
    result.steps += run.steps;
    result.trace_hash ^= run.trace_hash;
    if (run.has_finding()) {
      result.finding = std::string(simulation_end_name(run.end)) + ": " + run.what;
      leave(std::move(lived));
      break;
    }
    result.commits += lived->counters.commits;
    result.checkpoints += lived->counters.checkpoints;
    result.events += lived->events();
    ++result.crashes;
    Recovered recovered = recover(lived->image_after(seed));
    result.finding = recovered.finding.empty() ? judge(recovered.image, world) : recovered.finding;
    image = std::move(recovered.image);
    first_tid = recovered.next_tid;
  }
  return result;
}

// Every third seed fills the log; every fourth lets commits gather.
LitmusOptions options_of(std::uint64_t seed, std::vector<std::string> mutants = {}) {
  LitmusOptions options;
  options.seed = seed;
  options.strategy = seed % 2 == 0 ? SearchStrategy::kPct : SearchStrategy::kRandom;
  options.mutants = std::move(mutants);
  options.gathers = seed % 4 == 0;
  if (seed % 3 != 0) return options;
  options.has_service = false;
  options.steps = 40;
  options.crash_events = 1500;
  options.aims_at_tail = seed % 2 == 0;
  return options;
}

std::string with_seed(const LitmusOptions& options, const LitmusResult& result) {
  return "seed " + std::to_string(options.seed) + ": " + result.finding;
}

class JournalLitmus : public ::testing::TestWithParam<bool> {};

TEST_P(JournalLitmus, EveryCrashLeavesAPrefixWithAllThatWasAnswered) {
  LitmusResult sum;
  const std::uint64_t seeds = testing::is_long_form() ? 1000 : 100;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    LitmusOptions options = options_of(seed);
    options.single_wait = GetParam();
    options.atomic_bytes = seed % 2 == 0 ? 512 : 4096;
    const LitmusResult result = litmus(options);
    ASSERT_EQ(result.finding, "") << with_seed(options, result);
    sum.commits += result.commits;
    sum.checkpoints += result.checkpoints;
    sum.steps += result.steps;
  }
  std::printf("%llu seeds: %llu steps of the scheduler, %llu commits, %llu checkpoints\n",
              static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(sum.steps),
              static_cast<unsigned long long>(sum.commits),
              static_cast<unsigned long long>(sum.checkpoints));
  EXPECT_GT(sum.commits, 3 * seeds);
  EXPECT_GT(sum.checkpoints, seeds / 2);
}

INSTANTIATE_TEST_SUITE_P(Of, JournalLitmus, ::testing::Bool(), [](const auto& each) {
  return std::string(each.param ? "SingleWait" : "TwoWaits");
});

TEST(JournalLitmusSeeds, GiveTheSameRunAgain) {
  const LitmusOptions options{.seed = 77};
  EXPECT_EQ(litmus(options).trace_hash, litmus(options).trace_hash);
}

#ifdef POWERCUT_MUTANTS
struct Mistake {
  const char* name;
  bool single_wait = false;
};

class JournalMutants : public ::testing::TestWithParam<Mistake> {};

TEST_P(JournalMutants, IsFound) {
  constexpr std::uint64_t kSeedsMax = 20'000;
  for (std::uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    LitmusOptions options = options_of(seed, {GetParam().name});
    options.single_wait = GetParam().single_wait;
    const LitmusResult result = litmus(options);
    if (result.finding.empty()) continue;
    std::printf("%s: %s\n", GetParam().name, with_seed(options, result).substr(0, 160).c_str());
    return;
  }
  FAIL() << "not found with " << kSeedsMax << " seeds";
}

INSTANTIATE_TEST_SUITE_P(
    All, JournalMutants,
    ::testing::Values(Mistake{"journal.cut.no_wait"}, Mistake{"journal.flush.skip"},
                      Mistake{"journal.commit.cached"}, Mistake{"journal.ack.early"},
                      Mistake{"journal.revoke.keep"}, Mistake{"journal.forget.early"},
                      Mistake{"log.escape.unmarked"}, Mistake{"buffer.freeze.skip"},
                      Mistake{"buffer.home.older"}, Mistake{"checkpoint.flush.skip"},
                      Mistake{"checkpoint.tail.cached"}, Mistake{"checkpoint.home.live"},
                      Mistake{"journal.commit.cached", true}, Mistake{"log.sum.part", true},
                      Mistake{"journal.tid_zero.once", true}),
    [](const auto& each) {
      std::string name = each.param.name;
      std::ranges::replace(name, '.', '_');
      return name + (each.param.single_wait ? "_single_wait" : "");
    });
#endif

}  // namespace
}  // namespace powercut
