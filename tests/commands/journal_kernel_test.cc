// powercut journal on what the running kernel wrote, and while it has it in use.  Needs root.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "tests/commands/program.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/logged_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::testing {
namespace {

namespace fs = std::filesystem;

// A shell command that must succeed.
std::string shell(const std::string& command) {
  const ShellOutcome outcome = run_shell(command);
  EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome.output;
  std::string output = outcome.output;
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

// A loop device over a file, detached at the end.
class LoopDevice {
 public:
  explicit LoopDevice(const fs::path& file, const std::string& options = "")
      : path_(shell("losetup " + options + " -f --show '" + file.string() + "'")) {}
  ~LoopDevice() { run_shell("losetup -d " + path_); }
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A mount by mount(8), undone at the end.
class Mount {
 public:
  Mount(const std::string& words, const fs::path& folder) : folder_(folder) {
    fs::create_directories(folder);
    outcome_ = run_shell("mount " + words + " '" + folder.string() + "'");
  }
  ~Mount() { unmount(); }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;
  bool is_mounted() const { return outcome_.status == 0; }
  const std::string& log() const { return outcome_.output; }
  void unmount() {
    if (is_mounted()) run_shell("umount '" + folder_.string() + "'");
    outcome_.status = 1;
  }

 private:
  fs::path folder_;
  ShellOutcome outcome_;
};

class JournalOfKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* tool : {"mke2fs", "e2fsck", "losetup", "mount"}) SKIP_WITHOUT_TOOL(tool);
    SKIP_WITHOUT_LOOP_MOUNTS();
  }
  fs::path folder() const { return folder_.path(); }
  std::string file(const std::string& name) const { return (folder() / name).string(); }

