// What the log holds and what became of it at home: the transactions that a recovery could still
// replay, the versions of blocks in them, and the writes to those blocks' homes.
//
// Words
//   version   the content of a block as one transaction logged it
//   tail      from where a recovery would begin: transactions before it are never replayed again
//   settled   a version that the tail may pass: it is home durably, superseded by a later version
//             that stays in the log, revoked, or its block is freed, each by a durable commit
//   live      a block that has a version in the log
//
// Invariants
//   1. Transactions are in the order of their tids; those durably passed are gone, and so are their
//      versions.  So memory is bounded by the ring.
//   2. Contents are kept as hashes.
// Threads: one caller at a time.
#pragma once

#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "lab/check/request_times.h"
#include "lab/record/content_pool.h"
#include "lab/verify/journal_ring.h"

namespace powercut::lab {

struct LoggedVersion {
  Tid tid;
  ContentHash hash;            // as it is at home
  std::uint32_t checksum = 0;  // of its tag
  bool is_escaped = false;
  LogBlock log;
};

struct HomeWrite {
  std::uint64_t sequence = 0;
  std::optional<Tid> version;  // nothing: a content that is no version
};

struct LiveBlock {
  std::vector<LoggedVersion> versions;   // oldest first, not empty
  std::vector<HomeWrite> writes;         // in order; those before the last durable one are left out
  std::optional<Tid> revoked, freed;     // by the newest transaction that did
  std::optional<HomeWrite> went_astray;  // a write elsewhere of the newest version's content
};

struct BookedTransaction {
  Tid tid;
  LogBlock first, commit;
  std::uint64_t commit_sequence = 0;  // the request that brought the commit block
  bool is_readable = true;            // false: its blocks are not known
  bool was_announced = false;         // once durable: a recovery would begin at or before it
  std::vector<BlockNo> homes;
};

struct LogTail {
  Tid sequence;           // s_sequence
  bool is_empty = false;  // s_start is 0
  bool passes(Tid tid) const { return is_empty || tid.comes_before(sequence); }
};

class LogBook {
 public:
  explicit LogBook(const RequestTimes& times) : times_(times) {}

  void clear();
  // Versions are those of `transaction.homes`, in the same order.
  void add(BookedTransaction transaction, const std::vector<LoggedVersion>& versions);
  void note_revoked(BlockNo block, Tid tid);
  void note_freed(BlockNo block, Tid tid);
  void note_write(LiveBlock& live, const HomeWrite& write);
  // The tail is durable: what is before it will never be replayed.
  void pass(const LogTail& tail);

  std::deque<BookedTransaction>& transactions() { return transactions_; }
  LiveBlock* find(BlockNo block);
  // The block that has a version of that content which is not home yet.
  std::optional<BlockNo> homeless(const ContentHash& hash) const;
  // Whether its commit block is durable.  One that is not in the book any more was.
  bool is_durable(Tid tid) const;
  bool is_settled(const LiveBlock& live, Tid tid, const LogTail& tail) const;
  // The newest version is revoked (freed) by a transaction, durable or not.
  static bool is_revoked(const LiveBlock& live);
  static bool is_freed(const LiveBlock& live);
  // A later transaction than `tid` cannot be read: what it superseded or revoked is not known.
  bool is_blind_after(Tid tid) const;

 private:
  struct Hasher {
    std::size_t operator()(const ContentHash& hash) const { return hash.low; }
  };
  bool is_home(const LiveBlock& live, Tid tid) const;
  void drop_versions(const BookedTransaction& transaction);

  const RequestTimes& times_;
  std::deque<BookedTransaction> transactions_;
  std::unordered_map<std::uint64_t, LiveBlock> live_;
  std::unordered_map<ContentHash, BlockNo, Hasher> by_content_;  // of newest versions
  std::uint32_t unreadable_count_ = 0;                           // of transactions_
};

}  // namespace powercut::lab
