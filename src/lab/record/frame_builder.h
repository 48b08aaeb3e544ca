// A frame of a recording while it is put together, and as it is stored.
//
// Words
//   frame       some events, and the contents that they are the first to name
//   start frame one that holds what the disk held before the first event that is there, and the
//               requests that were under way then; such frames come first
// Threads: none of its own.
#pragma once

#include <span>
#include <vector>

#include "lab/record/content_pool.h"
#include "lab/record/piece.h"
#include "lab/record/recorded_event.h"

namespace powercut::lab {

enum class FrameKind : std::uint8_t { kStart = 1, kEvents = 2 };  // stored

struct RawFrame {
  FrameKind kind = FrameKind::kEvents;
  std::uint64_t first_event = 0;
  std::uint64_t first_sequence = 1;
  Nanoseconds first_time{0};
  std::uint32_t event_count = 0;
  std::uint32_t definition_count = 0;
  std::vector<std::uint8_t> definitions;
  std::vector<std::uint8_t> events;
  std::vector<std::uint8_t> contents;
  bool precedes_fold = false;  // not stored: when it is written the file is folded

  bool is_empty() const { return event_count == 0 && definition_count == 0; }
  std::size_t size_bytes() const { return definitions.size() + events.size() + contents.size(); }
  // At most kUnitBytes, not empty.
  void define(ContentNumber number, const ContentHash& hash, Bytes content);
  // A base or the submission of a write: `contents`, one for each piece.  Else none.
  void add(const RecordedEvent& event, std::span<const ContentNumber> contents);
};

// The frame as it is stored, its header first.  Errors: kLimit: a part over kPartRawBytesMax; kIo:
// zstd.
Result<void> encode_frame(const RawFrame& frame, std::vector<std::uint8_t>& into);

}  // namespace powercut::lab
