// Ends that nobody asked for: interrupts, kills, panics, floods, damage in the stream.  Each keeps
// the results so far and leaves nothing behind (VmTest::TearDown looks).
#include <csignal>

#include "tests/support/long_form.h"
#include "tests/vm/program.h"

namespace powercut::vm_testing {
namespace {

constexpr const char* kSyncLoop = "while :; do echo x > f; sync; done";
// Enough for some turns of that loop.
constexpr auto kSomeTurns = std::chrono::seconds(2);

class Ending : public VmTest {
 protected:
  std::string output_of(const std::vector<std::string>& words) {
    const auto outcome = run_command({.arguments = words}, kLong);
    EXPECT_TRUE(outcome && outcome->status.is_success()) << words.front();
    return outcome ? outcome->output : std::string();
  }
  // What debugfs says of the image; it names itself first, on a line of its own.
  std::string debugfs(const std::string& request, const std::string& image) {
    const std::string output = output_of({"debugfs", "-R", request, image});
    return output.substr(output.find('\n') + 1);
  }
  // A file system like the one that a run with `--size 64 --journal-size 8` makes.
  std::string make_image() {
    const std::string image = (scratch() / "image").native();
    EXPECT_TRUE(File::create(image, std::uint64_t{64} << 20));
    output_of({"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-J", "size=8", image});
    return image;
  }
};

// Also while the console never comes to the end of a line.
TEST_F(Ending, AnInterruptGivesTheResultsSoFar) {
  auto program = start_load(std::string("cat /dev/zero > /dev/console & ") + kSyncLoop);
  if (!program) return;
  pause_for(kSomeTurns);
  ASSERT_EQ(::kill(program->pid(), SIGINT), 0);
  const auto ended = finish(*program, kSoon);
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  EXPECT_EQ(ended->code, 3);
  Json run = ended->run();
  EXPECT_EQ(run["ending"], "interrupted");
  EXPECT_GT(run["counters"]["commits"], 0);
  EXPECT_EQ(run["counters"]["commits"], run["counters"]["tids"]);
  EXPECT_GT(run["load_seconds"], 0);
}

TEST_F(Ending, NothingOutlivesAKilledProgramAndTheNextOneSweeps) {
  auto program = start_load(kSyncLoop);
  if (!program) return;
  EXPECT_TRUE(process_named("qemu-system-x86_64"));
  EXPECT_TRUE(process_named("nbdkit"));
  ASSERT_EQ(::kill(program->pid(), SIGKILL), 0);
  EXPECT_TRUE(are_gone());
  EXPECT_EQ(program->wait(kSoon).value().code, 128 + SIGKILL);
  EXPECT_FALSE(left_in_tmp().empty()) << "the test means nothing";
  const auto next = run({"prove", "--kernel", "none", make_image()});
  if (!next) return;
  EXPECT_EQ(next->code, 0) << next->output << next->errors;
  EXPECT_TRUE(left_in_tmp().empty());
}

TEST_F(Ending, ADiskThatIsKilledIsLost) {
  ONLY_IN_LONG_FORM();
  auto program = start_load(kSyncLoop);
  if (!program) return;
  pause_for(kSomeTurns);
  const auto disk = process_named("nbdkit");
  ASSERT_TRUE(disk);
  ASSERT_EQ(::kill(*disk, SIGKILL), 0);
  const auto ended = finish(*program, kSoon);
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  EXPECT_EQ(ended->code, 3);
  EXPECT_EQ(ended->run()["ending"], "the disk was lost");
  EXPECT_GT(ended->run()["counters"]["commits"], 0);
  // What its recorder had written until then can be read.
  const auto verified = run({"verify", "--json", kLoadRecording});
  if (!verified) return;
  EXPECT_EQ(verified->code, 0) << verified->output << verified->errors;
  EXPECT_GT(verified->json["counters"]["commits"], 0);
}

TEST_F(Ending, AMachineThatIsKilledIsLost) {
  ONLY_IN_LONG_FORM();
  auto program = start_load(kSyncLoop);
  if (!program) return;
  pause_for(kSomeTurns);
  const auto machine = process_named("qemu-system-x86_64");
  ASSERT_TRUE(machine);
  ASSERT_EQ(::kill(*machine, SIGKILL), 0);
  const auto ended = finish(*program, kSoon);
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  EXPECT_EQ(ended->code, 3);
  EXPECT_EQ(ended->run()["ending"], "the guest was lost");
  EXPECT_EQ(ended->run()["trouble"], "QEMU ended with status 137");
  EXPECT_GT(ended->run()["counters"]["commits"], 0);
}

TEST_F(Ending, APanicIsSaidInTheKernelsWords) {
  const struct {
    std::vector<std::string> options;
    std::string script;
    const char* words;
  } kCases[] = {
      {{"--append", "panic=1000"}, "echo c > /proc/sysrq-trigger", "sysrq triggered crash"},
      {{"--append", "rdinit=/none"}, "true", "Kernel panic - not syncing"}};
  for (const auto& one : kCases) {
    const auto ended = run(shell_load(one.script, one.options));
    if (!ended) return;
    SCOPED_TRACE(ended->output + ended->errors);
    EXPECT_EQ(ended->code, 3);
    EXPECT_EQ(ended->run()["ending"], "the guest's kernel stopped");
    EXPECT_TRUE(has(ended->run()["trouble"], one.words));
  }
}

TEST_F(Ending, AFloodOnTheConsoleThatNeverEndsIsStoppedAtTheTime) {
  ONLY_IN_LONG_FORM();
  const auto ended =
      run(shell_load("echo begun; cat /dev/urandom > /dev/console", {"--seconds", "4"}));
  if (!ended) return;
  SCOPED_TRACE(ended->errors);
  EXPECT_EQ(ended->code, 0);
  EXPECT_EQ(ended->run()["ending"], "the load ended in order");
  EXPECT_TRUE(has(ended->run()["load_output"], "begun\n"));
  EXPECT_EQ(ended->run()["all_commits_seen"], true);
}

// What the judge stands on is overwritten while it watches: it says so, and the run ends in order.
TEST_F(Ending, DamageInTheStreamIsSaid) {
  ONLY_IN_LONG_FORM();
  const std::string image = make_image();
  const std::string journal = std::to_string(std::stoul(debugfs("blocks <8>", image)));
  const std::string place = debugfs("imap <8>", image);
  const std::size_t number = place.find("block ", place.find("located at"));
  ASSERT_NE(number, place.npos) << place;
  const std::string inode_table = std::to_string(std::stoul(place.substr(number + 6)));
  for (const std::string& block : {std::string("0"), journal, inode_table}) {
    const auto ended = run(shell_load(
        "echo a > f; sync; dd if=/dev/zero of=/dev/vda bs=4096 count=1 conv=notrunc,fsync seek=" +
            block + "; echo b > g; sync; echo 3 > /proc/sys/vm/drop_caches; echo c > h; sync",
        {"--seconds", "30", "--size", "64", "--journal-size", "8"}));
    if (!ended) return;
    SCOPED_TRACE(block + ended->output + ended->errors);
    Json run = ended->run();
    EXPECT_GT(run["counters"]["commits"], 0);
    EXPECT_NE(run["journal_trouble"], "");
    EXPECT_EQ(run["complete"], false);
    // Never 0: what was not checked is not clean, and no state of it mounts as it should.
    const bool has_findings = ended->json["mismatches"] > 0 || ended->json["explored_bad_runs"] > 0;
    EXPECT_EQ(ended->code, has_findings ? 1 : 3);
  }
}

}  // namespace
}  // namespace powercut::vm_testing
