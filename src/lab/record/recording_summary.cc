#include "lab/record/recording_summary.h"

namespace powercut::lab {
namespace {

class Counter {
 public:
  explicit Counter(RecordingSummary& summary) : summary_(summary) {}

  void take(const PiecedEvent& pieced) {
    const RecordedEvent& event = pieced.event;
    if (event.kind == EventKind::kBase) {
      summary_.base_bytes += event.length;
      return;
    }
    if (!pieced.number) {
      ++summary_.carried;
      return;
    }
    ++summary_.events;
    if (summary_.events == 1) first_ = event.when;
    summary_.length = event.when - first_;
    switch (event.kind) {
      case EventKind::kSubmitted: take_request(event); break;
      case EventKind::kCompleted: ++summary_.completed; break;
      case EventKind::kPowerCycle: ++summary_.power_cycles; break;
      case EventKind::kMark: take_mark(pieced); break;
      case EventKind::kBase: break;
    }
  }

 private:
  void take_request(const RecordedEvent& event) {
    switch (event.request) {
      case RequestKind::kWrite:
        ++summary_.writes;
        summary_.written_bytes += event.length;
        if (event.durability == Durability::kFua) ++summary_.fua_writes;
        break;
      case RequestKind::kZero: ++summary_.zeroings; break;
      case RequestKind::kDiscard: ++summary_.discards; break;
      case RequestKind::kFlush: ++summary_.flushes; break;
    }
  }
  void take_mark(const PiecedEvent& pieced) {
    ++summary_.mark_count;
    if (summary_.marks.size() >= RecordingSummary::kMarksMax) return;
    const Bytes text = pieced.event.data;
    summary_.marks.push_back(
        {*pieced.number, summary_.length, std::string(text.begin(), text.end())});
  }

  RecordingSummary& summary_;
  Nanoseconds first_{0};
};

}  // namespace

Result<RecordingSummary> summarize_recording(const File& file) {
  const auto reader = TRY(RecordingReader::open(file));
  RecordingSummary summary;
  summary.facts = reader->facts();
  summary.file_bytes = file.size_bytes();
  Counter counter(summary);
  while (const PiecedEvent* const event = TRY(reader->next_pieced())) counter.take(*event);
  summary.is_cut = reader->is_cut();
  return summary;
}

}  // namespace powercut::lab
