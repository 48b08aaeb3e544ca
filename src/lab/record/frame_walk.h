// A walk over the events of a recording of format 2, with the rules that span its frames: which
// contents are known, which requests are under way, how events are numbered.
// Threads: none of its own.
#pragma once

#include "lab/record/content_cache.h"
#include "lab/record/recorded_state.h"

namespace powercut::lab {

struct WalkedEvent {
  OpenRequest request;  // the event, with the numbers of its contents
  FrameKind frame = FrameKind::kStart;
  std::uint64_t number = 0;  // of an events frame
  OpenRequest completed;     // kCompleted: the submission
};

// The effect on the disk of a base, and of a completion; of others there is none.
void apply(const WalkedEvent& event, DiskPieces& disk);

class FrameWalk {
 public:
  // `file` must outlive the walk.
  FrameWalk(const FrameFile& file, std::uint64_t memory_bytes);
  // Whether the contents of each frame are looked at when it is come to; at first they are.
  void set_looks_at_contents(bool looks) { looks_at_contents_ = looks; }

  // Comes to the next event; false at the end of what is whole.  Errors: kCorrupt, kLimit, kIo.
  Result<bool> has_next();
  // Of the event that was come to.
  bool is_next_numbered() const { return kind_ == FrameKind::kEvents; }
  std::uint64_t next_number() const { return next_number_; }
  // Takes it; valid until the next call.  Errors: kCorrupt; kLimit.
  Result<const WalkedEvent*> take();

  // A frame that is not whole ended the walk.
  bool is_cut() const { return is_cut_; }
  ContentCache& contents() { return contents_; }
  const ContentCache& contents() const { return contents_; }
  const OpenRequests& open() const { return open_; }

 private:
  Result<bool> load_frame();
  Result<void> read_numbers(const FrameEvent& event);

  const FrameFile& file_;
  ContentCache contents_;
  OpenRequests open_;
  bool looks_at_contents_ = true;
  bool is_cut_;
  std::size_t next_frame_ = 0;
  FrameEvents frame_;
  FrameKind kind_ = FrameKind::kStart;
  std::size_t at_ = 0;  // in frame_.events
  std::uint64_t next_number_;
  WalkedEvent walked_;
};

}  // namespace powercut::lab
