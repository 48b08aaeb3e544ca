// What lies in the ring of a journal, block by block: also what a recovery does not look at.
//
// Words
//   header    a log block that begins with the journal's magic: descriptor, revoke block, commit
//   piece     a header with the data blocks that it names
//   find      the pieces of one tid that follow one another: a transaction, or what is left of one
//
// A data block never begins with the magic (it is escaped), so a header among the data blocks of a
// piece means that some of these are of another time: never written, or written over since.  Such
// a piece ends there.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "lab/verify/transaction_check.h"

namespace powercut::lab {

// Told of work that takes long: so much of so much is done.  False stops the work (kAborted).
using WorkWatcher = std::function<bool(std::uint64_t done, std::uint64_t total)>;

struct FoundBlock {
  LogBlock log;
  BlockNo home;
  bool is_escaped = false;
  // Of the tag (kV2, kV3): as stored, and of the block as it lies in the log.
  ChecksumPair checksum;
};

struct FoundTransaction {
  Tid tid;
  LogBlock first, last;  // of what is there; `last` is the commit block if there is one
  // Nothing was written over its first blocks: the one in front of it is the commit block before
  // it, or the end of the ring.
  bool has_beginning = false;
  std::optional<CommitBlock> commit;
  bool commit_matches = true;  // the checksum of the commit block over itself (kV2, kV3)
  std::uint32_t descriptor_count = 0, revoke_block_count = 0, escaped_count = 0;
  std::uint32_t missing_count = 0;  // data blocks that a piece names and that are not there
  std::vector<FoundBlock> blocks;   // in log order
  std::vector<BlockNo> revokes;
  // A descriptor or revoke block that does not match or cannot be read: what, and where.
  const char* trouble = nullptr;
  LogBlock trouble_at;
  // Log blocks from first to last, around the ring.
  std::uint32_t length = 0;
};

class RingWalk {
 public:
  // Reads the whole ring once.  `ring` must outlive the walk.
  // Errors: kIo; kLimit: a ring of more than 2^26 blocks; kAborted: the watcher stopped it.
  static Result<RingWalk> make(JournalRing& ring, const WorkWatcher& watcher = {});

  const std::vector<SeenHeader>& headers() const { return headers_; }  // in the order of the ring
  // Those in the `length` blocks from `first` on, around the ring.
  std::vector<SeenHeader> headers_in(LogBlock first, std::uint32_t length) const;
  bool is_claimed(LogBlock log) const { return claimed_[log.value()]; }
  // The header at a log block, if there is one.
  const SeenHeader* header_at(LogBlock log) const;

  // The transaction that begins at `first`, of which the log says that it is whole: the headers
  // that its pieces lead to, whatever else seems to be one.  Claims its blocks.
  // Errors: kIo.
  Result<FoundTransaction> take_whole(LogBlock first, Tid tid);
  // The find that begins with the header at `first` (which there must be: CHECK); claims its
  // blocks.  Errors: kIo.
  Result<FoundTransaction> take_find(LogBlock first);
  // All that nobody claimed, in ring order from `from` on.
  Result<std::vector<FoundTransaction>> take_rest(LogBlock from);

 private:
  explicit RingWalk(JournalRing& ring) : ring_(&ring) {}
  Result<void> read_all(const WorkWatcher& watcher);
  void take_header(LogBlock log, Bytes block);
  Result<FoundTransaction> take(LogBlock first, Tid tid, bool is_whole);
  Result<std::optional<LogBlock>> take_piece(LogBlock at, bool is_whole, FoundTransaction& found);
  Result<void> take_tags(LogBlock at, const std::vector<Tag>& tags, bool is_whole,
                         FoundTransaction& found);
  std::optional<LogBlock> next_header(LogBlock after, Tid tid) const;
  void claim(LogBlock log) { claimed_[log.value()] = true; }
  bool follows_a_commit(LogBlock first, Tid tid) const;

  JournalRing* ring_;
  std::vector<SeenHeader> headers_;  // by log block
  std::vector<bool> claimed_;
  std::vector<std::uint8_t> block_;
};

}  // namespace powercut::lab
