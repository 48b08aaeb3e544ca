// The writer of the journal (jbd2): changes of many blocks reach the disk together or not at all.
//
// Words
//   handle        one operation's part in the running transaction (jbd2: handle_t)
//   credits       blocks that a handle may still add to its transaction
//   running       the transaction that handles join; there is at most one
//   cut           the moment between the last handle of a transaction and the first of the next
//   committing    the transaction that is being written to the log; at most one.  The next one is
//                 open meanwhile
//   durable       its commit block, and all before it, is on stable storage
//   checkpoint    writes what the oldest transactions of the log changed to its home, so that
//                 their room in the log can be used again
//   tail, head    where the log that recovery would read begins, and where it will go on
//   stopped       after the first failed write of the log or of a home block: everything is refused
//
// Invariants
//   1. A block that a handle changed is in the log, in a transaction with all else that the handle
//      changed, before it is written home.
//   2. The commit block counts only where everything before it is durable: it is written after
//      that, or its checksum is over all of it (single_wait).  A transaction is durable when all
//      of it is, its commit block too.
//   3. Room for all that the running and the committing transaction may still log is free in the
//      log before a credit is given.
//   4. The log from the durable tail on is not overwritten: the tail moves first, by a durable
//      write, and it moves behind a transaction when each of its blocks is home, or was logged
//      again, or given up, by a transaction that is durable.
//   5. A transaction number is used once, and is beyond all that lie in the ring.
//   6. After a stop nothing is acknowledged any more, and nothing is written but that it stopped.
//
// States of a transaction (who moves it)
//   running --cut()--> committing --write_transaction()--> durable
//   durable --checkpoint()--> gone
//
// Threads: any thread may call any public function.  Whoever wants a transaction durable commits it
// itself if nobody is at it (commit.cc), so that an fsync needs no other thread; two tasks of the
// journal's own commit by age and by size, and checkpoint in time (service.cc).  docs/engine.md.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "base/task.h"
#include "base/wall_clock.h"
#include "block/block_device.h"
#include "buffer/buffer.h"
#include "format/jbd2.h"
#include "journal/log_image.h"
#include "journal/participant.h"
#include "journal/section.h"
#include "journal/transaction.h"
#include "recovery/journal_map.h"

namespace powercut {

struct JournalOptions {
  // A transaction is committed when it is as old; 0: only when asked.
  Nanoseconds commit_interval = std::chrono::seconds(5);
  // Checksums computed once more just before the write; a difference stops the journal with
  // "checksum changed (tag3: 0x..., calc: 0x...)".
  bool verify_before_write = false;
  // Tasks of the journal's own commit by age and by size and checkpoint in time.  Without them all
  // of that happens when somebody asks or the log is full.
  bool has_service = true;
  // A commit that somebody waits for waits a little for those who waited for the last one, so that
  // they share it: half as long as that took at most.
  bool gathers = true;
  // All of a transaction in flight together, its commit block too, and one flush (jbd2:
  // async_commit): recovery takes it for whole by the checksum in the commit block (v1).  Only
  // without has_checksums: with v3 a recovery refuses a log whose commit block came before its
  // data.
  bool single_wait = false;
  // A commit waits for an atomic section no longer than until it is as old.
  Nanoseconds section_age_max = std::chrono::seconds(5);
};

// Where a journal is, and what it is to be.  The log is empty (recovered before).
struct JournalPlace {
  BlockDevice* device = nullptr;  // holds the log and the file system
  JournalMap map;
  JournalSuperblock superblock;  // as stored; its features are kept, checksums and 64bit set
  bool has_checksums = true;     // v3 (the file system has metadata_csum); else none, or v1
  Tid first_tid;                 // of the first transaction: beyond all that lie in the ring
};

class Journal;

// One operation's part in the running transaction.  While it lives the transaction is not cut.
//
// The destructor leaves the transaction and gives back what was not used.  It does not undo: an
// operation that fails half-way must have changed nothing yet (reserve and look first, then
// change). A thread that holds a handle starts no other and waits for no commit.
class [[nodiscard]] Handle {
 public:
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&&) = delete;
  ~Handle();

