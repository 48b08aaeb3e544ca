#include "lab/verify/json_form.h"

#include "lab/sources/disk_report.h"

namespace powercut::lab {
namespace {

// A text, a truth value or a number; what is absent or of another type keeps its default.
std::string text_member(const ParsedJson& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}
bool flag_member(const ParsedJson& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_boolean() && found->get<bool>();
}
std::uint64_t count_member(const ParsedJson& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}
double seconds_member(const ParsedJson& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number() ? found->get<double>() : 0;
}

Result<DiskStatus> parse_status(const ParsedJson& json) {
  DiskStatus status;
  status.counters = TRY(counters_from_json(json_line(json.at("counters"))));
  status.trouble = text_member(json, "trouble");
  status.record_trouble = text_member(json, "record_trouble");
  status.folded_events = count_member(json, "folded_events");
  status.failed_count = count_member(json, "failed");
  status.failure = text_member(json, "failure");
  status.dropped_count = count_member(json, "dropped");
  status.cpu_seconds = seconds_member(json, "cpu");
  status.is_last = flag_member(json, "end");
  return status;
}

Result<NoLongerReplayable> parse_passed(const ParsedJson& json) {
  const std::uint64_t tid = count_member(json, "tid");
  const auto replayable = time_from_seconds(seconds_member(json, "seconds"));
  if (tid > 0xFFFF'FFFF || !replayable) {
    return fail(Errc::kCorrupt, "disk report: a transaction that is no longer replayable");
  }
  return NoLongerReplayable{Tid(static_cast<std::uint32_t>(tid)), *replayable};
}

}  // namespace

std::string status_line(const DiskStatus& status) {
  return json_line(Json{{"counters", json_of_line(counters_to_json(status.counters))},
                        {"trouble", status.trouble},
                        {"record_trouble", status.record_trouble},
                        {"folded_events", status.folded_events},
                        {"failed", status.failed_count},
                        {"failure", status.failure},
                        {"dropped", status.dropped_count},
                        {"cpu", status.cpu_seconds},
                        {"end", status.is_last}});
}

std::string finding_line(const Finding& finding) {
  return "{\"finding\":" + finding_to_json(finding) + "}";
}

std::string passed_line(Tid tid, Nanoseconds replayable) {
  return json_line(
      Json{{"replayable", {{"tid", tid.value()}, {"seconds", seconds_of(replayable)}}}});
}

std::string kept_line(const KeptImage& kept) {
  return json_line(Json{{"kept", kept.path}, {"why_not", kept.why_not}});
}

Result<DiskReportLine> parse_report_line(std::string_view text) {
  if (is_nested_too_deep(text)) return fail(Errc::kCorrupt, "disk report: nested too deep");
  const ParsedJson json = parse_json(text);
  if (!json.is_object()) return fail(Errc::kCorrupt, "disk report: not a JSON object");
  DiskReportLine line;
  if (json.contains("counters")) {
    line.status = TRY(parse_status(json));
  } else if (json.contains("finding")) {
    line.finding = TRY(finding_from_json(json_line(json.at("finding"))));
  } else if (json.contains("replayable") && json.at("replayable").is_object()) {
    line.passed = TRY(parse_passed(json.at("replayable")));
  } else if (json.contains("kept")) {
    line.kept = KeptImage{text_member(json, "kept"), text_member(json, "why_not")};
  } else {
    return fail(Errc::kCorrupt, "disk report: a line of no known kind");
  }
  return line;
}

}  // namespace powercut::lab
