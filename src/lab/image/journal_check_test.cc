#include "lab/image/journal_check.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/logged_image.h"

namespace powercut::lab {
namespace {

using testing::LoggedImage;
using testing::LoggedImageOptions;
using Kind = BuiltWrite::Kind;

class Check : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    SKIP_WITHOUT_TOOL("debugfs");
  }
};

struct Checked {
  JournalCheck check;
  RecoveryPlan plan;
};

Checked checked(const LoggedImage& image, const CheckOptions& options = {}) {
  const auto opened = ImageFile::open({.path = image.path()});
  CHECK(opened && opened->journal(), "the image opens");
  auto check = check_journal(*opened, options);
  CHECK(check, error_words(check.error()).c_str());
  return {*std::move(check), opened->journal()->plan};
}

// Three transactions with revokes, escaped blocks and several descriptors.
void add_log(LoggedImage& image) {
  for (std::uint64_t i = 0; i < 3; ++i) {
    TransactionSpec transaction = image.blocks(10 * i, 7, i);
    transaction.blocks[3].content = magic_block(image.block_bytes(), i);
    transaction.tags_per_descriptor = 4;
    if (i == 1) transaction.revokes = {image.pool()[2]};
    image.builder().add_transaction(transaction);
  }
}

TEST_F(Check, FindsNothingInSoundLogs) {
  for (const ChecksumKind kind :
       {ChecksumKind::kNone, ChecksumKind::kV1, ChecksumKind::kV2, ChecksumKind::kV3}) {
    LoggedImageOptions options;
    options.checksum = kind;
    options.start = LogBlock(1010);  // wraps
    LoggedImage image(options);
    add_log(image);
    image.write();
    const JournalCheck check = checked(image).check;
    EXPECT_TRUE(check.findings.empty()) << check.findings.front().finding.describe();
    EXPECT_EQ(check.live_count, 3u);
    EXPECT_EQ(check.block_count, 21u);
    EXPECT_EQ(check.verified_count, kind == ChecksumKind::kNone ? 0u : 21u);
  }
}

// The check looks at more than a recovery; what a recovery finds, the check finds, and in whole
// transactions nothing else but revoked blocks.
TEST_F(Check, AgreesWithTheRecovery) {
  struct Case {
    const char* what;
    Tid tid;
    Kind kind;
    std::size_t index;
    FindingKind expected;
  };
  const Case cases[] = {
      {"data of the first", Tid(5), Kind::kData, 1, FindingKind::kDataChecksum},
      {"escaped data", Tid(6), Kind::kData, 3, FindingKind::kDataChecksum},
      {"the last block", Tid(7), Kind::kData, 6, FindingKind::kDataChecksum},
      {"a descriptor", Tid(6), Kind::kDescriptor, 1, FindingKind::kDescriptorChecksum},
      {"a revoke block", Tid(6), Kind::kRevoke, 0, FindingKind::kRevokeChecksum},
      {"a commit block", Tid(7), Kind::kCommit, 0, FindingKind::kCommitChecksum},
  };
  for (const ChecksumKind checksum : {ChecksumKind::kV2, ChecksumKind::kV3}) {
    for (const Case& each : cases) {
      SCOPED_TRACE(each.what);
      LoggedImageOptions options;
      options.checksum = checksum;
      LoggedImage image(options);
      add_log(image);
      // Of a commit block only what lies in its header: a tear behind it is accepted.
      image.builder().damage(each.tid, each.kind, each.index,
                             each.kind == Kind::kCommit ? 50 : 200);
      image.write();
      const auto [check, plan] = checked(image);
      ASSERT_EQ(plan.damages.size(), 1u);
      ASSERT_EQ(check.findings.size(), 1u);
      const Finding& finding = check.findings[0].finding;
      EXPECT_EQ(finding.kind, each.expected);
      EXPECT_EQ(finding.log_block, plan.damages[0].log_block);
      EXPECT_EQ(finding.tid, plan.damages[0].tid);
      EXPECT_EQ(finding.home, plan.damages[0].home);
      EXPECT_EQ(finding.stored, plan.damages[0].stored);
      EXPECT_EQ(finding.computed, plan.damages[0].computed);
    }
  }
}

TEST_F(Check, ATornCommitBlockIsToldApart) {
  LoggedImage image;
  add_log(image);
  image.builder().damage(Tid(6), Kind::kCommit, 0, 200);
  image.write();
  const auto [check, plan] = checked(image);
  EXPECT_TRUE(plan.damages.empty());
  ASSERT_EQ(check.findings.size(), 1u);
  EXPECT_TRUE(check.findings[0].is_accepted);
}

TEST_F(Check, OneSumATransactionNamesItsCommitBlock) {
  LoggedImageOptions options;
  options.checksum = ChecksumKind::kV1;
  LoggedImage image(options);
  add_log(image);
  image.builder().damage(Tid(6), Kind::kData, 2);
  image.write();
  const auto [check, plan] = checked(image);
  ASSERT_EQ(plan.damages.size(), 1u);
  ASSERT_EQ(check.findings.size(), 1u);
  EXPECT_EQ(check.findings[0].finding.kind, FindingKind::kTransactionChecksum);
  EXPECT_EQ(check.findings[0].finding.log_block, plan.damages[0].log_block);
}

