// What a recording consists of: events, as a reader gives them.
#pragma once

#include "lab/record/request.h"

namespace powercut::lab {

enum class EventKind : std::uint8_t {  // stored
  kBase = 1,                           // content of the disk before the first request
  kSubmitted = 2,
  kCompleted = 3,  // of the submission with that sequence
  kPowerCycle = 4,
  kMark = 5,  // a line of text that the load put there
};

struct RecordedEvent {
  EventKind kind = EventKind::kBase;
  RequestKind request = RequestKind::kWrite;  // kSubmitted
  Durability durability = Durability::kCached;
  std::uint64_t sequence = 0;
  Nanoseconds when{0};
  std::uint64_t offset = 0, length = 0;
  Bytes data;  // kBase, kMark, the submission of a write; how long it lives: who gave it says
};

inline bool carries_data(const RecordedEvent& event) {
  return event.kind == EventKind::kBase || event.kind == EventKind::kMark ||
         (event.kind == EventKind::kSubmitted && event.request == RequestKind::kWrite);
}

}  // namespace powercut::lab