  // Files in data=journal mode, written to, removed and made again, in a mounted file system; what
  // is in its log when it is copied is a crash.
  void work_in(const std::string& mounted) {
    shell("cd '" + mounted + "' && mkdir d && for i in 1 2 3 4 5 6 7 8; do " +
          "head -c ${i}0000 /dev/urandom > d/f$i && sync -f .; done && rm d/f2 d/f3 && sync -f . "
          "&& " +
          "printf '\\300\\073\\071\\230 not a journal block' > d/magic && sync -f . && " +
          "head -c 9000 /dev/urandom > d/f4 && sync -f .");
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(JournalOfKernel, ACrashIsShownVerifiedAndReplayed) {
  shell("truncate -s 32M " + file("base.img") + " && mke2fs -q -F -t ext4 -b 4096 -J size=4 " +
        file("base.img"));
  {
    LoopMount mounted(file("base.img"), folder() / "mounted", "data=journal");
    ASSERT_TRUE(mounted.is_mounted()) << mounted.log();
    work_in(file("mounted"));
    shell("cp --sparse=always " + file("base.img") + " " + file("crash.img"));
    // Meanwhile it is noticed that it is in use.
    const Ended shown = powercut("journal show " + file("base.img"));
    EXPECT_TRUE(shown.warns("in use: attached to /dev/" + mounted.device())) << shown.errors;
    EXPECT_TRUE(shown.warns("is mounted on " + file("mounted"))) << shown.errors;
    const std::string checksum = shell("md5sum < " + file("base.img"));
    for (const std::string& path : {file("base.img"), "/dev/" + mounted.device()}) {
      const Ended refused = powercut("journal replay --in-place " + path);
      EXPECT_EQ(refused.code, 3);
      EXPECT_TRUE(refused.warns("in use")) << refused.errors;
    }
    EXPECT_EQ(shell("md5sum < " + file("base.img")), checksum);
  }
  const Ended shown = powercut("journal show --json --blocks " + file("crash.img"));
  EXPECT_EQ(shown.code, 0) << shown.errors;
  const auto document = shown.json();
  ASSERT_TRUE(document.is_object()) << shown.output;
  EXPECT_GT(document["transactions"].size(), 8u);
  std::size_t named = 0, escaped = 0;
  for (const auto& transaction : document["transactions"]) {
    escaped += transaction["escaped"].get<std::size_t>();
    for (const auto& block : transaction["blocks"]) {
      if (block["owner"]["text"].get<std::string>().starts_with("/d/f1 ")) ++named;
    }
  }
  EXPECT_GE(named, 3u) << "the three blocks of /d/f1 have their name";
  EXPECT_EQ(escaped, 1u);
  const Ended verified = powercut("journal verify --old " + file("crash.img"));
  EXPECT_EQ(verified.code, 0) << verified.output;
  EXPECT_EQ(powercut("journal replay " + file("crash.img") + " --output " + file("ours.img")).code,
            0);
  shell("e2fsck -fn " + file("ours.img"));
  LoopMount ours(file("ours.img"), folder() / "ours", "ro");
  LoopMount theirs(file("crash.img"), folder() / "theirs");
  ASSERT_TRUE(ours.is_mounted() && theirs.is_mounted()) << ours.log() << theirs.log();
  shell("diff -r " + file("ours") + " " + file("theirs"));
}

TEST_F(JournalOfKernel, BlockDevices) {
  LoggedImage image;
  image.builder().add_transaction(image.blocks(0, 3));
  image.write();
  const LoopDevice device(image.path());
  const Ended shown = powercut("journal show " + device.path());
  EXPECT_EQ(shown.code, 0) << shown.errors;
  EXPECT_TRUE(shown.says("3 to replay")) << shown.output;
  EXPECT_TRUE(shown.errors.empty()) << shown.errors;
  // The file is attached, so only the device may be written to.
  EXPECT_EQ(powercut("journal replay --in-place " + image.path().string()).code, 3);
  EXPECT_EQ(powercut("journal replay --in-place " + device.path()).code, 0);
  EXPECT_EQ(image.image().fsck("-fn").status, 0);
  EXPECT_TRUE(powercut("journal show " + device.path()).says("the log is empty"));
}

// The kernel refuses the images that we refuse, and mounts the others.
TEST_F(JournalOfKernel, RefusesWhatWeRefuse) {
  for (const bool is_damaged : {false, true}) {
    LoggedImage image;
    image.builder().add_transaction(image.blocks(0, 3));
    if (is_damaged) image.builder().damage(Tid(5), BuiltWrite::Kind::kData, 1);
    image.write();
    EXPECT_EQ(powercut("journal verify " + image.path().string()).code, is_damaged ? 1 : 0);
    const Ended replayed = powercut("journal replay --in-place " + image.path().string());
    EXPECT_EQ(replayed.code, is_damaged ? 1 : 0);
    const LoopMount mounted(image.path(), folder() / "mounted");
    EXPECT_EQ(mounted.is_mounted(), !is_damaged) << mounted.log();
  }
}

TEST_F(JournalOfKernel, AnExternalJournal) {
  shell("truncate -s 32M " + file("fs.img") + " && truncate -s 8M " + file("log.img"));
  {
    const LoopDevice log(file("log.img"));
    shell("mke2fs -q -F -b 4096 -O journal_dev " + log.path());
    const LoopDevice own(file("fs.img"));
    shell("mke2fs -q -F -t ext4 -b 4096 -J device=" + log.path() + " " + own.path());
    const Mount mounted("-o data=journal,errors=remount-ro " + own.path(), folder() / "mounted");
    ASSERT_TRUE(mounted.is_mounted()) << mounted.log();
    work_in(file("mounted"));
    shell("cp --sparse=always " + file("fs.img") + " " + file("crash.img") +
          " && cp --sparse=always " + file("log.img") + " " + file("crash.log"));
    // The kernel has the journal, too, which says so of itself.
    EXPECT_EQ(
        powercut("journal replay --in-place " + file("crash.img") + " --journal " + log.path())
            .code,
        3);
  }
  const Ended unnamed = powercut("journal show " + file("crash.img"));
  EXPECT_EQ(unnamed.code, 3);
  EXPECT_TRUE(unnamed.warns("--journal")) << unnamed.errors;
  const std::string words = file("crash.img") + " --journal " + file("crash.log");
  const Ended shown = powercut("journal show " + words);
  EXPECT_EQ(shown.code, 0) << shown.errors;
  EXPECT_TRUE(shown.says("on a device of its own")) << shown.output;
  EXPECT_TRUE(shown.says(" live ")) << shown.output;
  EXPECT_EQ(powercut("journal verify " + words).code, 0);
  const Ended copied = powercut("journal replay " + words + " --output " + file("copy.img"));
  EXPECT_EQ(copied.code, 0) << copied.errors;
  ASSERT_TRUE(fs::exists(file("copy.img.journal"))) << copied.output;
  const ShellOutcome checked =
      run_shell("e2fsck -fn -j " + file("copy.img.journal") + " " + file("copy.img"));
  EXPECT_EQ(checked.status, 0) << checked.output;
  EXPECT_EQ(powercut("journal replay --in-place " + words).code, 0);
  shell("cmp " + file("crash.img") + " " + file("copy.img"));
  shell("cmp " + file("crash.log") + " " + file("copy.img.journal"));
}

// No room for the blocks of a sparse image: the log stays whole, and the next try succeeds.
TEST_F(JournalOfKernel, NoRoomInTheMiddleIsMadeGood) {
  LoggedImage image;
  image.builder().add_transaction(image.blocks(0, 300));
  image.write();
  const Mount room("-t tmpfs -o size=3M none", folder() / "room");
  ASSERT_TRUE(room.is_mounted()) << room.log();
  const std::string sparse = file("room/image");
  shell("cp --sparse=always " + image.path().string() + " " + sparse);
  run_shell("head -c 3M /dev/zero > " + file("room/filler"));  // as much as there is
  const Ended failed = powercut("journal replay --in-place " + sparse);
  EXPECT_EQ(failed.code, 3) << failed.output;
  EXPECT_TRUE(failed.warns("no space")) << failed.errors;
  EXPECT_TRUE(powercut("journal show " + sparse).says("300 to replay"));
  fs::remove(file("room/filler"));
  EXPECT_EQ(powercut("journal replay --in-place " + sparse).code, 0);
  EXPECT_EQ(powercut("journal replay --in-place " + image.path().string()).code, 0);
  shell("cmp " + sparse + " " + image.path().string());
}

}  // namespace
}  // namespace powercut::testing
