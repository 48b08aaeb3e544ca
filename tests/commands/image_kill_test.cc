// kill -9 of a change of an image, at random times: what was said to be done is there, e2fsck
// recovers the rest and finds nothing.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>

#include "base/prng.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
#include "tests/support/long_form.h"

namespace powercut::testing {
namespace {

constexpr int kRounds = 40;

std::string content_of_mark(int round) {
  return "mark " + std::to_string(round) + " is done\n";
}

class ImageKill : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* tool : {"mke2fs", "debugfs", "e2fsck"}) SKIP_WITHOUT_TOOL(tool);
    ASSERT_TRUE(image_.is_made()) << image_.log();
    whole_ = read_file(image_.path());
    std::filesystem::create_directories(folder_.path() / "tree" / "below");
    for (int i = 0; i < 60; ++i) {
      const std::string content(static_cast<std::size_t>(i * 700), 'k');
      std::ofstream(folder_.path() / "tree" / (i % 2 == 0 ? "below" : "") / std::to_string(i))
          << content;
    }
    std::ofstream script(folder_.path() / "script");
    for (int i = 0; i < kRounds; ++i) {
      const std::string number = std::to_string(i);
      const auto mark = folder_.path() / ("mark" + number);
      std::ofstream(mark) << content_of_mark(i);
      script << "import " << (folder_.path() / "tree").string() << " /t" << number << "\nput "
             << mark.string() << " /m" << number << "\ncommit\ncat /m" << number << "\n";
    }
  }
  // Returns what was said to be done until the end.
  std::string run_until(std::uint64_t milliseconds) const {
    const auto output = folder_.path() / "output";
    char limit[32];
    std::snprintf(limit, sizeof(limit), "%.3f", static_cast<double>(milliseconds) / 1000);
    run_shell("timeout -s KILL " + std::string(limit) + " " POWERCUT_BUILT_PROGRAM " image shell " +
              image_.path().string() + " <" + (folder_.path() / "script").string() + " >" +
              output.string() + " 2>/dev/null");
    return read_text(output);
  }
  void expect_recovered(const std::string& said) const {
    const auto mended = image_.fsck("-fy");
    EXPECT_LE(mended.status, 1) << mended.output;
    const auto clean = image_.fsck("-fn");
    EXPECT_EQ(clean.status, 0) << clean.output;
    for (int i = 0; i < kRounds; ++i) {
      if (said.find(content_of_mark(i)) == std::string::npos) continue;
      EXPECT_NE(image_.debugfs("cat /m" + std::to_string(i)).find(content_of_mark(i)),
                std::string::npos)
          << "mark " << i << " was said to be done";
    }
  }

  E2fsImage image_{{.mke2fs = "-b 1024 -J size=2", .size = "48M"}};
  TemporaryFolder folder_;
  std::vector<std::uint8_t> whole_;
};

TEST_F(ImageKill, NothingThatWasSaidIsLost) {
  const std::uint64_t kills = is_long_form() ? 200 : 10;
  Prng random(is_long_form() ? 2 : 1);
  std::uint64_t with_log = 0, with_marks = 0;
  for (std::uint64_t i = 0; i < kills; ++i) {
    write_file(image_.path(), whole_);
    const std::uint64_t after = 30 + random.below(600);
    SCOPED_TRACE("killed after " + std::to_string(after) + " ms");
    const std::string said = run_until(after);
    with_marks += said.find("is done") != std::string::npos ? 1 : 0;
    with_log += image_.debugfs("features").find("needs_recovery") != std::string::npos ? 1 : 0;
    expect_recovered(said);
    if (HasFailure()) return;
  }
  std::cout << kills << " kills: " << with_log << " left a log, " << with_marks
            << " had said something\n";
}

}  // namespace
}  // namespace powercut::testing
