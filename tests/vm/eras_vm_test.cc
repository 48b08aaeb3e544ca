// A log on which Linux decides differently since 6.11: asked of a kernel from before and of one
// from after that.  How all logs came out on these kernels: tests/support/damaged_logs.txt.
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "block/memory_device.h"
#include "reader/volume.h"
#include "tests/support/damaged_logs.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/long_form.h"
#include "tests/support/repeated_tid_logs.h"
#include "tests/vm/program.h"

namespace powercut::vm_testing {
namespace {

class Eras : public VmTest {
 protected:
  // A file system with that log.
  bool make_image(const testing::DamagedLog& log, const std::filesystem::path& path) {
    const testing::E2fsImage base({.mke2fs = "-b 1024 -J size=1", .size = "3M"});
    if (!base.is_made()) return false;
    MemoryDevice device(base.bytes());
    const auto volume = Volume::open(device);
    if (!volume) return false;
    const auto map = locate_journal(*volume);
    if (!map) return false;
    const JournalSpec spec =
        testing::damaged_log_spec(*map, ChecksumKind::kV3, /*is_64bit=*/true, /*is_async=*/false);
    testing::put_damaged_log(log, spec, *map, device);
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(device.bytes().data()),
               static_cast<std::streamsize>(device.size_bytes()));
    return file.good();
  }
};

TEST_F(Eras, ATornCommitBlockIsAcceptedSinceLinux611) {
  ONLY_IN_LONG_FORM();
  if (!testing::find_tool("mke2fs")) GTEST_SKIP() << "needs mke2fs (e2fsprogs)";
  // Its second commit block is torn behind its header.
  const auto logs = testing::damaged_logs();
  const auto torn = std::ranges::find(logs, "commit torn", &testing::DamagedLog::name);
  ASSERT_NE(torn, logs.end());
  ASSERT_TRUE(make_image(*torn, scratch() / "torn.img"));
  struct Case {
    const char* kernel;
    bool mounts;
    const char* says;
  };
  for (const Case& each : {Case{"debian:6.1", false, "is corrupt"},
                           Case{"debian:6.12", true, "Find incomplete commit block"}}) {
    const auto proof = run({"prove", "--json", "--kernel", each.kernel, "torn.img"});
    if (!proof) return;
    SCOPED_TRACE(proof->output + proof->errors);
    const Json json = proof->json;
    EXPECT_EQ(json["rules"], each.mounts ? "linux-6.12" : "linux-6.1");
    EXPECT_EQ(json["refused_by_us"], !each.mounts);
    EXPECT_EQ(json["linux"]["mounts"], each.mounts);
    EXPECT_EQ(json["linux"]["refuses"], !each.mounts);
    EXPECT_NE(json["linux"]["lines"].dump().find(each.says), std::string::npos);
  }
}

// One boot for each log and kernel, some 20 minutes: only if POWERCUT_ERAS=all is in the
// environment.
TEST_F(Eras, LogsInWhichATidComesAgain) {
  const char* const wanted = std::getenv("POWERCUT_ERAS");
  if (wanted == nullptr || std::string(wanted) != "all") {
    GTEST_SKIP() << "a long one: POWERCUT_ERAS=all asks for it";
  }
  for (const testing::DamagedLog& log : testing::repeated_tid_logs()) {
    ASSERT_TRUE(make_image(log, scratch() / "log.img"));
    for (const char* const kernel : {"debian:6.1", "debian:6.12"}) {
      const auto proof = run({"prove", "--json", "--kernel", kernel, "log.img"});
      if (!proof) return;
      const Json json = proof->json;
      ASSERT_TRUE(json.is_object() && json.contains("linux")) << proof->output << proof->errors;
      EXPECT_EQ(json["refused_by_us"], json["linux"]["refuses"])
          << log.name << " on " << kernel << "\n"
          << proof->output;
      EXPECT_NE(json["linux"]["mounts"], json["linux"]["refuses"]) << log.name << proof->output;
    }
  }
}

}  // namespace
}  // namespace powercut::vm_testing
