#include "tests/simulation/journal_scene.h"

#include "base/check.h"
#include "base/stored_int.h"
#include "base/task.h"
#include "base/wall_clock.h"
#include "buffer/buffer_cache.h"
#include "journal/journal.h"
#include "lab/check/order_judge.h"
#include "lab/record/simulated_stream.h"
#include "lab/verify/tag_judge.h"
#include "reader/volume.h"
#include "recovery/recovery.h"
#include "tests/simulation/first_finding.h"
#include "tests/support/e2fs_image.h"

namespace powercut::testing {
namespace {

constexpr std::uint32_t kBlockBytes = 1024;
constexpr std::uint64_t kFirstBlock = 2900;  // free in the file system, as are those behind it

struct Writer {
  std::uint64_t begun = 0;
  std::uint64_t durable = 0;
};

BlockNo block_of(std::size_t writer, std::uint64_t which) {
  return BlockNo(kFirstBlock + writer * 2 + which);
}

void put_number(Handle& handle, BufferCache& cache, BlockNo block, std::uint64_t number) {
  const auto buffer = cache.get_unread(block);
  CHECK(buffer.has_value(), "a buffer without reading");
  handle.replace(*buffer, [&] {
    std::vector<std::uint8_t> bytes(kBlockBytes);
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      store(MutableBytes(bytes), at, Le64(number));
    }
    return Content::copy_of(bytes);
  }());
}

// Until all rounds are done, or the journal stopped.
void write_rounds(Journal& journal, BufferCache& cache, std::size_t number, int rounds,
                  Writer& writer) {
  for (int round = 0; round < rounds; ++round) {
    Tid tid;
    {
      Result<Handle> handle = journal.start(Credits(2));
      if (!handle) return;
      ++writer.begun;
      for (std::uint64_t which : {0u, 1u}) {
        put_number(*handle, cache, block_of(number, which), writer.begun);
      }
      tid = handle->tid();
    }
    const std::uint64_t mine = writer.begun;
    const std::uint64_t what = Simulation::random().below(4);
    if (what == 0) Simulation::sleep_for(std::chrono::seconds(1));
    if (what == 1) continue;
    if (!journal.wait_durable(tid)) return;
    writer.durable = mine;
  }
}

JournalPlace place_in(BlockDevice& device) {
  const Volume volume = Volume::open(device).value();
  JournalMap map = locate_journal(volume).value();
  std::vector<std::uint8_t> block(kBlockBytes);
  CHECK(device.read(map.device_block(LogBlock(0)).value() * kBlockBytes, block).has_value(),
        "the journal's superblock can be read");
  const JournalSuperblock superblock = JournalSuperblock::parse(block).value();
  return {.device = &device,
          .map = std::move(map),
          .superblock = superblock,
          .has_checksums = true,
          .first_tid = superblock.sequence};
}

void simulate(BlockDevice& device, const SceneOptions& options, std::vector<Writer>& writers) {
  const SimulatedClock clock;
  const ManualWallClock wall_clock(std::chrono::seconds(1'700'000'000));
  BufferCache cache(device, kBlockBytes, 1000);
  auto place = place_in(device);
  auto opened = Journal::open(std::move(place), clock, wall_clock, nullptr,
                              {.has_service = options.has_service});
  if (!opened) return;  // the power went before
  Journal& journal = **opened;
  {
    std::vector<Task> tasks;
    for (std::size_t i = 0; i < writers.size(); ++i) {
      tasks.push_back(Task::start(
          "writer", [&, i] { write_rounds(journal, cache, i, options.rounds, writers[i]); }));
    }
  }
  ignore_error(journal.close(), "the power may be off");
}

// What is wrong with what a recovery of `image` brings back; empty if nothing is.
std::string judge_recovered(const std::vector<std::uint8_t>& image,
                            const std::vector<Writer>& writers) {
  const MemoryDevice device(image);
  const JournalMap map = locate_journal(Volume::open(device).value()).value();
  const RecoveryPlan plan = plan_recovery(device, map).value();
  const RecoveredView view(device, map, plan);
  for (std::size_t i = 0; i < writers.size(); ++i) {
    std::array<std::uint64_t, 2> found{};  // in each of its blocks
    for (const std::uint64_t which : {0u, 1u}) {
      std::vector<std::uint8_t> bytes(kBlockBytes);
      CHECK(view.read(block_of(i, which).value() * kBlockBytes, bytes).has_value(), "is readable");
      found[which] = load<Le64>(bytes, 0).value();
      for (std::size_t at = 0; at < bytes.size(); at += 8) {
        const std::uint64_t number = load<Le64>(bytes, at).value();
        if (number != found[which]) return "recovered: half a block";
      }
    }
    const std::string numbers = std::to_string(found[0]) + " and " + std::to_string(found[1]) +
                                ", durable " + std::to_string(writers[i].durable) + ", begun " +
                                std::to_string(writers[i].begun);
    if (found[0] != found[1]) return "recovered: half an operation: " + numbers;
    if (found[0] < writers[i].durable) return "recovered: what was durable is lost: " + numbers;
    if (found[0] > writers[i].begun) return "recovered: what was never written: " + numbers;
  }
  return "";
}

}  // namespace

JournalScene::JournalScene() {
  const E2fsImage made({.mke2fs = "-b 1024 -J size=1 -O metadata_csum,64bit", .size = "3M"});
  if (!made.is_made()) return;
  // What a mount says first: the file system needs a recovery.
  made.debugfs("feature needs_recovery", true);
  image_ = made.bytes();
}

// Everything is made anew in each run, so that every strategy can repeat it.
void JournalScene::play_once(const SceneOptions& options, SceneResult& result) const {
  Prng prng = Simulation::random().child("scene");
  SimulatedDisk::Options disk_options{.seed = prng.next()};
  if (options.crash_events > 0) disk_options.crash_at_event = 1 + prng.below(options.crash_events);
  if (options.tears && prng.chance(1, 3)) disk_options.atomic_bytes = 512;
  SimulatedDisk disk(image_, disk_options);
  const SimulatedClock clock;
  FirstFinding finding;
  lab::TagJudge tag(disk.content(), clock, finding, {.measures_time = false});
  lab::OrderJudge order(disk.content(), finding);
  lab::SimulatedStream stream(clock, {&tag, &order});
  disk.observe(&stream);
  std::vector<Writer> writers(static_cast<std::size_t>(options.writers));
  const std::unique_ptr<BlockDevice> between =
      options.decorator ? options.decorator(disk) : nullptr;
  simulate(between ? *between : disk, options, writers);
  tag.finish(clock.now());
  order.finish();
  result.event_count = disk.event_count();
  result.commit_count += tag.counters().commit_count;
  result.transaction_count += order.counters().transaction_count;
  result.crash_count += disk.is_off() ? 1 : 0;
  result.finding = finding.words();
  if (result.finding.empty()) {
    const auto image = disk.is_off() ? *disk.crash_image() : disk.crash(prng);
    result.finding = judge_recovered(image, writers);
  }
  if (!result.finding.empty()) Simulation::fail(result.finding);
}

SceneResult JournalScene::play(const SceneOptions& options) const {
  SceneResult result;
  const Simulation simulation(options.simulation);
  const auto body = [&] { play_once(options, result); };
  result.simulation = options.seed_count > 1 ? simulation.run_seeds(options.seed_count, body)
                                             : simulation.run(body);
  return result;
}

}  // namespace powercut::testing
