#include "lab/verify/finding_json.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

Owner file_owner() {
  Owner owner;
  owner.kind = OwnerKind::kFileData;
  owner.inode = InodeNo(15);
  owner.file_block = FileBlock(48);
  owner.path = "/work/a \"b\"\n";
  return owner;
}

Owner bitmap_owner() {
  Owner owner;
  owner.kind = OwnerKind::kInodeBitmap;
  owner.group = 3;
  owner.note = "a note";
  return owner;
}

Finding full_finding() {
  Finding finding;
  finding.kind = FindingKind::kDataChecksum;
  finding.number = 7;
  finding.when = Nanoseconds{1'507'902'783};
  finding.sequence = 0xFFFF'FFFF'FFFF'FFFF;
  finding.commit_number = 61;
  finding.tid = Tid(0xFFFF'FFFF);
  finding.log_block = LogBlock(6441);
  finding.home = BlockNo(std::uint64_t{1} << 40);
  finding.stored = 0xFFFF'FFFF;
  finding.computed = 1;
  finding.index = 2;
  finding.count = 3;
  finding.is_escaped = true;
  finding.rule = "a rule";
  finding.owner = file_owner();
  finding.block_bytes = 1024;
  finding.version =
      KnownVersion{KnownVersion::Place::kEarlierLog, Tid(60), true, 512, {{0, 8}, {64, 1024}}};
  finding.replayable = Nanoseconds{2'000'000'001};
  return finding;
}

TEST(FindingJson, ComesBackAsItWas) {
  std::vector<Finding> findings{full_finding(), Finding{}};
  findings.push_back(full_finding());
  findings.back().owner = bitmap_owner();
  for (int kind = 0; kind <= static_cast<int>(FindingKind::kSuperblock); ++kind) {
    findings.emplace_back().kind = static_cast<FindingKind>(kind);
  }
  for (const Finding& finding : findings) {
    const std::string text = finding_to_json(finding);
    SCOPED_TRACE(text);
    EXPECT_EQ(text.find('\n'), text.npos);
    const auto again = finding_from_json(text);
    ASSERT_TRUE(again);
    EXPECT_EQ(finding_to_json(*again), text);
    EXPECT_EQ(again->describe(), finding.describe());
    EXPECT_EQ(again->when, finding.when);
    EXPECT_EQ(again->sequence, finding.sequence);
    EXPECT_EQ(again->tid, finding.tid);
    EXPECT_EQ(again->home, finding.home);
    EXPECT_EQ(again->replayable, finding.replayable);
    EXPECT_EQ(again->owner.has_value(), finding.owner.has_value());
    if (finding.version) {
      EXPECT_EQ(again->version.value().ranges, finding.version->ranges);
    }
  }
}

TEST(FindingJson, NamesThatAreNoUtf8GetReplacements) {
  Finding finding = full_finding();
  finding.owner->path = "/work/\xFF\xC0";
  const auto again = finding_from_json(finding_to_json(finding));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->owner.value().path, "/work/\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(FindingJson, CountersComeBack) {
  JudgeCounters counters;
  counters.commit_count = 1;
  counters.tid_count = 0xFFFF'FFFF'FFFF'FFFF;
  counters.block_count = 3;
  counters.verified_count = 4;
  counters.written_bytes = std::uint64_t{1} << 50;
  counters.finding_count = 6;
  counters.bad_replayable_count = 7;
  counters.chain_reset_count = 8;
  counters.first_tid = Tid(9);
  counters.last_tid = Tid(0xFFFF'FFFF);
  counters.judge_time = Nanoseconds{1'234'567'891};
  const std::string text = counters_to_json(counters);
  const auto again = counters_from_json(text);
  ASSERT_TRUE(again) << text;
  EXPECT_EQ(counters_to_json(*again), text);
  EXPECT_EQ(again->tid_count, counters.tid_count);
  EXPECT_EQ(again->last_tid, counters.last_tid);
  EXPECT_EQ(again->judge_time, counters.judge_time);
}

TEST(FindingJson, AbsentFieldsKeepTheirDefaults) {
  const auto finding = finding_from_json("{}");
  ASSERT_TRUE(finding);
  EXPECT_EQ(finding_to_json(*finding), finding_to_json(Finding{}));
  EXPECT_TRUE(counters_from_json("{\"unknown\": []}"));
}

TEST(FindingJson, RefusesWhatDoesNotFit) {
  for (const char* text :
       {"",
        "7",
        "[]",
        "{",
        "{\"kind\":10}",
        "{\"kind\":-1}",
        "{\"kind\":\"0\"}",
        "{\"number\":-1}",
        "{\"number\":1.5}",
        "{\"tid\":4294967296}",
        "{\"stored\":1e300}",
        "{\"when\":1e30}",
        "{\"when\":1e999}",
        "{\"when\":\"1\"}",
        "{\"replayable\":null}",
        "{\"escaped\":1}",
        "{\"rule\":1}",
        "{\"rule\":\"\xFF\"}",
        "{\"owner\":1}",
        "{\"owner\":{\"kind\":13}}",
        "{\"owner\":{\"path\":[]}}",
        "{\"version\":[]}",
        "{\"version\":{\"place\":3}}",
        "{\"version\":{\"ranges\":1}}",
        "{\"version\":{\"ranges\":[[1]]}}",
        "{\"version\":{\"ranges\":[[8,8]]}}",
        "{\"version\":{\"ranges\":[[0,4294967296]]}}",
        "{\"version\":{\"ranges\":[[0,1],[0,1],[0,1],[0,1],[0,1],[0,1],[0,1],[0,1],[0,1]]}}"}) {
    const auto finding = finding_from_json(text);
    ASSERT_FALSE(finding) << text;
    EXPECT_EQ(finding.error().code, Errc::kCorrupt) << text;
  }
  for (const char* text : {"[]", "{\"commits\":-1}", "{\"commits\":\"1\"}", "{\"first_tid\":1e20}",
                           "{\"judge_seconds\":1e10}"}) {
    EXPECT_FALSE(counters_from_json(text)) << text;
  }
}

TEST(FindingJson, RefusesDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_FALSE(is_nested_too_deep(nested(16)));
  EXPECT_TRUE(is_nested_too_deep(nested(17)));
  EXPECT_FALSE(is_nested_too_deep("\"" + nested(100) + "\""));
  EXPECT_TRUE(is_nested_too_deep("\"\\\"\"" + nested(100)));
  EXPECT_FALSE(is_nested_too_deep("\"\\"));
  EXPECT_FALSE(finding_from_json("{\"unknown\":" + nested(500'000) + "}"));
}

TEST(FindingJson, TimesAreRoundedAndBounded) {
  EXPECT_EQ(time_from_seconds(0.1), Nanoseconds{100'000'000});
  EXPECT_EQ(time_from_seconds(-1.5), Nanoseconds{-1'500'000'000});
  EXPECT_EQ(time_from_seconds(1e10), std::nullopt);
  EXPECT_EQ(time_from_seconds(-1e300), std::nullopt);
  EXPECT_EQ(time_from_seconds(std::numeric_limits<double>::quiet_NaN()), std::nullopt);
}

}  // namespace
}  // namespace powercut::lab