  // For wait_durable(): what this handle changes is durable when that transaction is.
  Tid tid() const { return tid_; }
  Credits left() const { return Credits(granted_ - used_); }

  // Calls change(MutableBytes) on the block's content, under the buffer's lock: it cannot fail,
  // takes no lock of rank kBuffer or before, and is short.  The buffer is loaded (CHECK).  Costs a
  // credit unless the block is the transaction's already; none left is a mistake of the caller.
  template <class Change>
  void change(const BufferRef& buffer, Change&& change) {
    if (buffer->change_for(tid_, std::forward<Change>(change))) joined(buffer);
  }
  // Gives the block a new content as a whole.
  void replace(const BufferRef& buffer, Content content) {
    if (buffer->replace_for(tid_, std::move(content))) joined(buffer);
  }
  // The block is free from this transaction on: nothing of it is logged any more, and when the
  // transaction is durable nothing older has to go home.  The block may be used again, in this
  // transaction too, by replace().  Costs no credit.
  void forget(const BufferRef& buffer);

  // Asks for more credits; false if the transaction cannot grow: end this handle at a place where
  // the file system is whole, and start another.
  bool extend(Credits more);

 private:
  friend class Journal;
  Handle(Journal& journal, Tid tid, Credits granted)
      : journal_(&journal), tid_(tid), granted_(granted.value()) {}
  void joined(const BufferRef& buffer);

  Journal* journal_;
  SectionState* section_ = nullptr;  // whose credits it lives on, if any
  Tid tid_;
  std::uint32_t granted_ = 0, used_ = 0;
};

struct JournalCounters {
  std::uint64_t commits = 0, logged_blocks = 0, log_bytes = 0, revokes = 0;
  std::uint64_t checkpoints = 0, home_blocks = 0, superseded_blocks = 0, flushes = 0;
  std::uint64_t waits_for_room = 0;  // handles that had to wait for a commit or a checkpoint
};

class Journal {
 public:
  // Writes the journal's superblock so that the log begins here, and flushes.  `participant` may be
  // null; it, the device and the clocks outlive the journal.
  // Errors: kUnsupported: single_wait with v3; kInvalid: the log is not empty; kLimit: a log too
  // small for one transaction; kIo.
  static Result<std::unique_ptr<Journal>> open(JournalPlace place, const Clock& clock,
                                               const WallClock& wall_clock,
                                               CommitParticipant* participant,
                                               const JournalOptions& options);
  // Ends without a commit, as if the power was cut; close() first if that is not wanted.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Waits for room in the running transaction and in the log.
  // Errors: kAborted: the journal stopped; kLimit: more than credits_max().
  Result<Handle> start(Credits want) EXCLUDES(mutex_);
  // The most that one handle can ask for.
  Credits credits_max() const { return Credits(transaction_blocks_max_ / 2); }

  // The task's operations, until the section ends, are one: they reach the disk together.
  // `reserve`: what all of them may change at most.  Operations that need several transactions are
  // refused (kLimit), and so is waiting for a commit (kInvalid) before the end. Errors: as start();
  // kInvalid: the task is in a section.
  Result<Section> begin_section(Credits reserve) EXCLUDES(mutex_);

  // What is left of the reserve of the section that the task is in; nothing if it is in none.
  std::optional<Credits> section_left() const EXCLUDES(mutex_);

