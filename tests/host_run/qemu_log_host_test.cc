// A log that QEMU's blklogwrites wrote while the running kernel used an ext4: imported, and every
// state explored that a power cut could have left.
#include "host/loop_device.h"
#include "host/mounts.h"
#include "tests/host_run/host_fixture.h"

#include <fcntl.h>

namespace powercut::host_run_testing {
namespace {

class QemuLog : public HostRunTest {
 protected:
  void SetUp() override {
    HostRunTest::SetUp();
    if (IsSkipped()) return;
    if (!find_program("qemu-storage-daemon")) GTEST_SKIP() << "no qemu-storage-daemon";
    // What is mounted here ends with this process, however it ends.
    ASSERT_TRUE(enter_own_mounts());
    for (const char* const name : {"disk", "base"}) make_image(name);
    ASSERT_TRUE(File::create(scratch() / "log", 0));
    ASSERT_TRUE(File::create(scratch() / "export", 0));
    ASSERT_TRUE(make_directories(scratch() / "mnt"));
  }
  // The same for both: mke2fs draws names and seeds at random.
  void make_image(const char* name) const {
    const std::string path = scratch() / name;
    ProcessOptions mkfs;
    mkfs.arguments = {"mke2fs",
                      "-q",
                      "-F",
                      "-t",
                      "ext4",
                      "-b",
                      "4096",
                      "-J",
                      "size=4",
                      "-U",
                      "11111111-2222-3333-4444-555555555555",
                      "-E",
                      "hash_seed=66666666-7777-8888-9999-000000000000,lazy_itable_init=0",
                      path,
                      "24M"};
    mkfs.environment = {{"E2FSPROGS_FAKE_TIME", "1600000000"}};
    const auto made = run_command(mkfs, kLong);
    ASSERT_TRUE(made && made->status.is_success()) << (made ? made->output : "");
  }
  // Skips where this QEMU has no export through FUSE.
  void start_daemon() {
    const std::string folder = scratch();
    ProcessOptions options;
    options.arguments = {
        "qemu-storage-daemon",
        "--blockdev",
        "driver=file,node-name=disk,filename=" + folder + "/disk",
        "--blockdev",
        "driver=file,node-name=log,filename=" + folder + "/log",
        "--blockdev",
        "driver=blklogwrites,node-name=both,file=disk,log=log",
        "--export",
        "type=fuse,id=fuse,node-name=both,writable=on,mountpoint=" + folder + "/export"};
    daemon_.emplace(Process::start(options).value());
    bool is_there = false;
    ASSERT_TRUE(comes_true("the export", [&] {
      is_there = std::filesystem::file_size(scratch() / "export") != 0;
      return is_there || daemon_->wait(Nanoseconds{0}).has_value();
    }));
    if (!is_there) GTEST_SKIP() << "this qemu-storage-daemon has no export through FUSE";
  }
  void use_file_system() const {
    const Fd backing(::open((scratch() / "export").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(backing.is_open());
    LoopDevice::Options options;
    options.is_direct = false;  // what the daemon offers
    auto loop = LoopDevice::attach(backing, options);
    ASSERT_TRUE(loop) << error_words(loop.error());
    const std::string place = scratch() / "mnt";
    const auto mounted = mount_file_system(
        {.source = loop->path(), .place = place, .type = "ext4", .options = "errors=remount-ro"});
    ASSERT_TRUE(mounted) << error_words(mounted.error());
    ProcessOptions load;
    load.arguments = {"sh", "-c",
                      "for i in 1 2 3 4 5 6 7 8; do echo $i > file$i; sync -f .; mkdir dir$i; "
                      "mv file$i dir$i; sync -f .; done"};
    load.directory = place;
    const auto ran = run_command(load, kLong);
    EXPECT_TRUE(ran && ran->status.is_success()) << (ran ? ran->output : "");
    const SteadyClock clock;
    EXPECT_TRUE(unmount(place, clock, kLong));
    EXPECT_TRUE(loop->comes_free(clock, kLong));
  }

  std::optional<Process> daemon_;
};

TEST_F(QemuLog, IsImportedAndExplored) {
  start_daemon();
  if (IsSkipped() || HasFatalFailure()) return;
  use_file_system();
  if (HasFatalFailure()) return;
  daemon_->stop(kLong);
  const auto imported = run_words({"record", "import", "--base", "base", "log", "rec"});
  ASSERT_TRUE(imported);
  ASSERT_EQ(imported->code, 0) << imported->output << imported->errors;
  const auto explored = run_words({"explore", "--json", "rec"});
  ASSERT_TRUE(explored);
  ASSERT_EQ(explored->code, 0) << explored->output << explored->errors;
  Json counts = explored->json["counts"];
  EXPECT_GT(counts["crash_points"], 16);
  EXPECT_EQ(counts["explored"], counts["crash_points"]);
  EXPECT_GT(counts["judged"], 16);
  EXPECT_EQ(counts["bad"], 0);
  Json tag = explored->json["tag"];
  EXPECT_GE(tag["counters"]["commits"], 16);
  EXPECT_EQ(tag["counters"]["commits"], tag["counters"]["tids"]);
}

}  // namespace
}  // namespace powercut::host_run_testing