TEST_F(Check, ARevokedBlockIsToldApart) {
  LoggedImage image;
  add_log(image);
  image.builder().damage(Tid(5), Kind::kData, 2);  // revoked by 6
  image.write();
  const auto [check, plan] = checked(image);
  EXPECT_TRUE(plan.damages.empty());
  ASSERT_EQ(check.findings.size(), 1u);
  EXPECT_EQ(check.findings[0].revoked_by, Tid(6));
}

TEST_F(Check, ABlockOutsideTheFileSystemIsAFinding) {
  LoggedImage image;
  TransactionSpec transaction = image.blocks(0, 2);
  transaction.blocks[1].home = image.map().device_block(LogBlock(2));
  image.builder().add_transaction(transaction);
  image.write();
  const auto [check, plan] = checked(image);
  ASSERT_EQ(plan.damages.size(), 1u);
  ASSERT_EQ(check.findings.size(), 1u);
  EXPECT_EQ(check.findings[0].finding.log_block, plan.damages[0].log_block);
  EXPECT_NE(check.findings[0].finding.describe().find("outside"), std::string::npos);
}

// As a hunt does: whose it is, and how it differs from what the checksum was made of.
TEST_F(Check, AFindingIsToldInFull) {
  LoggedImage image;
  TransactionSpec first = image.blocks(0, 1, 1);
  image.builder().add_transaction(first);
  image.builder().add_transaction(first);
  image.builder().damage(Tid(6), Kind::kData, 0, 100);
  image.write();
  const JournalCheck check = checked(image).check;
  ASSERT_EQ(check.findings.size(), 1u);
  const Finding& finding = check.findings[0].finding;
  ASSERT_TRUE(finding.version);
  EXPECT_TRUE(finding.version->matches_checksum);
  EXPECT_EQ(finding.version->byte_count, 1u);
  ASSERT_TRUE(finding.owner);
  EXPECT_EQ(finding.owner->kind, OwnerKind::kFree);
  const std::string line = finding.describe();
  EXPECT_EQ(line.find("checksum changed (tag3: 0x"), 0u) << line;
}

TEST_F(Check, OldOnesAreCheckedWhenAskedFor) {
  LoggedImage image;
  for (std::size_t i = 0; i < 3; ++i) image.builder().add_transaction(image.blocks(i, 2));
  image.builder().damage(Tid(5), Kind::kData, 0);
  const LogBlock last = image.builder().write_of(Tid(7), Kind::kDescriptor).log;
  image.write([&](JournalSuperblock& superblock) {
    superblock.start = last;
    superblock.sequence = Tid(7);
  });
  EXPECT_TRUE(checked(image).check.findings.empty());
  const JournalCheck check = checked(image, {.checks_old = true}).check;
  EXPECT_EQ(check.live_count, 1u);
  EXPECT_EQ(check.old_count, 2u);
  ASSERT_EQ(check.findings.size(), 1u);
  EXPECT_EQ(check.findings[0].standing, Standing::kOld);
}

TEST_F(Check, ADamagedSuperblockIsAFinding) {
  LoggedImage image;
  image.builder().add_transaction(image.blocks(0, 1));
  image.write();
  image.change_log_block(LogBlock(0), [](MutableBytes block) { block[0x58] ^= 1; });
  const auto opened = ImageFile::open({.path = image.path()});
  ASSERT_TRUE(opened);
  const auto check = check_journal(*opened);
  ASSERT_TRUE(check) << error_words(check.error());
  ASSERT_EQ(check->findings.size(), 1u);
  EXPECT_EQ(check->findings[0].finding.kind, FindingKind::kSuperblock);
  EXPECT_NE(check->findings[0].finding.stored, check->findings[0].finding.computed);
}

TEST_F(Check, WhatLiesBehindDamageIsCounted) {
  LoggedImage image;
  add_log(image);
  image.builder().damage(Tid(5), Kind::kCommit, 0, 50);
  image.builder().damage(Tid(7), Kind::kData, 0, 200);
  image.write();
  const JournalCheck check = checked(image).check;
  EXPECT_EQ(check.live_count, 1u);
  EXPECT_EQ(check.not_reached_count, 2u);
  EXPECT_EQ(check.findings.size(), 1u);
  const JournalCheck all = checked(image, {.checks_old = true}).check;
  EXPECT_EQ(all.not_reached_count, 0u);
  ASSERT_EQ(all.findings.size(), 2u);
  EXPECT_EQ(all.findings[1].standing, Standing::kNotReached);
}

TEST_F(Check, NotMoreIsIdentifiedThanAllowed) {
  LoggedImage image;
  image.builder().add_transaction(image.blocks(0, 5));
  for (std::size_t i = 0; i < 5; ++i) image.builder().damage(Tid(5), Kind::kData, i);
  image.write();
  const JournalCheck check = checked(image, {.identified_max = 2}).check;
  EXPECT_EQ(check.findings.size(), 5u);
  EXPECT_EQ(check.not_identified_count, 3u);
  EXPECT_TRUE(check.findings[1].finding.owner);
  EXPECT_FALSE(check.findings[2].finding.owner);
}

}  // namespace
}  // namespace powercut::lab
