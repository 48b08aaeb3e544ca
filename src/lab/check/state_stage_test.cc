// The judges that mount states, on images of mke2fs with a log of ours: each in what it must find,
// and in what it must not.
#include "lab/check/state_stage.h"

#include <gtest/gtest.h>

#include "block/store_device.h"
#include "lab/check/command_judge.h"
#include "lab/check/differential_judge.h"
#include "tests/support/logged_image.h"

namespace powercut::lab {
namespace {

using testing::LoggedImage;

class StateStageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    SKIP_WITHOUT_TOOL("debugfs");
    image_.emplace();
    auto stage = StateStage::open(8u << 20, {}, clock_);
    if (!stage) GTEST_SKIP() << "needs root, FUSE and loop devices: " << error_words(stage.error());
    stage_ = std::move(*stage);
  }

  // The image as it is now, as a disk that nobody writes to.
  const BlockView& disk() {
    file_.emplace(File::open(image_->path(), File::Access::kRead).value());
    device_.emplace(*file_);
    return *device_;
  }
  // A log that brings the folder "new" into the tree.
  void log_new_folder() {
    TransactionSpec transaction;
    transaction.blocks = image_->change_of("mkdir new");
    image_->builder().add_transaction(transaction);
    image_->write();
  }
  std::vector<std::string> rules(StateExaminer& judge, const BlockView& crashed,
                                 const BlockView* recovered,
                                 std::optional<std::span<const BlockNo>> changed = std::nullopt) {
    const std::vector<std::string> marks = {"first", "hello"};
    const auto findings = judge.examine({crashed, recovered, marks, changed});
    if (!findings) return {"error: " + error_words(findings.error())};
    std::vector<std::string> names;
    for (const CheckFinding& finding : *findings) {
      EXPECT_EQ(finding.judge, judge.name());
      words_ = finding.words;
      names.push_back(finding.rule);
    }
    return names;
  }
  std::vector<std::string> rules_of_command(const std::string& command, const BlockView& crashed) {
    CommandJudge judge(*stage_, {command, "", limit()});
    return rules(judge, crashed, nullptr);
  }
  static Nanoseconds limit() { return std::chrono::milliseconds(1500); }

  using Rules = std::vector<std::string>;
  SteadyClock clock_;
  std::optional<LoggedImage> image_;
  std::optional<File> file_;
  std::optional<StoreDevice> device_;
  std::unique_ptr<StateStage> stage_;
  std::string words_;
};

TEST_F(StateStageTest, ACommandSeesTheRecoveredTreeAndTheMarks) {
  log_new_folder();
  const BlockView& state = disk();
  EXPECT_EQ(rules_of_command("test -d new && grep -qx hello \"$POWERCUT_MARKS_SEEN\"", state),
            Rules{});
  EXPECT_EQ(rules_of_command("test -e \"$POWERCUT_DIR/new\" && touch written", state), Rules{});
  // What one command wrote the next one does not see.
  EXPECT_EQ(rules_of_command("test ! -e written", state), Rules{});
}

TEST_F(StateStageTest, ACommandSeesJustTheMarksOfItsState) {
  log_new_folder();
  const BlockView& state = disk();
  CommandJudge judge(*stage_, {"cat \"$POWERCUT_MARKS_SEEN\" | tr '\\n' ' '; exit 1", "", limit()});
  const std::vector<std::string> marks = {"one", "two", "three"};
  for (const auto& [count, words] : {std::pair{0u, "no word"},
                                     {1u, "one"},
                                     {1u, "one"},
                                     {3u, "one two three"},
                                     {2u, "one two"}}) {
    const auto findings = judge.examine({state, &state, std::span(marks).first(count)});
    ASSERT_TRUE(findings) << error_words(findings.error());
    ASSERT_EQ(findings->size(), 1u);
    EXPECT_EQ((*findings)[0].words, std::string("exit status 1: ") + words);
  }
}

