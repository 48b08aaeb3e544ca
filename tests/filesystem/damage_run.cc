// One run: damage, operations, what is left judged.

#include "fs/operations.h"
#include "fs/path.h"
#include "tests/filesystem/damage_scene.h"
#include "tests/support/files.h"

namespace powercut::fs {
namespace {

constexpr int kOperationsOfARun = 60;

// Of an image that e2fsck has mended; several turns, since one may uncover what the next mends.
// Nothing if that is beyond it: of a directory without a block e2fsck 1.47 never mends the "..",
// and where a block of a tree has a wrong checksum it may end with an error of its own; a "." that
// is too long it splits anew in each turn.
std::vector<std::uint8_t> mended_by_e2fsck(const std::vector<std::uint8_t>& image) {
  constexpr int kTurns = 8;
  testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "image").string();
  testing::write_file(path, image);
  const std::string program = *testing::find_tool("e2fsck");
  testing::ShellOutcome outcome;
  for (int i = 0; i < kTurns; ++i) {
    outcome = testing::run_shell(program + " -fy " + path);
    if (outcome.status == 0) break;
  }
  for (const char* beyond : {"Couldn't fix parent", "e2fsck: aborted", "is big.\nSplit? yes"}) {
    if (outcome.output.find(beyond) != std::string::npos) return {};
  }
  expect(outcome.status == 0, "e2fsck -fy: " + outcome.output);
  return testing::read_file(path);
}

class DamageRun {
 public:
  DamageRun(const DamageScene& scene, const DamageCase& damage)
      : scene_(scene),
        damage_(damage),
        place_(scene.places(damage.part).at(damage.place)),
        random_(damage.seed),
        disk_(scene.image()) {
    disk_.options.nodes_max = 8;
  }

  DamageOutcome run() {
    const bool is_before = is_read_at_mount(damage_.part);
    if (is_before) put_damage();
    auto opened = Mounted::open(disk_.device, disk_.clock, disk_.wall_clock, disk_.options);
    if (!opened) return refused_at_mount(opened.error());
    disk_.mounted = std::move(*opened);
    DamageWatch watch(*disk_.mounted);
    if (!is_before) {
      // In some, what was in memory is dropped first, and read again.
      if (damage_.seed % 3 == 0) use_targets(watch, random_, kOperationsOfARun / 2);
      drop_memory();
      put_damage();
    }
    use_targets(watch, random_, kOperationsOfARun / 2);
    if (scene_.form().has_checksums) make_durable();
    use_targets(watch, random_, kOperationsOfARun / 2);
    DamageOutcome outcome{false, watch.refused_count(), watch.carried_out(),
                          disk_.core().damage->summary().count};
    const std::vector<std::uint8_t> image = end();
    outcome.noted += noted_by_recovery_;
    judge(outcome, image);
    return outcome;
  }

 private:
  void drop_memory() {
    expect(disk_.mounted->sync().has_value(), "a sync before the damage");
    expect(disk_.core().journal->checkpoint_all().has_value(), "a checkpoint before the damage");
    disk_.core().buffers->drop_clean();
  }

  // Only what leaves the bystanders what they are.
  void put_damage() {
    constexpr int kTries = 100;
    if (!is_read_at_mount(damage_.part) && disk_.mounted != nullptr &&
        disk_.core().buffers->holds(BlockNo(place_.at / scene_.block_bytes()))) {
      return;  // it is in memory, and stays so
    }
    const MutableBytes there = disk_.device.bytes().subspan(place_.at, place_.bytes);
    const std::vector<std::uint8_t> before(there.begin(), there.end());
    before_ = before;
    for (int i = 0; i < kTries; ++i) {
      damage_.damage(there, random_);
      if (!scene_.leads_to_bystander(place_, before, there)) return;
      copy_bytes(before, there);
    }
  }

