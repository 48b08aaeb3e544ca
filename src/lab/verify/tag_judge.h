// The `tag` judge in flight: every commit that passes a disk, checked at the moment it is written.
//
// Words: see finding.h.
//
// Invariants
//   1. A transaction is judged when its commit block is on the disk; with async_commit, whose
//      pieces may come in any order, at a flush that finds it whole, else when a later one begins
//      or the tail passes it: until then some of it may be on its way, and another's flush be in
//      between.  If the power goes before that, it need not be whole.
//   2. The features that it is judged by are those of the journal's superblock at that time.
//   3. Tids are counted: one that passes without a commit block is a finding.
//   4. The place of the journal is read from the file system, again after any change of it.
//   5. A disk without a file system, or with a damaged one, is no failure of the judge: it says so
//      (`trouble`) and waits.
//
// States: no journal known -> journal known (a chain of transactions is expected) <-> chain unknown
// (after a mount, a power cycle or an emptied log the next transaction may begin anywhere).
// Threads: as a DiskObserver; the getters only between its calls.
#pragma once

#include <optional>
#include <vector>

#include "lab/record/request.h"
#include "lab/verify/journal_place.h"
#include "lab/verify/transaction_check.h"

namespace powercut::lab {

struct JudgeCounters {
  std::uint64_t commit_count = 0;
  std::uint64_t tid_count = 0;       // tids that passed, commits missing included
  Tid first_tid, last_tid;           // meaningful once commit_count > 0
  std::uint64_t block_count = 0;     // data blocks that had tags
  std::uint64_t verified_count = 0;  // of these, compared with a checksum of their own
  std::uint64_t descriptor_count = 0, revoke_block_count = 0, revoke_count = 0, escaped_count = 0;
  std::uint64_t journal_bytes = 0;  // written to the journal
  std::uint64_t written_bytes = 0;  // written at all
  std::uint64_t write_count = 0, flush_count = 0;
  std::uint64_t commits_without_flush = 0;  // journal blocks unflushed when the commit block came
  std::uint64_t finding_count = 0;
  std::uint64_t bad_transaction_count = 0;
  std::uint64_t bad_replayable_count = 0;  // of these, still in front of the tail
  std::uint64_t chain_reset_count = 0;     // mounts, emptied logs, power cycles
  Nanoseconds judge_time{0};               // spent in here
};

class FindingSink {
 public:
  virtual ~FindingSink() = default;
  // Called while the disk stands still, with the bad transaction's commit block on it.
  virtual void on_finding(const Finding& finding) = 0;
  // The tail has durably passed a bad transaction.
  virtual void on_no_longer_replayable(Tid tid, Nanoseconds replayable) = 0;
};

struct JudgeOptions {
  // The share of the time since the first request that may go into looking for owners and other
  // versions; findings past it are complete but for those.
  double identify_share = 0.05;
  // Whether counters().judge_time is kept: two looks at the clock for each request.
  bool measures_time = true;
  // Where the disk stands for two devices.
  DeviceSplit split = {};
  // Always allowed for identify, whatever the share.
  Nanoseconds identify_free = std::chrono::seconds(2);
};

class TagJudge final : public DiskObserver {
 public:
  // `view` shows the disk as it is; `clock` measures the judge's own time.  Both, and the sink,
  // must outlive the judge.
  TagJudge(const BlockView& view, const Clock& clock, FindingSink& sink,
           const JudgeOptions& options = {});

  void on_submitted(const Request& request, Nanoseconds when) override;
  void on_completed(const Request& request, Nanoseconds when) override;
  void on_power_cycle(Nanoseconds when) override;
  // Counts what still waits and is whole (async_commit); call at the end of the stream.
  void finish(Nanoseconds when);

  const JudgeCounters& counters() const { return counters_; }
  bool knows_journal() const { return ring_ != nullptr; }
  const JournalRing* ring() const { return ring_; }
  // Why there is no journal to check, or what of the file system could not be read; empty if all is
  // well.
  const std::string& trouble() const { return trouble_; }

 private:
  static constexpr std::size_t kWaitingMax = 4096;
  static constexpr std::size_t kHeadersMax = std::size_t{1} << 20;

  struct WaitingCommit {
    LogBlock log;
    Tid tid;
    std::uint64_t sequence;
  };
  struct BadTransaction {
    Tid tid;
    Nanoseconds since;
  };
  struct Tail {
    Tid sequence;
    bool is_empty = false;
  };

  void find_journal();
  void take_change(const Request& request, Nanoseconds when);
  void take_run(const JournalMap::Run& run, const Request& request);
  void take_block(LogBlock log, Bytes block, std::uint64_t sequence);
  void take_superblock(const Request& request, Nanoseconds when);
  void note_tail(const Request& request, Nanoseconds when);
  void judge_waiting(Nanoseconds when);
  void judge_whole(Nanoseconds when);
  void judge_before(Tid tid, Nanoseconds when);
  bool is_whole(const WaitingCommit& commit);
  void judge(const WaitingCommit& commit, Nanoseconds when);
  bool is_plausible(const WaitingCommit& commit);
  void judge_missed(Tid end, Nanoseconds when, std::uint64_t sequence);
  void settle(CheckedTransaction&& checked, Nanoseconds when, std::uint64_t sequence);
  void report(Finding&& finding, Nanoseconds when, std::uint64_t sequence);
  bool has_headers_of(Tid tid) const;
  void pass_tail(const Tail& tail, Nanoseconds when);
  bool may_identify(Nanoseconds when) const;

  const BlockView& view_;
  const Clock& clock_;
  FindingSink& sink_;
  const JudgeOptions options_;
  const Clock* const own_clock_;  // null: judge_time is not kept

  JournalPlace place_;
  JournalRing* ring_ = nullptr;  // place_'s, once there is one
  std::string trouble_;

  std::vector<SeenHeader> headers_;        // since the last commit; at most kHeadersMax
  std::vector<WaitingCommit> waiting_;     // at most kWaitingMax
  std::optional<Tid> newest_;              // of the blocks of one request
  std::optional<LogBlock> expected_next_;  // where the next transaction begins
  std::optional<Tid> last_tid_;            // of the chain
  std::vector<BadTransaction> bad_;        // still replayable
  std::optional<Tail> written_tail_;       // not durable yet
  bool has_unflushed_blocks_ = false;
  bool superblock_was_written_ = false;  // by the request being taken
  std::optional<Nanoseconds> first_request_;
  Nanoseconds identify_time_{0};
  Nanoseconds sink_time_{0};  // spent in the sink: not the judge's own
  JudgeCounters counters_;
  std::vector<std::uint8_t> block_;
};

}  // namespace powercut::lab