TEST_F(StateStageTest, ACommandThatFailsOrHangsIsAFinding) {
  log_new_folder();
  const BlockView& state = disk();
  EXPECT_EQ(rules_of_command("echo one; echo row 7 is gone >&2; exit 3", state),
            Rules{"command-failed"});
  EXPECT_EQ(words_, "exit status 3: row 7 is gone");
  EXPECT_EQ(rules_of_command("sleep 60", state), Rules{"command-hung"});
}

TEST_F(StateStageTest, WhatTheKernelRefusesIsAFindingOfTheCommandAndNoneWhereWeRefuseToo) {
  TransactionSpec transaction = image_->blocks(0, 3);
  image_->builder().add_transaction(transaction);
  image_->builder().damage(Tid(5), BuiltWrite::Kind::kData);
  image_->write();
  const BlockView& state = disk();
  EXPECT_EQ(rules_of_command("true", state), Rules{"mount-refused"});
  DifferentialJudge differential(*stage_);
  EXPECT_EQ(rules(differential, state, nullptr), Rules{});
  EXPECT_EQ(differential.counts().refusal_count, 1u);
  EXPECT_EQ(rules(differential, state, &state), Rules{"kernel-refuses"});
}

TEST_F(StateStageTest, TheKernelsRecoveryIsHeldAgainstOurs) {
  log_new_folder();
  const BlockView& state = disk();
  const RecoveryPlan plan = plan_recovery(state, image_->map()).value();
  const RecoveredView ours(state, image_->map(), plan);
  DifferentialJudge judge(*stage_);
  EXPECT_EQ(rules(judge, state, &ours), Rules{}) << words_;
  EXPECT_EQ(judge.counts().compared_count, 1u);
  EXPECT_EQ(judge.counts().check_count, 1u);
  EXPECT_EQ(rules(judge, state, nullptr), Rules{"kernel-mounts"});

  OverlayDevice other(ours);
  const BlockNo block = image_->pool().front();
  ASSERT_TRUE(
      other.write(block.value() * image_->block_bytes() + 5, Bytes(std::vector<std::uint8_t>{7})));
  EXPECT_EQ(rules(judge, state, &other), Rules{"recovered-otherwise"});
  EXPECT_NE(words_.find("byte 5 of the block: 0x07 by our recovery"), std::string::npos) << words_;
}

TEST_F(StateStageTest, WhatEitherHasChangedIsCompared) {
  log_new_folder();
  const BlockView& state = disk();
  const RecoveryPlan plan = plan_recovery(state, image_->map()).value();
  const RecoveredView ours(state, image_->map(), plan);
  std::vector<BlockNo> changed;
  for (const LoggedBlock& block : plan.transactions.back().blocks) changed.push_back(block.home);
  std::ranges::sort(changed);
  DifferentialJudge judge(*stage_);
  EXPECT_EQ(rules(judge, state, &ours, changed), Rules{}) << words_;
  // What the kernel alone has changed, and what we alone have.
  EXPECT_EQ(rules(judge, state, &state, std::vector<BlockNo>{}), Rules{"recovered-otherwise"});
  OverlayDevice other(ours);
  const BlockNo block = image_->pool().front();
  ASSERT_TRUE(
      other.write(block.value() * image_->block_bytes() + 5, Bytes(std::vector<std::uint8_t>{7})));
  changed.push_back(block);
  EXPECT_EQ(rules(judge, state, &other, changed), Rules{"recovered-otherwise"});
  EXPECT_NE(words_.find("byte 5 of the block: 0x07 by our recovery"), std::string::npos) << words_;
}

TEST_F(StateStageTest, WhatE2fsckObjectsToAfterAMountIsAFinding) {
  image_->image().debugfs("mkdir lost\nclri lost", true);
  image_->write({}, false);
  const BlockView& state = disk();
  DifferentialJudge judge(*stage_);
  EXPECT_EQ(rules(judge, state, &state), Rules{"e2fsck-objects"});
}

}  // namespace
}  // namespace powercut::lab