  // What is said to be durable while there is damage.
  void make_durable() {
    Core& core = disk_.core();
    const auto folder = find_path(core, "/safe", LastSymlink::kKeep);
    expect(folder.has_value(), "the bystanders' folder");
    const auto file = make_file(core, **folder, "during", {});
    if (!file) return;
    durable_ = pattern(30'000, damage_.seed);
    const auto written = write_file(core, **file, 0, durable_);
    const auto synced = sync_file(core, **file, false);
    if (!written || *written != durable_.size() || !synced) durable_.clear();
  }

  // What is left of the disk: unmounted, or after a power cut that loses nothing that was written,
  // and its recovery.
  std::vector<std::uint8_t> end() {
    if (damage_.seed % 2 == 0) {
      const auto closed = disk_.mounted->close();
      expect(closed.has_value(), closed ? "" : "unmount: " + error_words(closed.error()));
      disk_.mounted.reset();
      return disk_.crashed();
    }
    expect(disk_.mounted->sync().has_value(), "the last sync");
    TestMount after(disk_.crashed());
    after.options.allows_errors = true;
    auto opened = Mounted::open(after.device, after.clock, after.wall_clock, after.options);
    expect(opened.has_value() || is_damage(opened.error()), "a mount that recovers");
    if (!opened) {
      was_recovered_ = false;
      return after.crashed();
    }
    after.mounted = std::move(*opened);
    noted_by_recovery_ = after.core().damage->summary().count;
    const auto closed = after.mounted->close();
    expect(closed.has_value(), closed ? "" : "unmount: " + error_words(closed.error()));
    return after.crashed();
  }

  void judge(const DamageOutcome& outcome, const std::vector<std::uint8_t>& image) {
    expect(outcome.noted >= outcome.refused, "what was refused was noted");
    if (was_recovered_) {
      expect_whole(image, "");
      expect_mark(image, outcome.noted);
    }
    if (!damage_.is_judged_by_e2fsck) return;
    const auto whole = mended_by_e2fsck(image);
    if (whole.empty()) return;
    expect_whole(whole, "after e2fsck: ");
    TestMount after(whole);
    const auto opened = Mounted::open(after.device, after.clock, after.wall_clock, after.options);
    expect(opened.has_value(), opened ? "" : "after e2fsck: " + error_words(opened.error()));
  }

  void expect_whole(const std::vector<std::uint8_t>& image, const std::string& when) const {
    const std::string broken = scene_.broken_bystander(image);
    expect(broken.empty(), when + broken);
    if (durable_.empty()) return;
    expect(content_of(image, "/safe/during") == durable_, when + "what was synced");
  }

  static void expect_mark(const std::vector<std::uint8_t>& image, std::uint64_t noted) {
    const MemoryDevice device(image);
    const auto volume = Volume::open(device);
    expect(volume.has_value(), "a volume");
    const Superblock& shape = volume->superblock();
    expect(shape.has(Ext4State::kErrors) == (noted != 0), "the mark of errors");
    expect(noted == 0 || (shape.error_count >= noted && !shape.last_error.function().empty()),
           "what the mark says of them: " + std::to_string(shape.error_count) + " of " +
               std::to_string(noted) + ", \"" + std::string(shape.last_error.function()) + "\"");
  }

  DamageOutcome refused_at_mount(const Error& why) {
    expect(is_damage(why) || why.code == Errc::kUnsupported || why.code == Errc::kReadOnly,
           "a mount refused: " + error_words(why));
    // e2fsck may have nothing to go by: as if the damage was mended by hand.
    copy_bytes(before_, disk_.device.bytes().subspan(place_.at, place_.bytes));
    const std::string broken = scene_.broken_bystander(mended_by_e2fsck(disk_.crashed()));
    expect(broken.empty(), "refused, then mended: " + broken);
    return {.was_refused_at_mount = true};
  }

  const DamageScene& scene_;
  const DamageCase& damage_;
  const Place place_;
  Prng random_;
  TestMount disk_;
  std::vector<std::uint8_t> before_;  // of the place
  std::vector<std::uint8_t> durable_;
  bool was_recovered_ = true;
  std::uint64_t noted_by_recovery_ = 0;
};

}  // namespace

DamageOutcome run_damaged(const DamageScene& scene, const DamageCase& damage) {
  return DamageRun(scene, damage).run();
}

}  // namespace powercut::fs
