// The `order` judge: what must be durable before what, held against every request of a stream.
//
// A journal protects a file system only if its writer keeps an order: the blocks of a transaction
// before its commit block, the commit block before anything that relies on it, the blocks at home
// before the log lets go of them.  The judge follows the stream, live or played from a recording,
// and reports each request that breaks a rule, whether or not a power cut at that moment would be
// seen.  The rules by name, and what Linux does: docs/judges.md.
//
// Words: see log_book.h, request_times.h.
//
// Invariants
//   1. A transaction is evaluated when its commit block is completed and a flush is submitted, or
//      its commit block is durable, or the next commit block comes: by then its blocks are there.
//   2. A content is what it is by its hash; where a log block is not what its tag says (the `tag`
//      judge's finding), what the tag says counts as the version, too.
//   3. What cannot be known is not judged: behind a damaged descriptor, or before the stream began.
//   4. A write that is no version of its block is held back as a suspect until the two next
//      transactions have been evaluated: it may be what one of them will commit.
//   5. One finding for each request and rule.
//
// Not judged: the block of the file system's superblock, which Linux also writes directly; blocks
// that were never logged, but for contents that a transaction commits later.
// Memory: the ring's blocks, kSuspectsMax writes.  Threads: as a DiskObserver.
#pragma once

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "lab/check/check_finding.h"
#include "lab/check/free_map.h"
#include "lab/check/given_up.h"
#include "lab/check/log_book.h"
#include "lab/check/logged_walk.h"
#include "lab/check/reach_map.h"
#include "lab/promise/promise.h"
#include "lab/record/request.h"
#include "lab/verify/journal_place.h"

namespace powercut::lab {

class CheckFindingSink {
 public:
  virtual ~CheckFindingSink() = default;
  // Called while the disk stands still.
  virtual void on_finding(const CheckFinding& finding) = 0;
};

struct OrderOptions {
  // kOrdered: data is durable before the commit that makes it reachable.  kUnknown: only what holds
  // for metadata is judged.
  DataMode data = DataMode::kUnknown;
  // Where the disk stands for two devices.
  DeviceSplit split = {};
};

struct OrderCounters {
  std::uint64_t transaction_count = 0;  // evaluated
  std::uint64_t unreadable_count = 0;   // of these, with blocks that are not known
  std::uint64_t version_count = 0;
  std::uint64_t home_write_count = 0;    // blocks written home as a version of theirs
  std::uint64_t older_write_count = 0;   // of these, not the newest version
  std::uint64_t direct_write_count = 0;  // of live blocks that were durably revoked
  std::uint64_t suspect_count = 0;
  std::uint64_t tail_count = 0;      // moves of the tail
  std::uint64_t settled_count = 0;   // versions that it passed
  std::uint64_t given_up_count = 0;  // of these, of files that a recovery would delete or cut
  std::uint64_t finding_count = 0;
};

class OrderJudge final : public DiskObserver {
 public:
  // `view` shows the disk as it is.  Both must outlive the judge.
  OrderJudge(const BlockView& view, CheckFindingSink& sink, const OrderOptions& options = {});

  void on_submitted(const Request& request, Nanoseconds when) override;
  void on_completed(const Request& request, Nanoseconds when) override;
  void on_power_cycle(Nanoseconds when) override;
  // Judges what still waits; call at the end of the stream.
  void finish();

  const OrderCounters& counters() const { return counters_; }
  // Why there is no journal to follow; empty if all is well.
  const std::string& trouble() const { return place_.trouble(); }

 private:
  static constexpr std::size_t kSuspectsMax = 65536;
  static constexpr std::uint32_t kSuspectTransactions = 2;
  static constexpr std::size_t kHeadersMax = std::size_t{1} << 20;
  static constexpr std::uint32_t kMissedMax = 16;

  struct LogSlot {
    std::uint64_t sequence = 0;  // of its last write; 0: none in this stream
    std::optional<Tid> owner;    // the transaction that it is part of, once that was evaluated
  };
  struct SeenHeader {
    LogBlock log;
    Tid tid;
  };
  struct WaitingCommit {
    LogBlock log;
    Tid tid;
    std::uint64_t sequence;
  };
  struct Suspect {
    BlockNo block;
    ContentHash hash;
    std::uint64_t sequence = 0;         // ascending in suspects_
    std::uint64_t evaluated_then = 0;   // transactions
    bool was_live = false;              // it had versions in the log
    bool was_freed = false;             // the newest of them durably
    std::optional<BlockNo> belongs_to;  // another block, whose version it is
    bool is_settled = false;            // explained
  };
  // What the disk's superblocks say, as written, until it is durable.
  struct PendingTail {
    std::uint64_t sequence;
    LogTail tail;
  };
  struct PendingFlag {
    std::uint64_t sequence;
    bool needs_recovery;
  };

