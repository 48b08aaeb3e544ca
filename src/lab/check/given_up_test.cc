#include "lab/check/given_up.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "block/memory_device.h"
#include "reader/volume.h"
#include "tests/support/e2fs_image.h"

namespace powercut::lab {
namespace {

// An image with /file of 20 blocks, changed by debugfs; which of its blocks are given up, a letter
// for each: x given up, - kept.
std::string verdict(const std::string& debugfs_commands) {
  const testing::TemporaryFolder tree;
  std::ofstream(tree.path() / "file") << std::string(std::size_t{20} * 1024, 'x');
  const testing::E2fsImage image(
      {.mke2fs = "-b 1024 -J size=1", .size = "8M", .tree = tree.path().string()});
  image.debugfs(debugfs_commands, /*writes=*/true);
  const MemoryDevice disk(image.bytes());
  const auto volume = Volume::open(disk);
  if (!volume) return volume.error().what;
  const auto map = locate_journal(*volume);
  if (!map) return map.error().what;
  const auto given_up = GivenUp::of(disk, *map, Tid(1));
  if (!given_up) return given_up.error().what;
  std::string text;
  const InodeNo number{12};
  const auto walked =
      volume->for_each_run(number, volume->inode(number).value(), [&](const FileRun& run) {
        for (std::uint64_t i = 0; i < run.count; ++i) {
          text += given_up->has(run.device + i) ? 'x' : '-';
        }
        return true;
      });
  return walked ? text : walked.error().what;
}

TEST(GivenUp, FilesOnTheListOfOrphansThatARecoveryDeletesOrCuts) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  EXPECT_EQ(verdict("stat <12>\n"), "--------------------");
  EXPECT_EQ(verdict("ssv last_orphan 12\nsif <12> links_count 0\n"), "xxxxxxxxxxxxxxxxxxxx");
  EXPECT_EQ(verdict("ssv last_orphan 12\nsif <12> size 5000\n"), "-----xxxxxxxxxxxxxxx");
  // Cut in the inode only: nobody says that the rest goes.
  EXPECT_EQ(verdict("sif <12> size 5000\n"), "--------------------");
}

TEST(GivenUp, BlocksThatAFileHasAndNeverWrote) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  EXPECT_EQ(verdict("fallocate <12> 20 24\n"), "--------------------xxxxx");
}

}  // namespace
}  // namespace powercut::lab
