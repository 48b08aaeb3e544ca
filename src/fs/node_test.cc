// Inodes in memory: what must not be forgotten with them.
#include "fs/node.h"

#include "fs/operations.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

// fsync of a file that was changed, forgotten for want of room, and looked up again.
TEST(Nodes, AFileThatWasForgottenIsStillMadeDurable) {
  SKIP_WITHOUT_TOOL("mke2fs");
  for (const bool data_only : {false, true}) {
    TestMount disk("-b 1024 -J size=1");
    disk.options.nodes_max = 1;
    disk.mount();
    const std::vector<std::uint8_t> bytes = pattern(3000, 5);
    {
      const NodeRef node = disk.make_file("a");
      ASSERT_TRUE(write_file(disk.core(), *node, 0, bytes));
    }
    for (int i = 0; i < 10; ++i) disk.make_file("b" + std::to_string(i));
    ASSERT_TRUE(sync_file(disk.core(), *disk.file("a"), data_only));
    TestMount after(disk.crashed());
    after.mount();
    after.unmount();
    EXPECT_EQ(content_of(after.device.bytes(), "/a"), bytes);
  }
}

TEST(Nodes, FdatasyncMakesANewEmptyFileDurable) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 1024 -J size=1");
  disk.mount();
  const NodeRef root = *disk.core().nodes->get(kRootInode);
  const auto node = make_file(disk.core(), *root, "a", {});
  ASSERT_TRUE(node);
  ASSERT_TRUE(sync_file(disk.core(), **node, true));
  TestMount after(disk.crashed());
  after.mount();
  after.unmount();
  EXPECT_EQ(content_of(after.device.bytes(), "/a"), std::vector<std::uint8_t>());
}

}  // namespace
}  // namespace powercut::fs