  // Returns when that transaction is durable; commits it if it runs.  0 of it is open here: a
  // thread with a handle must not call it.  Errors: kAborted; kInvalid: the
  // task is in a section.
  Result<void> wait_durable(Tid tid) EXCLUDES(mutex_);
  // Everything whose handle has ended before the call is durable.  Errors: kAborted.
  Result<void> commit() EXCLUDES(mutex_);
  bool is_durable(Tid tid) const EXCLUDES(mutex_);
  // Of the newest transaction that has begun: what was changed is in it, or in one before.
  Tid newest() const EXCLUDES(mutex_);
  // Commits, and writes everything home: the log is empty.  Errors: kAborted.
  Result<void> checkpoint_all() EXCLUDES(mutex_);
  // checkpoint_all(), and says in the journal's superblock that there is nothing to recover.
  // Everything is refused afterwards.  Errors: kAborted.
  Result<void> close() EXCLUDES(mutex_);
  // Stops: as after a failed write of the log.  `errno_value`: kept in the journal's superblock
  // (s_errno; negative, as the kernel's).
  void stop(const Error& why) EXCLUDES(mutex_);
  // Why the journal stopped, if it did.
  std::optional<Error> stopped() const EXCLUDES(mutex_);

  JournalCounters counters() const EXCLUDES(mutex_);
  const JournalFormat& format() const { return format_; }
  std::uint32_t ring_blocks() const { return ring_end_ - first_; }

 private:
  friend class Handle;
  friend class Section;
  Journal(JournalPlace place, const Clock& clock, const WallClock& wall_clock,
          CommitParticipant* participant, const JournalOptions& options);

  // Handles (journal.cc).
  void leave(Handle& handle) EXCLUDES(mutex_);
  void joined(Handle& handle, const BufferRef& buffer) EXCLUDES(mutex_);
  void forget(Handle& handle, const BufferRef& buffer) EXCLUDES(mutex_);
  bool extend(Handle& handle, Credits more) EXCLUDES(mutex_);
  bool fits(std::uint32_t more) const REQUIRES(mutex_);
  Result<void> make_room(std::uint32_t more) REQUIRES(mutex_);
  void wait_for_room() REQUIRES(mutex_);
  void check_runs(const Handle& handle) const REQUIRES(mutex_);
  bool is_large() const REQUIRES(mutex_);

  // Sections (section.cc).
  SectionState* section_of_task() const;
  Result<Handle> start_in_section(SectionState& section, Credits want) EXCLUDES(mutex_);
  Result<void> end_section(SectionState& state) EXCLUDES(mutex_);
  void take_out(SectionState& state) REQUIRES(mutex_);
  Nanoseconds split_old_sections() REQUIRES(mutex_);

  // Commit (commit.cc): by one task at a time.
  Result<void> sync_to(Tid tid) REQUIRES(mutex_);
  Result<void> lead_or_wait(Tid tid, bool gathers = false) REQUIRES(mutex_);
  void gather() REQUIRES(mutex_);
  bool are_all_here() const REQUIRES(mutex_);
  Result<void> run_commit() EXCLUDES(mutex_);
  Transaction* cut() EXCLUDES(mutex_);
  void let_participant_change() REQUIRES(mutex_);
  bool wait_for_handles() REQUIRES(mutex_);
  void collect(Transaction& transaction) EXCLUDES(mutex_);
  LogBlock take_log(Transaction& transaction) EXCLUDES(mutex_);
  Result<void> write_transaction(Transaction& transaction) EXCLUDES(mutex_);
  std::vector<BlockWrite> writes_of(const LogImage& image) const;
  Result<void> write_in_order(const LogImage& image, Tid tid) EXCLUDES(mutex_);
  Result<void> write_at_once(const LogImage& image, Tid tid) EXCLUDES(mutex_);
  void finish(Transaction& transaction) EXCLUDES(mutex_);

  // Checkpoint (checkpoint.cc): by one task at a time.
  Result<void> checkpoint_or_wait(std::uint32_t wanted_blocks) REQUIRES(mutex_);
  Result<void> checkpoint(std::uint32_t wanted_blocks) EXCLUDES(mutex_);
  std::vector<Transaction*> oldest(std::uint32_t wanted_blocks) EXCLUDES(mutex_);
  Result<void> write_home(const std::vector<Transaction*>& transactions) EXCLUDES(mutex_);
  Result<void> move_tail(std::size_t done) EXCLUDES(mutex_);

