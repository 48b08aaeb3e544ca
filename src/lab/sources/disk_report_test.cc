#include "lab/sources/disk_report.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

int members_of(const DiskReportLine& line) {
  return (line.status ? 1 : 0) + (line.finding ? 1 : 0) + (line.passed ? 1 : 0) +
         (line.kept ? 1 : 0);
}

DiskReportLine parsed(const std::string& text) {
  EXPECT_EQ(text.find('\n'), text.npos) << text;
  const auto line = parse_report_line(text);
  EXPECT_TRUE(line) << text;
  if (!line) return {};
  EXPECT_EQ(members_of(*line), 1) << text;
  return *line;
}

TEST(DiskReport, AStatusComesBack) {
  DiskStatus status;
  status.counters.commit_count = 62;
  status.counters.last_tid = Tid(63);
  status.trouble = "no journal: \"why\"\n";
  status.record_trouble = "its limit";
  status.folded_events = 7;
  status.dropped_count = 5;
  status.cpu_seconds = 1.25;
  status.is_last = true;
  const auto again = parsed(status_line(status)).status.value();
  EXPECT_EQ(status_line(again), status_line(status));
  EXPECT_EQ(again.counters.commit_count, 62u);
  EXPECT_EQ(again.counters.last_tid, Tid(63));
  EXPECT_EQ(again.trouble, status.trouble);
  EXPECT_EQ(again.record_trouble, status.record_trouble);
  EXPECT_EQ(again.folded_events, 7u);
  EXPECT_EQ(again.dropped_count, 5u);
  EXPECT_EQ(again.cpu_seconds, 1.25);
  EXPECT_TRUE(again.is_last);
  EXPECT_FALSE(parsed(status_line({})).status.value().is_last);
}

TEST(DiskReport, AFindingComesBack) {
  Finding finding;
  finding.tid = Tid(17);
  finding.home = BlockNo(37520);
  finding.replayable = Nanoseconds{2'500'000'000};
  const auto again = parsed(finding_line(finding)).finding.value();
  EXPECT_EQ(finding_to_json(again), finding_to_json(finding));
}

TEST(DiskReport, TheEndOfReplayabilityComesBack) {
  for (const auto replayable : {Nanoseconds{0}, Nanoseconds{1}, Nanoseconds{2'500'000'001}}) {
    const auto again = parsed(passed_line(Tid(0xFFFF'FFFF), replayable)).passed.value();
    EXPECT_EQ(again.tid, Tid(0xFFFF'FFFF));
    EXPECT_EQ(again.replayable, replayable);
  }
}

TEST(DiskReport, AKeptImageComesBack) {
  const auto kept = parsed(kept_line({"/a b/\"c\".img", ""})).kept.value();
  EXPECT_EQ(kept.path, "/a b/\"c\".img");
  EXPECT_EQ(kept.why_not, "");
  const auto not_kept = parsed(kept_line({"", "no space left"})).kept.value();
  EXPECT_EQ(not_kept.path, "");
  EXPECT_EQ(not_kept.why_not, "no space left");
}

TEST(DiskReport, RefusesOtherLines) {
  for (const std::string& text :
       {std::string(""), std::string("nbdkit: error"), std::string("[]"), std::string("{}"),
        std::string("{\"counters\""), std::string("{\"counters\":1}"),
        std::string("{\"counters\":{\"commits\":-1}}"), std::string("{\"finding\":[]}"),
        std::string("{\"finding\":{\"tid\":\"7\"}}"), std::string("{\"replayable\":7}"),
        std::string("{\"replayable\":{\"tid\":4294967296}}"),
        std::string("{\"replayable\":{\"tid\":1,\"seconds\":1e200}}"),
        std::string("{\"kept\":\"\xFF\"}"), std::string("{\"kept\":\"\0\"}", 12),
        "{\"finding\":" + std::string(100'000, '[')}) {
    const auto line = parse_report_line(text);
    ASSERT_FALSE(line) << text;
    EXPECT_EQ(line.error().code, Errc::kCorrupt) << text;
  }
}

TEST(DiskReport, WhatIsNoTextCountsAsEmpty) {
  const auto kept = parsed("{\"kept\":7,\"why_not\":[]}").kept.value();
  EXPECT_EQ(kept.path + kept.why_not, "");
  const auto status = parsed("{\"counters\":{},\"dropped\":-1,\"cpu\":\"x\",\"end\":1}").status;
  EXPECT_EQ(status.value().dropped_count, 0u);
  EXPECT_FALSE(status.value().is_last);
}

}  // namespace
}  // namespace powercut::lab
