#include "lab/report/recording_json.h"

#include "lab/verify/json_form.h"

namespace powercut::lab {
namespace {}  // namespace

std::string recording_json(const RecordingSummary& summary) {
  Json marks = Json::array();
  for (const RecordedMark& mark : summary.marks) {
    marks.push_back({{"event", mark.number}, {"ns", mark.when.count()}, {"text", mark.text}});
  }
  return json_document({{"format", summary.facts.format},
                        {"file_bytes", summary.file_bytes},
                        {"disk_bytes", summary.facts.disk_bytes},
                        {"second_device_at", summary.facts.split.second_at},
                        {"cut", summary.is_cut},
                        {"base_bytes", summary.base_bytes},
                        {"folded_events", summary.facts.folded_events},
                        {"carried_requests", summary.carried},
                        {"events", summary.events},
                        {"ns", summary.length.count()},
                        {"writes", summary.writes},
                        {"written_bytes", summary.written_bytes},
                        {"fua_writes", summary.fua_writes},
                        {"flushes", summary.flushes},
                        {"zeroings", summary.zeroings},
                        {"discards", summary.discards},
                        {"completions", summary.completed},
                        {"power_cycles", summary.power_cycles},
                        {"marks", summary.mark_count},
                        {"mark_list", std::move(marks)}});
}

std::string log_counts_json(const LogCounts& counts) {
  return json_document({{"entries", counts.entries},
                        {"writes", counts.writes},
                        {"flushes", counts.flushes},
                        {"discards", counts.discards},
                        {"marks", counts.marks},
                        {"cut_marks", counts.cut_marks},
                        {"disk_bytes", counts.disk_bytes},
                        {"cut", counts.is_cut}});
}

}  // namespace powercut::lab