  LogBlock behind(const Transaction& transaction) const;
  std::uint64_t offset_of(LogBlock log) const;  // on the device, bytes

  // The journal's superblock (checkpoint.cc).
  Result<void> take_superblock_bytes() EXCLUDES(superblock_mutex_);
  Result<void> write_superblock(LogBlock start, Tid sequence) EXCLUDES(superblock_mutex_);
  Result<void> put_superblock(Durability durability) REQUIRES(superblock_mutex_);
  void write_error(const Error& why) EXCLUDES(superblock_mutex_);

  // The journal's own tasks (service.cc).
  void serve_commits() EXCLUDES(mutex_);
  void serve_checkpoints() EXCLUDES(mutex_);

  std::uint32_t free_blocks() const REQUIRES(mutex_);
  Failure refusal() const REQUIRES(mutex_);

  // Constant after construction.
  BlockDevice& device_;
  const Clock& clock_;
  const WallClock& wall_clock_;
  CommitParticipant* const participant_;
  const JournalOptions options_;
  const JournalMap map_;
  const JournalFormat format_;
  const LogBlock first_, ring_end_;
  const std::uint32_t transaction_blocks_max_;
  const std::uint32_t cut_credits_;

  mutable Mutex mutex_{LockRank::kJournalState};
  Condition changed_;     // credits came back, a cut, a commit, a checkpoint, a stop
  Condition no_handles_;  // the last handle left the transaction that is to be cut
  Condition gathered_;    // one more waits for the commit that is to begin, or it must begin now
  Condition work_;        // there may be something for the journal's own tasks
  std::unique_ptr<Transaction> running_ GUARDED_BY(mutex_);
  std::unique_ptr<Transaction> committing_ GUARDED_BY(mutex_);
  std::deque<std::unique_ptr<Transaction>> in_log_ GUARDED_BY(mutex_);  // durable, oldest first
  Tid next_tid_ GUARDED_BY(mutex_);                // of the transaction after running_
  Tid durable_tid_ GUARDED_BY(mutex_);             // the newest durable one
  LogBlock head_ GUARDED_BY(mutex_);               // where the next transaction will be written
  std::uint32_t used_ GUARDED_BY(mutex_) = 0;      // log blocks from the durable tail to head_
  std::uint32_t cut_need_ GUARDED_BY(mutex_) = 0;  // log blocks of a transaction cut, not laid out
  std::uint32_t waiters_for_room_ GUARDED_BY(mutex_) = 0;
  bool is_committing_ GUARDED_BY(mutex_) = false;  // some task runs run_commit()
  bool must_hurry_ GUARDED_BY(mutex_) = false;     // somebody needs the room, not the commit
  std::vector<const void*> last_syncers_ GUARDED_BY(mutex_);  // of the newest durable transaction
  Nanoseconds commit_time_ GUARDED_BY(mutex_){0};             // that the last commit took
  Nanoseconds commit_ended_ GUARDED_BY(mutex_){0};            // when
  unsigned gather_pause_ GUARDED_BY(mutex_) = 0;  // commits that do not gather after one in vain
  unsigned gather_skips_ GUARDED_BY(mutex_) = 0;  // of these still to come
  bool is_checkpointing_ GUARDED_BY(mutex_) = false;  // some task runs checkpoint()
  bool wants_cut_ GUARDED_BY(mutex_) = false;         // no handle joins the running one any more
  bool is_closed_ GUARDED_BY(mutex_) = false;
  std::vector<SectionState*> sections_ GUARDED_BY(mutex_);  // of the running transaction
  std::optional<Error> stopped_ GUARDED_BY(mutex_);
  JournalCounters counters_ GUARDED_BY(mutex_);

  Mutex superblock_mutex_{LockRank::kLogBuffer};  // held while it is written
  JournalSuperblock superblock_ GUARDED_BY(superblock_mutex_);
  std::vector<std::uint8_t> superblock_bytes_ GUARDED_BY(superblock_mutex_);

  Task committer_, checkpointer_;
};

}  // namespace powercut
