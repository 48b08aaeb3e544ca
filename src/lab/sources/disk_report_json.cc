#include <nlohmann/json.hpp>

#include "lab/sources/disk_report.h"

namespace powercut::lab {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A member of one type, or its default.
template <class T>
T member(const Json& json, const char* name, T otherwise) {
  const auto found = json.find(name);
  if (found == json.end()) return otherwise;
  if constexpr (std::is_same_v<T, std::string>) {
    return found->is_string() ? found->template get<T>() : otherwise;
  } else if constexpr (std::is_same_v<T, bool>) {
    return found->is_boolean() ? found->template get<T>() : otherwise;
  } else {
    return found->is_number() ? found->template get<T>() : otherwise;
  }
}

Result<DiskStatus> parse_status(const Json& json) {
  DiskStatus status;
  status.counters = TRY(counters_from_json(dump(json.at("counters"))));
  status.trouble = member(json, "trouble", std::string());
  status.record_trouble = member(json, "record_trouble", std::string());
  status.dropped_count = member(json, "dropped", std::uint64_t{0});
  status.cpu_seconds = member(json, "cpu", 0.0);
  status.is_last = member(json, "end", false);
  return status;
}

}  // namespace

std::string status_line(const DiskStatus& status) {
  return dump({{"counters", Json::parse(counters_to_json(status.counters))},
               {"trouble", status.trouble},
               {"record_trouble", status.record_trouble},
               {"dropped", status.dropped_count},
               {"cpu", status.cpu_seconds},
               {"end", status.is_last}});
}

std::string finding_line(const Finding& finding) {
  return "{\"finding\":" + finding_to_json(finding) + "}";
}

std::string passed_line(Tid tid, Nanoseconds replayable) {
  return dump({{"replayable", {{"tid", tid.value()}, {"seconds", seconds_of(replayable)}}}});
}

std::string kept_line(const KeptImage& kept) {
  return dump({{"kept", kept.path}, {"why_not", kept.why_not}});
}

Result<DiskReportLine> parse_report_line(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return fail(Errc::kCorrupt, "disk report: not a JSON object");
  DiskReportLine line;
  if (json.contains("counters")) {
    line.status = TRY(parse_status(json));
  } else if (json.contains("finding")) {
    line.finding = TRY(finding_from_json(dump(json.at("finding"))));
  } else if (json.contains("replayable") && json.at("replayable").is_object()) {
    const Json& passed = json.at("replayable");
    const std::chrono::duration<double> seconds(member(passed, "seconds", 0.0));
    line.passed = NoLongerReplayable{Tid(member(passed, "tid", 0u)),
                                     std::chrono::duration_cast<Nanoseconds>(seconds)};
  } else if (json.contains("kept")) {
    line.kept =
        KeptImage{member(json, "kept", std::string()), member(json, "why_not", std::string())};
  } else {
    return fail(Errc::kCorrupt, "disk report: a line of no known kind");
  }
  return line;
}

}  // namespace powercut::lab
