// How fast the structure judge begins with an image, and follows one changed block of each role.
//
//   structure_bench
//
// The image has 2,000 files in 64 MiB.  debugfs makes another time of it; a block of each role that
// differs between the two goes there and back, with a settle each way.  Medians are printed.  The
// do-nothing baseline is a settle without a change.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "block/memory_device.h"
#include "lab/check/structure_test_support.h"
#include "reader/volume.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/raw_ext4.h"

namespace {

using namespace powercut;
using namespace powercut::lab;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kBlockBytes = 4096;
constexpr int kTurns = 2001;

double nanoseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

// Every block of a directory or file, by what it holds.
class Roles {
 public:
  explicit Roles(const std::vector<std::uint8_t>& bytes) : device_(bytes) {
    const auto volume = Volume::open(device_).value();
    const auto group = volume.group(0).value();
    note("superblock", BlockNo(0));
    note("group descriptors", BlockNo(1));
    note("block bitmap", group.block_bitmap);
    note("inode bitmap", group.inode_bitmap);
    for (std::uint32_t i = 0; i < volume.superblock().inode_table_blocks(); ++i) {
      note("inode table", group.inode_table + i);
    }
    const auto visited = volume.for_each_inode([&](InodeNo number, const Inode& inode) {
      const bool is_directory = inode.is(InodeType::kDirectory);
      const auto walked = volume.for_each_run(
          number, inode,
          [&](const FileRun& run) {
            for (std::uint64_t i = 0; i < run.count; ++i) {
              note(is_directory ? "directory" : "file data", run.device + i);
            }
            return true;
          },
          [&](BlockNo block) {
            note("extent node", block);
            return true;
          });
      return walked.has_value();
    });
    CHECK(visited, "an image that can be read");
  }
  const std::vector<std::pair<std::string, BlockNo>>& blocks() const { return blocks_; }

 private:
  void note(const std::string& role, BlockNo block) { blocks_.emplace_back(role, block); }

  MemoryDevice device_;
  std::vector<std::pair<std::string, BlockNo>> blocks_;
};

std::string commands() {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    const std::string filler(static_cast<std::size_t>(i * 10) % 40, 'x');
    text += fmt::format("rm many/name-{}{}\n", i * 10, filler);
  }
  return text + "punch sparse 100 130\nwrite /proc/version new\n";
}

class Bench {
 public:
  Bench() : pool_(kBlockBytes, std::uint64_t{1} << 32) {
    const testing::TemporaryFolder folder;
    testing::make_tree(folder.path() / "tree", 2000);
    const testing::E2fsImage made(
        {.mke2fs = "-b 4096", .size = "64M", .tree = (folder.path() / "tree").string()});
    CHECK(made.is_made(), "mke2fs is needed");
    made.fsck("-fyD");
    const auto bytes = made.bytes();
    first_ = structure_testing::contents_of(pool_, bytes);
    roles_ = Roles(bytes).blocks();
    made.debugfs(commands(), true);
    second_ = structure_testing::contents_of(pool_, made.bytes());
  }

  void begin() {
    std::vector<double> times;
    const StateImage image(pool_, first_);
    for (int i = 0; i < 21; ++i) {
      const auto start = Clock::now();
      StructureJudge judge;
      judge.begin(image);
      CHECK(judge.settle(), "a good image");
      times.push_back(nanoseconds_since(start));
    }
    fmt::print("begin, 2,000 files in 64 MiB: {:.2f} ms\n", median(times) / 1e6);
  }

  void follow() {
    StateImage image(pool_, first_);
    StructureJudge judge;
    judge.begin(image);
    std::vector<double> nothing;
    for (int i = 0; i < kTurns; ++i)
      nothing.push_back(timed([&] { CHECK(judge.settle(), "good"); }));
    fmt::print("settle without a change: {:.0f} ns\n", median(nothing));
    std::string done;
    for (const auto& [role, block] : roles_) {
      const bool is_new = done.find(role + ",") == std::string::npos;
      if (!is_new || first_[block.value()] == second_[block.value()]) continue;
      done += role + ",";
      one_block(image, judge, role, block);
    }
    all_blocks(image, judge);
  }

 private:
  template <class Work>
  static double timed(Work work) {
    const auto start = Clock::now();
    work();
    return nanoseconds_since(start);
  }

  static void put(StateImage& image, StructureJudge& judge, BlockNo block, ContentId content) {
    const ContentId before = image.at(block);
    image.set(block, content);
    judge.change(block, before, content);
  }

  void one_block(StateImage& image, StructureJudge& judge, const std::string& role, BlockNo block) {
    std::vector<double> times;
    for (int i = 0; i < kTurns; ++i) {
      const auto& to = i % 2 == 0 ? second_ : first_;
      times.push_back(timed([&] {
        put(image, judge, block, to[block.value()]);
        static_cast<void>(judge.settle());
      }));
    }
    put(image, judge, block, first_[block.value()]);
    CHECK(judge.settle(), "good again");
    fmt::print("one block, {}: {:.0f} ns\n", role, median(times));
  }

  // All blocks that differ, as a large transaction would change them.
  void all_blocks(StateImage& image, StructureJudge& judge) {
    std::vector<BlockNo> differing;
    for (std::uint64_t i = 0; i < first_.size(); ++i) {
      if (first_[i] != second_[i]) differing.emplace_back(i);
    }
    std::vector<double> times;
    for (int turn = 0; turn < 201; ++turn) {
      const auto& to = turn % 2 == 0 ? second_ : first_;
      times.push_back(timed([&] {
        for (const BlockNo block : differing) put(image, judge, block, to[block.value()]);
        CHECK(judge.settle(), "a good image");
      }));
    }
    fmt::print("all {} blocks that 202 operations change: {:.0f} ns a block\n", differing.size(),
               median(times) / static_cast<double>(differing.size()));
  }

  ContentPool pool_;
  std::vector<ContentId> first_, second_;
  std::vector<std::pair<std::string, BlockNo>> roles_;
};

}  // namespace

int main() {
  Bench bench;
  bench.begin();
  bench.follow();
  return 0;
}
