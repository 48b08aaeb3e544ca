// A run on the running kernel from its start to its end, with each of its options.
#include <csignal>

#include "tests/host_run/host_fixture.h"

namespace powercut::host_run_testing {
namespace {

constexpr const char* kSomeCommits =
    "for i in 1 2 3 4 5 6 7 8 9 10; do echo $i > file$i; sync; done";
constexpr const char* kSyncLoop = "touch $0/begun; while :; do echo x > f; sync f; done";

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

void expect_clean(const Ended& ended) {
  EXPECT_EQ(ended.code, 0);
  Json run = ended.run();
  EXPECT_EQ(run["ending"], "the load ended in order") << run["trouble"];
  EXPECT_EQ(run["complete"], true);
  EXPECT_GT(run["counters"]["commits"], 0);
  EXPECT_EQ(run["counters"]["commits"], run["counters"]["tids"]);
  EXPECT_EQ(run["counters"]["findings"], 0);
  EXPECT_EQ(run["counters"]["verified"], run["counters"]["blocks"]);
}

using RunHost = HostRunTest;

TEST_F(RunHost, EveryCommitOfALoadIsSeen) {
  for (const char* const mode : {"data=journal", "data=ordered", "data=writeback"}) {
    const auto ended = run({"--mount-options", mode}, kSomeCommits);
    if (!ended) return;
    SCOPED_TRACE(std::string(mode) + ended->output + ended->errors);
    expect_clean(*ended);
    EXPECT_EQ(ended->run()["accelerator"], nullptr);
    EXPECT_GE(ended->run()["counters"]["commits"], 10);
  }
}

TEST_F(RunHost, TheCommandIsAloneAndKnowsWhereItIs) {
  const auto ended =
      run({},
          "touch made; pwd; echo $POWERCUT_DIR; echo pid $$; ls -d /proc/[0-9]* | wc -l; "
          "grep \" $POWERCUT_DIR \" /proc/self/mounts; echo to-the-end >&2");
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  expect_clean(*ended);
  const std::string said = ended->run()["load_output"];
  const std::size_t line = said.find('\n');
  ASSERT_NE(line, said.npos);
  EXPECT_TRUE(said.starts_with(tmp().native()));
  EXPECT_EQ(said.substr(line + 1, line), said.substr(0, line)) << "the working folder is the mount";
  EXPECT_TRUE(has(said, "pid 2\n"));
  EXPECT_TRUE(has(said, "errors=remount-ro"));
  EXPECT_TRUE(has(said, "to-the-end\n"));
}

TEST_F(RunHost, ErrorsNeverStopThisMachine) {
  const auto ended =
      run({"--mount-options", "errors=panic"}, "grep \" $POWERCUT_DIR \" /proc/self/mounts");
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  EXPECT_FALSE(has(ended->run()["load_output"], "panic"));
}

TEST_F(RunHost, ACommandThatFailsOrIsNotThereIsSaid) {
  const struct {
    const char* script;
    const char* words;
  } kCases[] = {{"echo because; exit 7", "the load ended with status 7"},
                {"kill -9 $$", "the load ended with status 137"}};
  for (const auto& one : kCases) {
    const auto ended = run({}, one.script);
    if (!ended) return;
    SCOPED_TRACE(ended->output + ended->errors);
    EXPECT_EQ(ended->code, 3);
    EXPECT_EQ(ended->run()["ending"], "the load failed");
    EXPECT_EQ(ended->run()["trouble"], one.words);
  }
  const auto absent = run_words({"run", "--json", "--size", "64", "--journal-size", "4", "--",
                                 "no-such-program", scratch().native()});
  if (!absent) return;
  EXPECT_EQ(absent->run()["trouble"], "the load ended with status 127");
  EXPECT_TRUE(has(absent->run()["load_output"], "no-such-program"));
}

TEST_F(RunHost, ItEndsAtItsTimeWithAllThatTheCommandStarted) {
  const auto ended = run({"--seconds", "1"},
                         "trap '' TERM; setsid sh -c 'while :; do echo x > g; sync g; done' $0 & "
                         "while :; do echo x > f; sync f; done");
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  expect_clean(*ended);
}

TEST_F(RunHost, AMountThatFailsIsSaidInTheKernelsWords) {
  const auto ended = run({"--mount-options", "nosuchoption"}, "true");
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  EXPECT_EQ(ended->code, 3);
  EXPECT_EQ(ended->run()["ending"], "the mount failed");
  EXPECT_TRUE(has(ended->run()["trouble"], "nosuchoption")) << ended->run()["trouble"];
}

TEST_F(RunHost, AnInterruptGivesTheResultsSoFar) {
  Process program = start({}, kSyncLoop);
  ASSERT_TRUE(comes_true("the load runs", [this] { return is_there("begun"); }));
  const auto before = left_in_tmp();
  EXPECT_FALSE(before.empty()) << "the test means nothing";
  ASSERT_EQ(::kill(program.pid(), SIGINT), 0);
  const auto ended = finish(program);
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  EXPECT_EQ(ended->code, 3);
  EXPECT_EQ(ended->run()["ending"], "interrupted");
  EXPECT_EQ(ended->run()["counters"]["commits"], ended->run()["counters"]["tids"]);
  EXPECT_TRUE(left_in_tmp().empty());
}

TEST_F(RunHost, TheDeviceIsHandedOver) {
  const auto ended = run({"--device", "--sector", "4096"},
                         "blockdev --getss $POWERCUT_DEVICE && mke2fs -q -t ext4 -b 4096 "
                         "$POWERCUT_DEVICE && mount $POWERCUT_DEVICE $POWERCUT_DIR && "
                         "echo x > $POWERCUT_DIR/f && sync -f $POWERCUT_DIR/f");
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  expect_clean(*ended);
  EXPECT_TRUE(has(ended->run()["load_output"], "4096\n"));
}

TEST_F(RunHost, MarksReachTheStream) {
  const std::string mark = std::string(POWERCUT_BUILT_PROGRAM) + " mark ";
  const auto ended = run({"--record", "marked.pcrec"},
                         "echo x > f; sync f; " + mark + "one && " + mark + "two; echo said $?");
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  expect_clean(*ended);
  EXPECT_TRUE(has(ended->run()["load_output"], "said 0\n"));
  const auto info = run_words({"record", "info", "--marks", "marked.pcrec"});
  if (!info) return;
  EXPECT_TRUE(has(info->output, "one") && has(info->output, "two")) << info->output;
}

TEST_F(RunHost, ARecordingIsJudgedTheSame) {
  const auto ended = run({"--record", "load.pcrec", "--write-delay-us", "2000", "--mount-options",
                          "data=journal", "--allocate"},
                         kSomeCommits);
  if (!ended) return;
  SCOPED_TRACE(ended->output + ended->errors);
  expect_clean(*ended);
  const auto verified = run_words({"verify", "--json", "load.pcrec"});
  if (!verified) return;
  SCOPED_TRACE(verified->output + verified->errors);
  EXPECT_EQ(verified->code, 0);
  Json counters = verified->json["counters"];
  EXPECT_EQ(counters["commits"], ended->run()["counters"]["commits"]);
  EXPECT_EQ(counters["verified"], ended->run()["counters"]["verified"]);
}

// What was written to a disk of Linux 6.1 when a block changed while it was committed, written
// again: it is found here, too, and so is the image refused that was kept.
TEST_F(RunHost, ABadBlockIsFoundAndItsImageKept) {
  const std::string play = std::string(POWERCUT_PLAY_PROGRAM) + " " + POWERCUT_SOURCE_DIR +
                           "/share/first-find.pcrec $POWERCUT_DEVICE";
  for (const bool until_first : {false, true}) {
    std::filesystem::remove_all(scratch() / "results");  // an image that is there is not replaced
    std::vector<std::string> options = {"--device"};
    if (until_first) options.emplace_back("--until-first");
    const auto ended = run(options, play + (until_first ? "; sleep 1000" : ""));
    if (!ended) return;
    SCOPED_TRACE(ended->output + ended->errors);
    EXPECT_EQ(ended->code, 1);
    Json run = ended->run();
    EXPECT_EQ(run["ending"],
              until_first ? "power cut at the first finding" : "the load ended in order");
    EXPECT_EQ(run["counters"]["findings"], 1);
    ASSERT_EQ(run["findings"].size(), 1u);
    EXPECT_EQ(run["findings"][0]["kind_name"], "data block");
    const std::string kept = run["kept_image"];
    const auto proof = run_words({"prove", "--json", "--kernel", "none", kept});
    if (!proof) return;
    SCOPED_TRACE(proof->output + proof->errors);
    EXPECT_EQ(proof->json["damaged_blocks"].size(), 1u);
    EXPECT_EQ(proof->json["damaged_blocks"][0], run["findings"][0]["home"]);
  }
}

TEST_F(RunHost, WordsThatDoNotGoTogether) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"run", "--cpus", "2", "--", "true"},
        {"run", "--kernel", "debian:6.12", "--device", "--", "true"},
        {"run"},
        {"run", "--preset", "classic", "--", "true"}}) {
    const auto ended = run_words(words);
    if (!ended) return;
    EXPECT_EQ(ended->code, 2) << words.back() << ended->output << ended->errors;
  }
}

}  // namespace
}  // namespace powercut::host_run_testing
