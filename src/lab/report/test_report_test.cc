#include "lab/report/test_report.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

TestSuite some_suite() {
  return {.name = "powercut run",
          .repeat = "powercut run -- sh -c 'a && b'",
          .cases = {{.name = "tag", .seconds = 1.5},
                    {.name = "order",
                     .seconds = 0.25,
                     .failures = {"block 7 <home> before \"tid 9\"\nis", "a\x01\xff"}},
                    {.name = "command", .skipped = "no --check #1"}}};
}

TEST(TestReport, JunitIsOneSuiteWithEveryByteWritable) {
  EXPECT_EQ(junit_xml(some_suite()),
            R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="powercut run" tests="3" failures="1" errors="0" skipped="1" time="1.750">
  <properties>
    <property name="repeat" value="powercut run -- sh -c 'a &amp;&amp; b'"/>
  </properties>
  <testcase classname="powercut run" name="tag" time="1.500"/>
  <testcase classname="powercut run" name="order" time="0.250">
    <failure message="block 7 &lt;home&gt; before &quot;tid 9&quot;&#10;is">)"
            R"(block 7 &lt;home&gt; before &quot;tid 9&quot;&#10;is&#10;a\x01\xff&#10;</failure>
  </testcase>
  <testcase classname="powercut run" name="command" time="0.000">
    <skipped message="no --check #1"/>
  </testcase>
</testsuite>
)");
}

TEST(TestReport, TapHasALineForEachCase) {
  EXPECT_EQ(tap_text(some_suite()), R"(TAP version 13
1..3
ok 1 - powercut run: tag
not ok 2 - powercut run: order
# block 7 <home> before "tid 9" is
# a)"
                                    "\x01\xff"
                                    R"(
ok 3 - powercut run: command # SKIP no --check \#1
# again: powercut run -- sh -c 'a && b'
)");
}

}  // namespace
}  // namespace powercut::lab
