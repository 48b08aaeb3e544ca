// Plays a recording to observers while it is read, so that it need not fit memory.
//
// The disk that they may look at holds what was completed; its contents are unpacked when they are
// read.  Threads: none of its own.
#pragma once

#include <map>
#include <string>

#include "lab/record/recording_reader.h"

namespace powercut::lab {

class RecordingPlayer {
 public:
  // `reader` is fresh, or was told where to start, and outlives the player.
  // Errors: kUnsupported: format 1, which read_recording() and play() are for.
  static Result<std::unique_ptr<RecordingPlayer>> make(RecordingReader& reader);

  // As of the event played last.
  const BlockView& disk() const { return disk_; }
  // Reads what the disk holds at first.  Errors: as RecordingReader::next().
  Result<void> read_base();
  // Plays the rest.  What was under way at a start in the middle is submitted first.
  Result<void> play(const std::vector<DiskObserver*>& observers);
  // Of the first and of the last event that is no base; 0 if there is none.
  Nanoseconds first_time() const { return first_time_; }
  Nanoseconds last_time() const { return last_time_; }

 private:
  class Disk final : public BlockView {
   public:
    explicit Disk(RecordingReader& reader) : reader_(reader), pieces_(reader.facts().disk_bytes) {}
    std::uint64_t size_bytes() const override { return pieces_.disk_bytes(); }
    void put(const std::vector<Piece>& pieces) {
      for (const Piece& piece : pieces) pieces_.put(piece);
    }

   private:
    Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;
    RecordingReader& reader_;
    DiskPieces pieces_;
  };

  explicit RecordingPlayer(RecordingReader& reader) : reader_(reader), disk_(reader) {}
  Result<void> play_one(const PiecedEvent& event, const std::vector<DiskObserver*>& observers);
  Result<Request> request_of(const PiecedEvent& event);

  RecordingReader& reader_;
  Disk disk_;
  std::map<std::uint64_t, PiecedEvent> open_;  // by sequence
  const PiecedEvent* next_ = nullptr;          // read and not played
  bool has_begun_ = false;
  Nanoseconds first_time_{0}, last_time_{0};
};

}  // namespace powercut::lab
