// The library installed from the `release` build, and share/examples/library built against it as
// other people build: with CMake, with pkg-config, by g++ and by clang.
#include <gtest/gtest.h>

#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using namespace powercut::testing;

const fs::path kSource = POWERCUT_SOURCE_DIR;
const fs::path kRelease = kSource / "build/release";
const fs::path kExample = kSource / "share/examples/library";

std::string quoted(const fs::path& path) {
  return "'" + path.string() + "'";
}

class Package : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    if (!fs::exists(kRelease / "libpowercut.so")) {
      GTEST_SKIP() << "needs the release build (cmake --preset release && ninja -C build/release)";
    }
    const ShellOutcome installed =
        run_shell("cmake --install " + quoted(kRelease) + " --prefix " + quoted(prefix()));
    ASSERT_EQ(installed.status, 0) << installed.output;
  }
  fs::path prefix() const { return folder_.path() / "installed"; }
  fs::path library_folder() const {
    for (const auto& entry : fs::recursive_directory_iterator(prefix())) {
      if (entry.path().filename() == "libpowercut.so") return entry.path().parent_path();
    }
    return {};
  }
  // The example adds words; a second run goes on from the first; e2fsck finds nothing.
  void expect_works(const fs::path& program) const {
    const E2fsImage image({.mke2fs = "-b 4096", .size = "32M"});
    ASSERT_TRUE(image.is_made()) << image.log();
    const std::string run = "LD_LIBRARY_PATH=" + quoted(library_folder()) + " " + quoted(program) +
                            " " + quoted(image.path());
    EXPECT_EQ(run_shell(run + " one two").output, "1 words are kept\n2 words are kept\n");
    EXPECT_EQ(run_shell(run + " three").output, "3 words are kept\n");
    EXPECT_NE(image.debugfs("cat /count").find("3\n"), std::string::npos);
    EXPECT_NE(image.debugfs("cat /words").find("one\ntwo\nthree\n"), std::string::npos);
    const ShellOutcome checked = image.fsck("-fn");
    EXPECT_EQ(checked.status, 0) << checked.output;
    EXPECT_EQ(run_shell(run.substr(0, run.rfind(' ')) + " /dev/null word 2>&1").status, 1);
  }

  TemporaryFolder folder_;
};

TEST_F(Package, IsFoundByCmake) {
  const fs::path build = folder_.path() / "build";
  const ShellOutcome built =
      run_shell("cmake -S " + quoted(kExample) + " -B " + quoted(build) +
                " -DCMAKE_CXX_COMPILER=g++ -DCMAKE_PREFIX_PATH=" + quoted(prefix()) +
                " && cmake --build " + quoted(build));
  ASSERT_EQ(built.status, 0) << built.output;
  expect_works(build / "two_files");
}

TEST_F(Package, IsFoundByPkgConfigAndLeavesOtherNamesAlone) {
  if (!find_tool("pkg-config")) GTEST_SKIP() << "needs pkg-config";
  const fs::path program = folder_.path() / "two_files";
  // Names that other libraries and programs give to their macros.
  const fs::path source = folder_.path() / "two_files.cc";
  std::ofstream(source) << "#define CHECK no\n#define TRY no\n#include \""
                        << (kExample / "two_files.cc").string() << "\"\n";
  const std::string flags = "$(PKG_CONFIG_PATH=" + quoted(library_folder() / "pkgconfig") +
                            " pkg-config --cflags --libs powercut)";
  const ShellOutcome built =
      run_shell("clang++-16 -std=c++20 -Wall -Wextra -Wpedantic -Werror -o " + quoted(program) +
                " " + quoted(source) + " " + flags);
  ASSERT_EQ(built.status, 0) << built.output;
  expect_works(program);
}

}  // namespace
}  // namespace powercut
