#include "lab/report/recording_text.h"

#include <fmt/format.h>

#include "lab/report/name_text.h"
#include "lab/report/text.h"

namespace powercut::lab {

std::string recording_text(const std::string& name, const RecordingSummary& summary,
                           bool lists_marks) {
  std::string text =
      fmt::format("{}: format {}, {} bytes, of a disk of {} bytes\n", name, summary.facts.format,
                  grouped(summary.file_bytes), grouped(summary.facts.disk_bytes));
  if (summary.facts.split.is_split()) {
    text += fmt::format("  two devices: the second begins at byte {}\n",
                        grouped(summary.facts.split.second_at));
  }
  text +=
      fmt::format("  {} bytes on the disk before the first event\n", grouped(summary.base_bytes));
  if (summary.facts.folded_events != 0) {
    text += fmt::format("  {} events were folded into that; {} requests were under way then\n",
                        grouped(summary.facts.folded_events), grouped(summary.carried));
  }
  text += fmt::format("  {} events in {:.3f} s: {} writes ({} bytes, {} with FUA), {} flushes,\n",
                      grouped(summary.events), seconds_of(summary.length), grouped(summary.writes),
                      grouped(summary.written_bytes), grouped(summary.fua_writes),
                      grouped(summary.flushes));
  text +=
      fmt::format("    {} zeroings, {} discards, {} completions, {} power cycles, {} marks\n",
                  grouped(summary.zeroings), grouped(summary.discards), grouped(summary.completed),
                  grouped(summary.power_cycles), grouped(summary.mark_count));
  if (summary.is_cut) text += "  it ends in a broken part, which was left out\n";
  if (!lists_marks) return text;
  for (const RecordedMark& mark : summary.marks) {
    text += fmt::format("  {:>10}  {:10.6f} s  {}\n", mark.number, seconds_of(mark.when),
                        printable(mark.text));
  }
  return text;
}

std::string log_counts_text(std::string_view verb, const std::string& name,
                            const LogCounts& counts) {
  std::string text = fmt::format(
      "{} {}: {} entries: {} writes, {} flushes, {} discards, {} marks; a disk of {} bytes\n", verb,
      name, grouped(counts.entries), grouped(counts.writes), grouped(counts.flushes),
      grouped(counts.discards), grouped(counts.marks), grouped(counts.disk_bytes));
  if (counts.cut_marks != 0) {
    text += fmt::format("  {} marks were longer than a sector has room for, and were cut\n",
                        grouped(counts.cut_marks));
  }
  if (counts.is_cut) text += "  what was read ends in a broken part, which was left out\n";
  return text;
}

}  // namespace powercut::lab
