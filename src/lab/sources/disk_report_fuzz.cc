// Hostile lines of a disk's report: what is understood is written and understood again.
#include "lab/sources/disk_report.h"

namespace {

using namespace powercut::lab;

std::string written(const DiskReportLine& line) {
  if (line.status) return status_line(*line.status);
  if (line.finding) return finding_line(*line.finding);
  if (line.passed) return passed_line(line.passed->tid, line.passed->replayable);
  return kept_line(line.kept.value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto line = parse_report_line({reinterpret_cast<const char*>(data), size});
  if (!line) return 0;
  if (line->finding) static_cast<void>(line->finding->describe());
  const std::string text = written(*line);
  const auto again = parse_report_line(text);
  CHECK(again, "a line that was written is understood");
  CHECK(again->status.has_value() == line->status.has_value() &&
            again->finding.has_value() == line->finding.has_value() &&
            again->passed.has_value() == line->passed.has_value(),
        "and is of the same kind");
  return 0;
}
