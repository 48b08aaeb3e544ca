#include "host/trace_events.h"

#include <gtest/gtest.h>

#include <cstring>

#include <linux/perf_event.h>
#include <unistd.h>

#include "host/machine.h"

namespace powercut {
namespace {

constexpr const char* kText =
    "name: jbd2_start_commit\nID: 1285\nformat:\n"
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\n\tfield:dev_t dev;\toffset:8;\tsize:4;\tsigned:0;\n"
    "\tfield:char name[8];\toffset:12;\tsize:8;\tsigned:0;\n"
    "\nprint fmt: \"field:x; offset:1;\"\n";

TEST(TraceFormat, FieldsAreReadWhereTheyAre) {
  const auto format = TraceFormat::parse(kText);
  ASSERT_TRUE(format) << error_words(format.error());
  EXPECT_EQ(format->id(), 1285u);
  const std::uint8_t event[20] = {5, 5, 0, 0, 0, 0, 0, 0, 1, 0, 112, 0, 'l', 'o', 'o', 'p'};
  EXPECT_EQ(format->number("dev", Bytes(event, 20)), 0x700001u);
  EXPECT_EQ(format->number("common_type", Bytes(event, 20)), 0x505u);
  EXPECT_EQ(format->text("name", Bytes(event, 20)), "loop");
  EXPECT_EQ(format->text("name", Bytes(event, 19)), "") << "the event is too short";
  EXPECT_FALSE(format->number("dev", Bytes(event, 11)));
  EXPECT_FALSE(format->number("x", Bytes(event, 20)));
  EXPECT_FALSE(format->number("name", Bytes(event, 20)).value_or(0) == 0) << "8 bytes are a number";
}

TEST(TraceFormat, BrokenTextIsRefused) {
  EXPECT_FALSE(TraceFormat::parse(""));
  EXPECT_FALSE(TraceFormat::parse("ID: x\n"));
  EXPECT_FALSE(TraceFormat::parse("ID: 1\nfield:int a; offset:x; size:4;\n"));
  EXPECT_TRUE(TraceFormat::parse("ID: 1"));
}

// One record as perf writes it.
void append_sample(std::vector<std::uint8_t>& to, std::uint32_t thread, std::uint32_t raw_bytes) {
  perf_event_header header{PERF_RECORD_SAMPLE, 0, 0};
  const std::uint32_t numbers[] = {7, thread, 1000, 0, raw_bytes, 0xABCD};
  header.size = sizeof header + sizeof numbers;
  const auto* const head = reinterpret_cast<const std::uint8_t*>(&header);
  const auto* const body = reinterpret_cast<const std::uint8_t*>(numbers);
  to.insert(to.end(), head, head + sizeof header);
  to.insert(to.end(), body, body + sizeof numbers);
}

TEST(TraceSamples, WholeRecordsAndNoMore) {
  std::vector<std::uint8_t> records;
  append_sample(records, 1, 4);
  append_sample(records, 2, 4);
  append_sample(records, 3, 400);  // more than there is
  append_sample(records, 4, 4);
  std::string seen;
  for_each_sample(records, [&](Nanoseconds when, pid_t process, pid_t thread, Bytes raw) {
    EXPECT_EQ(when, Nanoseconds(1000));
    EXPECT_EQ(process, 7);
    EXPECT_EQ(raw.size(), 4u);
    seen += std::to_string(thread);
  });
  EXPECT_EQ(seen, "12");
  for (std::size_t length = 0; length < records.size(); ++length) {
    for_each_sample(Bytes(records.data(), length), [](Nanoseconds, pid_t, pid_t, Bytes) {});
  }
}

TEST(TraceEvents, OurOwnWritesAreSeen) {
  if (!is_root()) GTEST_SKIP() << "trace events need root";
  auto events = TraceEvents::open({{"no/such_event", ""}, {"syscalls/sys_enter_getppid", ""}});
  if (!events) GTEST_SKIP() << error_words(events.error());
  EXPECT_EQ(events->format(0), nullptr);
  if (events->format(1) == nullptr) GTEST_SKIP() << "no trace events of system calls";
  const SteadyClock clock;
  const Nanoseconds before = clock.now();
  static_cast<void>(::getppid());
  bool was_seen = false;
  events->drain([&](const TraceSample& sample) {
    was_seen |= sample.event == 1 && sample.process == ::getpid() && sample.when >= before &&
                sample.when <= clock.now();
  });
  EXPECT_TRUE(was_seen);
}

}  // namespace
}  // namespace powercut
