// A log on which Linux decides differently since 6.11: asked of a kernel from before and of one
// from after that.  How all logs came out on these kernels: tests/support/damaged_logs.txt.
#include <fstream>

#include "block/memory_device.h"
#include "reader/volume.h"
#include "tests/support/damaged_logs.h"
#include "tests/support/e2fs_image.h"
#include "tests/vm/program.h"

namespace powercut::vm_testing {
namespace {

class Eras : public VmTest {
 protected:
  // A file system whose second commit block was torn behind its header.
  bool make_image(const std::filesystem::path& path) {
    const testing::E2fsImage base({.mke2fs = "-b 1024 -J size=1", .size = "3M"});
    if (!base.is_made()) return false;
    MemoryDevice device(base.bytes());
    const auto volume = Volume::open(device);
    if (!volume) return false;
    const auto map = locate_journal(*volume);
    if (!map) return false;
    for (const testing::DamagedLog& log : testing::damaged_logs()) {
      if (log.name != "commit torn") continue;
      const JournalSpec spec =
          testing::damaged_log_spec(*map, ChecksumKind::kV3, /*is_64bit=*/true, /*is_async=*/false);
      testing::put_damaged_log(log, spec, *map, device);
    }
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(device.bytes().data()),
               static_cast<std::streamsize>(device.size_bytes()));
    return file.good();
  }
};

TEST_F(Eras, ATornCommitBlockIsAcceptedSinceLinux611) {
  if (!testing::find_tool("mke2fs")) GTEST_SKIP() << "needs mke2fs (e2fsprogs)";
  ASSERT_TRUE(make_image(scratch() / "torn.img"));
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

}  // namespace
}  // namespace powercut::vm_testing
