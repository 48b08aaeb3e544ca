// What a power cut may leave on a disk, at one moment of a stream after another.
//
// Words
//   candidate    a content that a block may hold after the cut: what is surely there, or a write
//                that may have got there
//   covered      a write is covered by a flush that was submitted after it was completed and has
//                completed, or when it is completed itself and was made with FUA
//   pending      a block with candidates of more than one content
//   crash point  the moment just before a cover takes effect, or the end of the stream; its name
//                is the number of events before it
//   window       the candidates of all blocks at a crash point
//   device       a disk can stand for two, each with a cache of its own: a flush covers what lies
//   on
//                its device alone
//
// Invariants
//   1. Each block is lost or kept on its own, those of one request too.
//   2. A write goes out of the candidates only when one that was submitted after its completion is
//      covered.  Writes that overlapped in time can both be what a cut leaves, also when both are
//      covered; so can a write that was never completed.
//   3. Candidates only come between two covers.  So every state of any moment is a state of the
//      crash point that follows it, and the crash points are all that must be looked at.
// It knows no file system.  Threads: one caller at a time.
#pragma once

#include <deque>
#include <span>
#include <unordered_map>
#include <vector>

#include "lab/record/block_stream.h"

namespace powercut::lab {

struct CrashModel {
  // A disk that lies: a flush takes effect only when so many more have come, and FUA means nothing.
  std::uint32_t lied_flushes = 0;
  // A write can be cut after any whole number of so many bytes; 0: blocks are whole.
  std::uint32_t atomic_bytes = 0;
};

struct Candidate {
  ContentId content;
  // Of the last write of it in its window, from 1 in the order of submission; 0: what is there if
  // none of those writes got there.
  std::uint32_t number = 0;
  // Only so many of its first `atomic_bytes` pieces are there, the rest is that of number 0; 0:
  // all.
  std::uint32_t pieces = 0;
};

struct PendingBlock {
  BlockNo block;
  std::uint32_t first = 0, count = 0;  // of its candidates; at least 2, the first is number 0
};

// One candidate taken for one pending block, both as indices.
struct Choice {
  std::uint32_t slot = 0, digit = 0;
  friend bool operator==(const Choice&, const Choice&) = default;
};

class CrashWindow {
 public:
  // `stream` must outlive it.  Torn contents are added to its pool.
  CrashWindow(BlockStream& stream, const CrashModel& model);

  // On to the next crash point that has a pending block; the last one is the end of the stream,
  // with or without.  False behind that.  Errors: kLimit: no room for torn contents.
  Result<bool> advance();

  // All of these: of the crash point that advance() came to.
  std::uint32_t crash_point() const { return crash_point_; }
  bool is_at_end() const { return has_ended_; }  // of the stream
  // In the order of the first write that may be there.
  std::span<const PendingBlock> pending() const { return pending_; }
  std::span<const Candidate> candidates(const PendingBlock& pending) const {
    return std::span(candidates_).subspan(pending.first, pending.count);
  }
  // The writes, number 1 first: which candidate of which pending block each would leave.
  std::span<const Choice> steps() const { return steps_; }
  // What a block holds if no write got there that may be lost.
  ContentId durable(BlockNo block) const { return durable_[block.value()]; }
  // Blocks whose durable() is another than at the crash point before (at first: than the base).
  std::span<const BlockNo> changed() const { return changed_; }
  // The logarithm to base 2 of the number of states: of choices of a candidate for each block.
  double log2_states() const;

 private:
  using Position = std::uint32_t;  // of an event, from 1; 0 is before all
  static constexpr Position kNever = ~Position{0};
  struct Write {
    ContentId content;
    Position submitted = 0, completed = 0;
    std::uint32_t write = 0;  // in the stream, from 1; 0: the base.  For the order in a request
    bool is_covered = true;
  };
  using Writes = std::vector<Write>;  // in order of submission, the base first
  struct PlacedWrite {
    std::uint32_t write;  // as Write::write
    Choice step;
  };

  struct Cover {
    Position flushed = 0;     // writes completed before it
    std::uint32_t event = 0;  // or: the writes of this event (FUA)
    bool is_fua = false;
    FlushScope scope = FlushScope::kAll;
  };
  struct Flush {
    Position submitted = 0;
    FlushScope scope = FlushScope::kAll;
  };

  void take_submitted(const StreamEvent& event);
  // What the completion covers, if anything.
  std::optional<Cover> take_completed(const StreamEvent& event);
  void take_power_cycle();
  std::optional<Cover> take_flush(const Flush& flush);
  bool is_of(BlockNo block, FlushScope scope) const;
  bool covers_anything(const Cover& cover) const;
  void apply(const Cover& cover);
  // True if only its durable content is left.
  bool settle(BlockNo block, Writes& writes);
  static const Write& durable_of(const Writes& writes);
  Result<void> collect();
  void add_candidates(BlockNo block, const Writes& writes, std::vector<PlacedWrite>& placed);
  Result<void> add_all_torn();
  Result<void> add_torn(ContentId durable, const Candidate& whole);
  Position position() const { return next_ + 1; }  // of the event being looked at

  BlockStream& stream_;
  const CrashModel model_;
  std::uint32_t next_ = 0;  // event
  bool has_ended_ = false;
  std::vector<ContentId> durable_;
  std::unordered_map<std::uint64_t, Writes> open_;         // by block
  std::unordered_map<std::uint64_t, Position> submitted_;  // by sequence, not completed
  std::deque<Flush> flushes_;                              // that were lied about
  std::optional<Cover> cover_;                             // takes effect at the next advance()

  std::uint32_t crash_point_ = 0;
  std::vector<PendingBlock> pending_;
  std::vector<Candidate> candidates_;
  std::vector<Choice> steps_;
  std::vector<BlockNo> changed_;
};

}  // namespace powercut::lab
