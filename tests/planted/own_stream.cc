#include "tests/planted/own_stream.h"

#include <algorithm>

#include "base/check.h"
#include "block/simulated_disk.h"
#include "fs/operations.h"
#include "lab/check/structure_judge.h"
#include "lab/record/simulated_stream.h"
#include "tests/planted/survey.h"
#include "tests/support/mounted_image.h"
#include "tests/support/recording_observer.h"

namespace powercut::planted {
namespace {

constexpr int kRounds = 100;
constexpr int kFiles = 6;

void make_changes(fs::Mounted& mounted) {
  fs::Core& core = mounted.core();
  const fs::NodeRef root = core.nodes->get(kRootInode).value();
  Prng prng(11);
  for (int round = 0; round < kRounds; ++round) {
    const std::string name = "f" + std::to_string(prng.below(kFiles));
    const std::string beside = name + ".new";
    const fs::NodeRef node = fs::make_file(core, *root, beside, {}).value();
    const auto bytes = fs::pattern(4096 * (1 + prng.below(6)), prng.next());
    fs::write_file(core, *node, 0, bytes).value();
    if (round % 2 == 0) fs::sync_file(core, *node, false).value();
    fs::rename(core, {*root, beside}, {*root, name}, fs::RenameHow::kReplace).value();
    if (round % 3 == 0) fs::truncate_file(core, node, prng.below(8192)).value();
    if (round % 5 == 0) fs::remove_file(core, *root, name).value();
    mounted.sync().value();
  }
}

std::vector<std::uint8_t> image_of(lab::BlockStream& stream,
                                   const std::vector<lab::ContentId>& contents) {
  std::vector<std::uint8_t> image;
  image.reserve(contents.size() * stream.pool().block_bytes());
  for (const lab::ContentId content : contents) {
    const Bytes bytes = stream.pool().bytes(content);
    image.insert(image.end(), bytes.begin(), bytes.end());
  }
  return image;
}

void mount_state(std::vector<std::uint8_t> image, OwnStates& states) {
  fs::TestMount mount(std::move(image));
  const auto opened = fs::Mounted::open(mount.device, mount.clock, mount.wall_clock, mount.options);
  states.is_mounted = opened.has_value();
  states.mount = opened ? "mounted" : error_words(opened.error());
  if (!opened) return;
  const auto closed = (*opened)->close();
  const auto checked = closed ? fs::fsck_of(mount.device.bytes()) : testing::ShellOutcome{};
  states.mount += checked.status == 0 ? ", e2fsck -fn clean" : ", e2fsck -fn finds it";
}

}  // namespace

const lab::Recording& own_stream() {
  static const lab::Recording kStream = [] {
    if (!testing::find_tool("mke2fs")) return lab::Recording{};
    const auto image = fs::TestMount::image_of("-b 4096 -J size=4 -N 64", "16M");
    const SteadyClock clock;
    const ManualWallClock wall_clock(fs::kTestTime);
    testing::RecordingObserver recorder(image);
    lab::SimulatedStream stream(clock, {&recorder});
    SimulatedDisk disk(image, {}, &stream);
    const auto mounted =
        fs::Mounted::open(disk, clock, wall_clock, testing::options_without_service()).value();
    make_changes(*mounted);
    mounted->close().value();
    return recorder.take();
  }();
  return kStream;
}

Unforced own_stream_with_unforced_commit() {
  Unforced unforced;
  unforced.recording.disk_bytes = own_stream().disk_bytes;
  unforced.recording.events = own_stream().events;
  const Survey survey = survey_of(own_stream());
  const std::size_t third = survey.transactions.size() / 3;
  unforced.sequence = survey.transactions.at(third + 1).first_sequence;
  for (lab::RecordedEvent& event : unforced.recording.events) {
    if (event.kind != lab::EventKind::kSubmitted) continue;
    if (event.sequence != survey.transactions[third].commit_sequence) continue;
    event.durability = Durability::kCached;
  }
  return unforced;
}

OwnStates look_at_own_states(const lab::Recording& recording) {
  const Survey survey = survey_of(own_stream());
  auto stream =
      lab::BlockStream::make(recording, survey.map->block_bytes(), std::uint64_t{1} << 30).value();
  lab::StructureJudge structure;
  const SteadyClock clock;
  lab::ExplorerOptions options;
  options.states_max = 5000;
  lab::Explorer explorer(stream, *survey.map, {&structure}, clock, options);
  OwnStates states;
  const auto explored = explorer.run([](const lab::ExplorerCounts&) { return true; });
  CHECK(explored.has_value(), "our recovery is the same both ways");
  states.judged = explorer.counts().judged;
  states.bad = explorer.counts().bad;
  std::optional<lab::StateId> state;
  for (const lab::GroupedFinding& group : explorer.findings()) {
    states.rules += (states.rules.empty() ? "" : "; ") +
                    std::string(lab::judge_name(group.finding.judge)) + " " + group.finding.rule;
    if (!state || group.finding.rule == "recovery-refused") state = group.first;
  }
  if (!state) {
    const auto bases =
        std::ranges::count(recording.events, lab::EventKind::kBase, &lab::RecordedEvent::kind);
    const std::uint64_t end = recording.events.size() - static_cast<std::uint64_t>(bases);
    state = lab::StateId{end, "all"};
  }
  lab::Explorer one(stream, *survey.map, {}, clock, options);
  const auto contents = one.contents_of(*state);
  if (contents) mount_state(image_of(stream, *contents), states);
  if (!contents) states.mount = error_words(contents.error());
  return states;
}

}  // namespace powercut::planted