  // order_judge.cc: the stream.
  void look_for_journal();
  void take_write(const Request& request);
  Bytes content_of(const Request& request, BlockNo block);
  void take_durable();
  void take_file_system_superblock(const Request& request);
  static CheckFinding finding_of(Tid tid, std::string words);
  static CheckFinding finding_of(BlockNo block, Tid tid, std::string words);
  void report(std::string_view rule, std::uint64_t sequence, CheckFinding finding);

  // order_log.cc: writes to the log, and transactions.
  void take_log_block(LogBlock log, Bytes content, const Request& request);
  void take_tail(Bytes content, const Request& request);
  void check_tail(const LogTail& tail, std::uint64_t sequence);
  void drop_given_up(std::vector<std::pair<BlockNo, Tid>>& unsettled);
  void report_unsettled(const std::vector<std::pair<BlockNo, Tid>>& unsettled,
                        std::uint64_t sequence);
  void take_commit_block(LogBlock log, Tid tid, Bytes content, const Request& request);
  void check_stale_log(LogBlock commit, Tid tid, std::uint64_t sequence);
  void evaluate_waiting();
  bool is_due(const WaitingCommit& commit);
  void evaluate(const WaitingCommit& commit);
  void note_missing(Tid tid, std::uint64_t sequence);
  LogBlock start_of(const WaitingCommit& commit) const;
  // The first request that wrote a block of it; of its commit block, if it has no other.
  std::uint64_t first_write_of(const WaitingCommit& commit, LogBlock start) const;
  std::uint64_t last_write_of(const WaitingCommit& commit, LogBlock start) const;
  void check_commit(const WaitingCommit& commit, LogBlock start, const WalkedTransaction& walked);
  void check_announced();
  std::vector<LoggedVersion> versions_of(const WalkedTransaction& walked, Tid tid);
  void take_frees(const WalkedTransaction& walked, Tid tid, std::uint64_t first_log_write);

  // order_data.cc: ordered mode's data.
  void begin_data_rules(const Volume& volume);
  void take_direct_write(BlockNo block, const Request& request);
  void report_early_reuse(BlockNo block, Tid tid, std::uint64_t sequence);
  void take_freed_data(BlockNo block, Tid tid, std::uint64_t first_log_write);
  void forget_durable_frees();
  bool read_version_before(BlockNo home, MutableBytes into);
  void take_reached(const WaitingCommit& commit, const WalkedTransaction& walked);
  bool has_data(BlockNo block, const WaitingCommit& commit);
  void report_stale(std::vector<BlockNo>& stale, const WaitingCommit& commit);

  // order_home.cc: writes to home blocks.
  void take_home_block(BlockNo block, Bytes content, const Request& request);
  bool may_recover() const;
  const LoggedVersion* version_of(const LiveBlock& live, const ContentHash& hash, Bytes content);
  void take_foreign_content(BlockNo block, LiveBlock& live, const ContentHash& hash, Bytes content,
                            const Request& request);
  void take_discard(BlockNo block, const Request& request);
  void suspect(const Suspect& suspect);
  void settle_suspects_of(BlockNo block, const std::function<bool(const Suspect&)>& explains);
  void settle_suspects(const BookedTransaction& transaction,
                       const std::vector<LoggedVersion>& versions,
                       const std::vector<BlockNo>& revokes, std::uint64_t first_log_write);
  void report_early(const Suspect& suspect, Tid tid, bool is_ahead);
  void report_suspect(const Suspect& suspect);
  void expire_suspects(bool all);
  void drop_oldest_suspect(bool is_sure);

  const BlockView& view_;
  CheckFindingSink& sink_;
  const OrderOptions options_;
  JournalPlace place_;
  JournalRing* ring_ = nullptr;
  RequestTimes times_;
  LogBook book_;
  FreeMap frees_;
  BlockNo superblock_block_;
  ContentHash zero_hash_;  // of a block of zeroes
  std::vector<LogSlot> slots_;
  std::vector<SeenHeader> headers_;
  std::vector<WaitingCommit> waiting_;
  std::optional<Tid> last_tid_;
  std::optional<LogBlock> expected_next_;
  LogTail tail_;  // durable
  bool needs_recovery_ = false;
  std::deque<PendingTail> pending_tails_;
  std::deque<PendingFlag> pending_flags_;
  std::deque<Suspect> suspects_;
  // By block: the requests of its suspects, oldest first.
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> suspects_of_;
  // Ordered mode only; else empty.
  ReachMap reach_;
  std::vector<bool> stale_;  // by block: free, or not written since it was
  std::unordered_map<std::uint64_t, Tid> undurable_frees_;
  // By block: the first write to it since it was free; for data of files.
  std::unordered_map<std::uint64_t, std::uint64_t> first_data_;  // by block
  bool has_log_writes_ = false;                                  // since the journal was found
  std::uint64_t superblock_write_ = 0;  // the newest request that wrote log block 0
  std::set<std::pair<std::uint64_t, std::string>> told_;
  OrderCounters counters_;
  std::vector<std::uint8_t> mixed_, block_;
};

}  // namespace powercut::lab
