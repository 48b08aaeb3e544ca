// powercut image put, rm, mkdir, mv, ln, chmod, truncate, import, shell: judged by e2fsck, debugfs
// and the host's own files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/commands/program.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"

namespace powercut::testing {
namespace {

class ImageChange : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!find_tool("mke2fs")) GTEST_SKIP() << "mke2fs is not installed";
    ASSERT_TRUE(image_.is_made()) << image_.log();
  }
  std::string at(const std::string& path) const { return image_.path().string() + ":" + path; }
  // A file of the host.
  std::string host_file(const std::string& name, const std::string& content) const {
    const auto path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << content;
    return path.string();
  }
  void changes(const std::string& words) const {
    const Ended ended = powercut("image " + words);
    EXPECT_EQ(ended.code, 0) << words << "\n" << ended.errors;
  }
  void expect_clean() const {
    const auto outcome = image_.fsck("-fn");
    EXPECT_EQ(outcome.status, 0) << outcome.output;
  }

  E2fsImage image_{{.size = "64M"}};
  TemporaryFolder folder_;
};

TEST_F(ImageChange, WhatIsPutIsReadBackByDebugfs) {
  const std::string content(300'000, 'p');
  changes("put " + host_file("one", content) + " " + at("/"));
  changes("mkdir -p " + at("/a/b/c"));
  changes("put " + host_file("two", "two\n") + " " + at("/a/b/c/named"));
  expect_clean();
  EXPECT_EQ(image_.debugfs("dump /one " + (folder_.path() / "back").string()).find("not"),
            std::string::npos);
  EXPECT_EQ(read_whole<std::string>(folder_.path() / "back"), content);
  EXPECT_NE(image_.debugfs("cat /a/b/c/named").find("two"), std::string::npos);
}

TEST_F(ImageChange, APutOverAFileIsInItsPlace) {
  changes("put " + host_file("one", "first\n") + " " + at("/f"));
  changes("put " + host_file("one", "second\n") + " " + at("/f"));
  expect_clean();
  const Ended read = powercut("image cat " + at("/f"));
  EXPECT_EQ(read.output, "second\n");
  EXPECT_FALSE(powercut("image ls -a " + at("/")).says("powercut-put"));
}

TEST_F(ImageChange, NamesMoveLinkAndGo) {
  changes("put " + host_file("x", "x\n") + " " + at("/x"));
  changes("ln " + at("/x") + " /hard");
  changes("ln -s x " + at("/soft"));
  changes("mkdir " + at("/d"));
  changes("mv " + at("/x") + " /d");
  changes("chmod 4711 " + at("/d/x"));
  changes("truncate 100000 " + at("/d/x"));
  const auto status = powercut("image stat --json " + at("/d/x")).json();
  EXPECT_EQ(status["links"].get<int>(), 2);
  EXPECT_EQ(status["size"].get<int>(), 100'000);
  changes("rm -r " + at("/d") + " " + at("/soft"));
  expect_clean();
  EXPECT_EQ(powercut("image ls " + at("/hard")).code, 0);
  EXPECT_NE(powercut("image ls " + at("/d")).code, 0);
}

TEST_F(ImageChange, AnImportedTreeComesOutAgain) {
  for (int i = 0; i < 200; ++i) {
    host_file("tree/many/" + std::to_string(i), std::string(static_cast<std::size_t>(i) * 37, 'm'));
  }
  host_file("tree/deep/er/file", "deep\n");
  std::filesystem::create_symlink("deep/er", folder_.path() / "tree" / "link");
  std::filesystem::create_hard_link(folder_.path() / "tree/many/7", folder_.path() / "tree/seven");
  changes("import " + (folder_.path() / "tree").string() + " " + at("/in"));
  expect_clean();
  changes("extract " + at("/in") + " " + (folder_.path() / "out").string());
  const auto same = run_shell("diff -r " + (folder_.path() / "tree").string() + " " +
                              (folder_.path() / "out").string());
  EXPECT_EQ(same.status, 0) << same.output;
}

TEST_F(ImageChange, AShellDoesSeveralThings) {
  const std::string file = host_file("x", "said\n");
  const Ended ended = powercut(
      "image shell " + image_.path().string(),
      "printf 'mkdir \"a b\"\\nput " + file + " \"a b/x\"\\ncat \"a b/x\"\\nls\\nrm no\\nls\\n' |");
  EXPECT_EQ(ended.code, 3);
  EXPECT_TRUE(ended.says("said"));
  EXPECT_TRUE(ended.says("a b/"));
  EXPECT_TRUE(ended.warns("no"));
  expect_clean();
}

TEST_F(ImageChange, WhatDoesNotWorkIsSaidAndChangesNothing) {
  const std::string before = read_whole<std::string>(image_.path());
  EXPECT_EQ(powercut("image rm " + at("/not-there")).code, 3);
  EXPECT_EQ(powercut("image mkdir /no/such/image:/d").code, 3);
  EXPECT_EQ(powercut("image chmod 99 " + at("/lost+found")).code, 2);
  EXPECT_EQ(powercut("image rm --what " + at("/x")).code, 2);
  expect_clean();
  // A file that does not fit leaves nothing behind.
  const std::string large = (folder_.path() / "large").string();
  run_shell("head -c 90000000 /dev/zero | tr '\\0' x > " + large);
  const Ended full = powercut("image put " + large + " " + at("/large"));
  EXPECT_EQ(full.code, 3);
  EXPECT_TRUE(full.warns("space")) << full.errors;
  expect_clean();
  EXPECT_EQ(powercut("image ls -a " + at("/")).output.find("large"), std::string::npos);
}

}  // namespace
}  // namespace powercut::testing
