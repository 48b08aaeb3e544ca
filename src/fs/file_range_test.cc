// Ranges where there is no room: what fails has changed nothing.
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kBlock = 1024;

// A mounted file system, a file of `blocks` blocks in one run, and no free block.
struct FullDisk {
  FullDisk(std::size_t blocks, std::uint64_t pieces) : disk("-b 1024 -J size=1", "4M") {
    disk.options.uses_reserved = true;
    disk.mount();
    node = disk.make_file("a");
    bytes = pattern(blocks * kBlock, 3);
    EXPECT_TRUE(write_file(disk.core(), *node, 0, bytes));
    // Runs of their own, so that the tree of the file is full.
    for (std::uint64_t i = 1; i < pieces; ++i) {
      EXPECT_TRUE(write_file(disk.core(), *node, (1000 + 10 * i) * kBlock, pattern(kBlock, i)));
    }
    const NodeRef other = disk.make_file("b");
    std::uint64_t at = 0;
    while (disk.mounted->space().available_blocks > 0) {
      const std::uint64_t most = disk.mounted->space().available_blocks;
      const std::uint64_t some = most > 8 ? most - 8 : 1;
      if (!allocate_range(disk.core(), *other, {at, some * kBlock}, true)) break;
      at += some * kBlock;
    }
    rest = disk.core().groups->claim(disk.mounted->space().available_blocks).value();
  }
  void unmount() {
    rest = {};
    disk.unmount();
  }
  std::vector<std::uint8_t> there() {
    std::vector<std::uint8_t> read(bytes.size());
    EXPECT_TRUE(read_file(disk.core(), *node, 0, read));
    return read;
  }
  TestMount disk;
  NodeRef node;
  std::vector<std::uint8_t> bytes;
  SpaceClaim rest;  // the last free blocks
};

TEST(RangesWithoutRoom, ZeroingThatFailsHasZeroedNothing) {
  SKIP_WITHOUT_TOOL("mke2fs");
  FullDisk full(20, 1);
  const auto zeroed = zero_range(full.disk.core(), *full.node, {100, 10'000}, true);
  ASSERT_FALSE(zeroed);
  EXPECT_EQ(zeroed.error().code, Errc::kNoSpace);
  EXPECT_TRUE(full.there() == full.bytes);
  full.unmount();
  EXPECT_TRUE(is_clean(full.disk.device.bytes()));
}

// A run cut in its middle wants a block for the tree, if the inode has no room for one more.
TEST(RangesWithoutRoom, APunchThatFailsHasTakenNothing) {
  SKIP_WITHOUT_TOOL("mke2fs");
  FullDisk full(20, 4);
  ASSERT_EQ(full.disk.mounted->space().available_blocks, 0u);
  const auto punched = punch_range(full.disk.core(), *full.node, {4 * kBlock + 100, 5000});
  ASSERT_FALSE(punched);
  EXPECT_EQ(punched.error().code, Errc::kNoSpace);
  EXPECT_TRUE(full.there() == full.bytes);
  // At the end of the run no block is wanted.
  EXPECT_TRUE(punch_range(full.disk.core(), *full.node, {18 * kBlock + 100, 2 * kBlock - 100}));
  full.unmount();
  EXPECT_TRUE(is_clean(full.disk.device.bytes()));
}

}  // namespace
}  // namespace powercut::fs
