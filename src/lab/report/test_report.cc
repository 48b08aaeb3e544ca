#include "lab/report/test_report.h"

#include <fmt/format.h>

#include <algorithm>

namespace powercut::lab {
namespace {

// XML 1.0 has no way to write most control characters, and text here may hold any bytes of a file
// name; bytes above 0x7F are shown as well, since they need not be UTF-8.
std::string xml_text(std::string_view text) {
  std::string out;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    switch (each) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      case '\n': out += "&#10;"; break;
      default:
        if (byte < 0x20 || byte > 0x7E) {
          out += fmt::format("\\x{:02x}", byte);
        } else {
          out += each;
        }
    }
  }
  return out;
}

// One line: TAP ends a description at the line's end, and takes "#" for a directive.
std::string tap_words(std::string_view text) {
  std::string out;
  for (const char each : text) {
    if (each == '#') out += '\\';
    out += each == '\n' || each == '\r' ? ' ' : each;
  }
  return out;
}

void add_case(std::string& out, const TestSuite& suite, const TestCase& each) {
  out += fmt::format("  <testcase classname=\"{}\" name=\"{}\" time=\"{:.3f}\"",
                     xml_text(suite.name), xml_text(each.name), each.seconds);
  if (each.failures.empty() && !each.skipped) {
    out += "/>\n";
    return;
  }
  out += ">\n";
  if (each.skipped) {
    out += fmt::format("    <skipped message=\"{}\"/>\n", xml_text(*each.skipped));
  } else {
    out += fmt::format("    <failure message=\"{}\">", xml_text(each.failures.front()));
    for (const std::string& failure : each.failures) out += xml_text(failure) + "&#10;";
    out += "</failure>\n";
  }
  out += "  </testcase>\n";
}

}  // namespace

std::string junit_xml(const TestSuite& suite) {
  const auto failed = std::ranges::count_if(
      suite.cases, [](const TestCase& each) { return !each.skipped && !each.failures.empty(); });
  const auto skipped = std::ranges::count_if(
      suite.cases, [](const TestCase& each) { return each.skipped.has_value(); });
  double seconds = 0;
  for (const TestCase& each : suite.cases) seconds += each.seconds;
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += fmt::format(
      "<testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" "
      "time=\"{:.3f}\">\n",
      xml_text(suite.name), suite.cases.size(), failed, skipped, seconds);
  out +=
      fmt::format("  <properties>\n    <property name=\"repeat\" value=\"{}\"/>\n  </properties>\n",
                  xml_text(suite.repeat));
  for (const TestCase& each : suite.cases) add_case(out, suite, each);
  return out + "</testsuite>\n";
}

std::string tap_text(const TestSuite& suite) {
  std::string out = fmt::format("TAP version 13\n1..{}\n", suite.cases.size());
  std::size_t number = 0;
  for (const TestCase& each : suite.cases) {
    const bool is_ok = each.skipped || each.failures.empty();
    out += fmt::format("{} {} - {}: {}", is_ok ? "ok" : "not ok", ++number, tap_words(suite.name),
                       tap_words(each.name));
    if (each.skipped) out += " # SKIP " + tap_words(*each.skipped);
    out += '\n';
    if (is_ok) continue;
    for (const std::string& failure : each.failures) out += "# " + tap_words(failure) + '\n';
  }
  return out + "# again: " + tap_words(suite.repeat) + "\n";
}

}  // namespace powercut::lab
