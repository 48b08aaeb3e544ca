// Reads a recording event by event, of format 3, 2 or 1, without holding it in memory.
//
// Nothing read is trusted.  A recorder that died leaves at most one frame that is not whole, at the
// end: reading stops there and is_cut() says so.
// Threads: none of its own.
#pragma once

#include <memory>
#include <optional>

#include "lab/record/recorded_state.h"

namespace powercut::lab {

struct RecordingFacts {
  unsigned format = 2;
  std::uint64_t disk_bytes = 0;
  DeviceSplit split;                // format 3
  std::uint64_t folded_events = 0;  // that were dropped, their effect being in the base
};

struct PiecedEvent {
  RecordedEvent event;  // data: a mark's text, or format 1; else the pieces have it
  // From the very beginning, the first being 0.  None: a base, or what was under way at a start in
  // the middle.
  std::optional<std::uint64_t> number;
  std::vector<Piece> pieces;  // format 2: see pieces_of()
};

class RecordingReader {
 public:
  static constexpr std::uint64_t kMemoryBytes = std::uint64_t{256} << 20;
  // `file` must outlive the reader.  `memory_bytes`: of contents that stay
  // unpacked, and the most that one frame of format 1 may take.
  // Errors, also of next(): kCorrupt: not a recording, or a whole frame that breaks the format;
  // kLimit: a disk over 64 GiB; kUnsupported; kIo.
  static Result<std::unique_ptr<RecordingReader>> open(const ByteStore& file,
                                                       std::uint64_t memory_bytes = kMemoryBytes);
  virtual ~RecordingReader() = default;

  virtual const RecordingFacts& facts() const = 0;
  virtual bool is_cut() const = 0;  // as far as it was read
  // Before the first next(): what comes is the recording as if it had been folded up to the event
  // of that number: bases with all that was completed by then, submissions of what was under way,
  // then the events from `number` on.
  // Errors: kInvalid: a number that is folded or past the end; kUnsupported: format 1.
  virtual Result<void> start_at(std::uint64_t number) = 0;

  // The next event, or null at the end; valid until the next call.
  virtual Result<const PiecedEvent*> next_pieced() = 0;
  // The bytes of a piece, appended.  Errors: kChecksum: the file was damaged; kIo.
  virtual Result<void> append_bytes(const Piece& piece, std::vector<std::uint8_t>& to) = 0;
  // Of a content that a piece names (CHECK).
  virtual const ContentHash& hash(ContentNumber number) const = 0;
  virtual std::uint32_t content_length(ContentNumber number) const = 0;

  // As next_pieced(), with the data.
  Result<const RecordedEvent*> next();
  // The data of an event, valid until the next call.
  Result<Bytes> data_of(const PiecedEvent& event);

 private:
  RecordedEvent event_;
  std::vector<std::uint8_t> data_;
};

}  // namespace powercut::lab
