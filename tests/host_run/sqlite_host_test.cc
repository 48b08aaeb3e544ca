// A database of SQLite through power cuts: the example of docs/sqlite.md, made short.
#include "tests/host_run/host_fixture.h"

namespace powercut::host_run_testing {
namespace {

constexpr const char* kExamples = POWERCUT_SOURCE_DIR "/share/examples/";

class SqliteHost : public HostRunTest {
 protected:
  void SetUp() override {
    HostRunTest::SetUp();
    if (IsSkipped()) return;
    if (!find_program("sqlite3")) GTEST_SKIP() << "no sqlite3 on this machine";
  }

  // What exploring a load of six rows says.
  std::optional<Ended> explore_load(const std::string& mode, const std::string& how) {
    const std::string load = "POWERCUT=" POWERCUT_BUILT_PROGRAM " sh " + std::string(kExamples) +
                             "sqlite-load.sh " + how + " 6";
    std::filesystem::remove(scratch() / "load.pcrec");
    const auto ended = run(
        {"--record", "load.pcrec", "--explore-seconds", "0.1", "--mount-options", "data=" + mode},
        load);
    if (!ended) return std::nullopt;
    EXPECT_EQ(ended->run()["ending"], "the load ended in order") << ended->output << ended->errors;
    return run_words({"explore", "--json", "load.pcrec", "--judges", "recover,structure", "--check",
                      "sh " + std::string(kExamples) + "sqlite-check.sh", "--examine-max", "60"});
  }
};

TEST_F(SqliteHost, WhatWasCommittedSurvives) {
  for (const char* const mode : {"ordered", "journal"}) {
    for (const char* const how : {"wal full", "delete extra"}) {
      const auto explored = explore_load(mode, how);
      if (!explored) return;
      SCOPED_TRACE(std::string(mode) + " " + how + explored->output + explored->errors);
      EXPECT_EQ(explored->code, 0);
      EXPECT_GT(explored->json["counts"]["examined"], 10);
    }
  }
}

TEST_F(SqliteHost, WithoutSyncsTheLossIsShown) {
  const auto explored = explore_load("ordered", "wal off");
  if (!explored) return;
  SCOPED_TRACE(explored->output + explored->errors);
  EXPECT_EQ(explored->code, 1);
  ASSERT_EQ(explored->json["findings"].size(), 1u);
  EXPECT_EQ(explored->json["findings"][0]["rule"], "command-failed");
}

}  // namespace
}  // namespace powercut::host_run_testing
