// Results in the forms that test systems read: JUnit's XML and TAP.
//
// Words
//   suite   one run of powercut
//   case    one thing that the run looked at: a judge, or whether the load itself went well
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace powercut::lab {

struct TestCase {
  std::string name;  // "order"
  double seconds = 0;
  std::vector<std::string> failures = {};             // a line each; empty if the case passed
  std::optional<std::string> skipped = std::nullopt;  // why it was not looked at
};

struct TestSuite {
  std::string name;    // "powercut run"
  std::string repeat;  // the command that repeats it
  std::vector<TestCase> cases;
};

// One <testsuite> in a document of its own.  Bytes that XML cannot hold are shown as \xNN.
std::string junit_xml(const TestSuite& suite);
// TAP version 13; failures as comments under their line.
std::string tap_text(const TestSuite& suite);

}  // namespace powercut::lab
