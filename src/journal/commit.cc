// The commit of a transaction: cut, collect, write the log, flush, write the commit block.
#include <algorithm>

#include "base/task.h"
#include "base/trace.h"
#include "journal/journal.h"

namespace powercut {
namespace {

[[maybe_unused]] const MutantNames kCommitMutants{"journal.cut.no_wait", "journal.flush.skip",
                                                  "journal.commit.cached", "journal.ack.early",
                                                  "journal.tid_zero.once"};

// A commit that waited in vain for others is followed by so many at most that do not.
constexpr unsigned kGatherPauseMax = 64;

// What it points to is the task's own while it lives: who it is.
const void* task_mark() {
  static TaskLocal<char> mark;
  return &mark.get();
}

Failure waits_in_section() {
  return fail(Errc::kInvalid, "section: end it before waiting for a commit");
}

}  // namespace

Result<void> Journal::wait_durable(Tid tid) {
  if (section_of_task() != nullptr) return waits_in_section();
  Lock lock(mutex_);
  return sync_to(tid);
}

Result<void> Journal::commit() {
  if (section_of_task() != nullptr) return waits_in_section();
  Lock lock(mutex_);
  if (stopped_.has_value() || is_closed_) return refusal();
  if (running_ != nullptr) return sync_to(running_->tid);
  return committing_ != nullptr ? sync_to(committing_->tid) : Result<void>{};
}

Result<void> Journal::sync_to(Tid tid) {
  if (running_ != nullptr && running_->tid == tid) {
    running_->syncers.push_back(task_mark());
    gathered_.notify_all();
  }
  return lead_or_wait(tid, options_.gathers);
}

bool Journal::are_all_here() const {
  return std::ranges::all_of(last_syncers_, [&](const void* task) REQUIRES(mutex_) {
    return std::ranges::find(running_->syncers, task) != running_->syncers.end();
  });
}

// A commit takes as long for many as for one.  Those who waited for the last one come again soon if
// they sync one change after another: who begins the next commit waits for them, half as long as a
// commit takes at most.  Where they do not come, it is not tried for a while.
void Journal::gather() {
  if (are_all_here() || clock_.now() - commit_ended_ > commit_time_) return;
  if (gather_skips_ > 0) {
    --gather_skips_;
    return;
  }
  trace_point("journal.gather", running_->tid.value());
  const Nanoseconds end = clock_.now() + commit_time_ / 2;
  while (!are_all_here() && !must_hurry_ && !stopped_.has_value() && !is_closed_) {
    const Nanoseconds left = end - clock_.now();
    if (left <= Nanoseconds(0)) break;
    gathered_.wait_for(mutex_, left);
  }
  const bool is_in_vain = !are_all_here();
  gather_pause_ = is_in_vain ? std::min(2 * gather_pause_ + 1, kGatherPauseMax) : 0;
  gather_skips_ = gather_pause_;
}

// Group commit: those who come while a commit is on its way wait, and one of them commits for all
// when it is over.
Result<void> Journal::lead_or_wait(Tid tid, bool gathers) {
  while (durable_tid_.comes_before(tid)) {
    if (stopped_.has_value() || is_closed_) return refusal();
    if (is_committing_) {
      if (!gathers && !must_hurry_) {
        must_hurry_ = true;
        gathered_.notify_all();
      }
      changed_.wait_for(mutex_, Condition::kSafetyLimit);
      continue;
    }
    // Nothing that was changed is in it: nothing can be lost.
    if (running_ == nullptr || (running_->buffers.empty() && running_->forgotten.empty()))
      return {};
    is_committing_ = true;
    if (gathers) gather();
    const Nanoseconds began = clock_.now();
    mutex_.unlock();
    const Result<void> result = run_commit();
    mutex_.lock();
    commit_ended_ = clock_.now();
    commit_time_ = commit_ended_ - began;
    is_committing_ = false;
    must_hurry_ = false;
    changed_.notify_all();
    if (!result) return refusal();
  }
  return {};
}

Result<void> Journal::run_commit() {
  Transaction* const transaction = cut();
  if (transaction == nullptr) return {};
  collect(*transaction);
  const Result<void> written = write_transaction(*transaction);
  if (!written) {
    stop(written.error());
    return written;
  }
  finish(*transaction);
  return {};
}

// Ends the running transaction, which is the committing one then.  Null if the journal stopped, or
// was closed, meanwhile.
Transaction* Journal::cut() {
  Lock lock(mutex_);
  wants_cut_ = true;
  const bool goes_on = wait_for_handles();
  if (goes_on && participant_ != nullptr) let_participant_change();
  wants_cut_ = false;
  if (goes_on) {
    cut_need_ = log_blocks_needed(running_->buffers.size(), running_->revokes.size(), format_);
    committing_ = std::move(running_);
  }
  changed_.notify_all();
  return committing_.get();
}

void Journal::let_participant_change() {
  trace_point("journal.cut", running_->tid.value());
  running_->promised += cut_credits_;
  ++running_->open_handles;
  std::optional<Handle> handle(Handle(*this, running_->tid, Credits(cut_credits_)));
  // A handle changes blocks and ends without the mutex; no other begins before the cut is over.
  mutex_.unlock();
  participant_->at_cut(*handle);
  handle.reset();
  mutex_.lock();
}

bool Journal::wait_for_handles() {
  while (running_->open_handles > 0 && !mutant("journal.cut.no_wait")) {
    if (stopped_.has_value() || is_closed_) return false;
    const Nanoseconds limit = split_old_sections();
    if (running_->open_handles > 0) no_handles_.wait_for(mutex_, limit);
  }
  return true;
}

// Takes from each buffer what it held at the cut: it does not change any more, though the file
// system goes on with the block.
void Journal::collect(Transaction& transaction) {
  trace_point("journal.collect", transaction.tid.value());
  transaction.logged.reserve(transaction.buffers.size());
  for (BufferRef& buffer : transaction.buffers) {
    Content content = buffer->collect(transaction.tid);
    if (content) transaction.logged.push_back({std::move(buffer), std::move(content)});
  }
  transaction.buffers.clear();
}

LogBlock Journal::take_log(Transaction& transaction) {
  Lock lock(mutex_);
  transaction.start = head_;
  transaction.log_blocks =
      log_blocks_needed(transaction.logged.size(), transaction.revokes.size(), format_);
  CHECK(transaction.log_blocks <= free_blocks(), "room in the log was kept for what is cut");
  used_ += transaction.log_blocks;
  cut_need_ = 0;
  return head_;
}

Result<void> Journal::write_transaction(Transaction& transaction) {
  const LogRing ring{first_, ring_end_};
  const LogImage image = lay_out(transaction, take_log(transaction), ring, format_);
  trace_point("journal.laid_out", transaction.tid.value());
  if (options_.verify_before_write) TRY(verify_checksums(image, transaction.tid, format_));
  if (mutant("journal.ack.early")) {
    Lock lock(mutex_);
    durable_tid_ = transaction.tid;
  }
  // Tid 0 stands for "none" to every recovery that takes a log of async_commit: a transaction of
  // that number would count as whole whatever its checksum says.
  const bool may_wait_once = transaction.tid != Tid(0) || mutant("journal.tid_zero.once");
  const bool waits_once = options_.single_wait && may_wait_once;
  TRY(waits_once ? write_at_once(image, transaction.tid) : write_in_order(image, transaction.tid));
  trace_point("journal.durable", transaction.tid.value());
  Lock lock(mutex_);
  head_ = image.next;
  counters_.flushes += waits_once ? 1 : 2;
  counters_.logged_blocks += image.tagged.size();
  counters_.revokes += transaction.revokes.size();
  counters_.log_bytes += std::uint64_t{transaction.log_blocks} * format_.block_bytes;
  return {};
}

std::vector<BlockWrite> Journal::writes_of(const LogImage& image) const {
  std::vector<BlockWrite> writes;
  writes.reserve(image.blocks.size() + 1);
  for (const LogImage::Block& block : image.blocks) {
    writes.push_back({offset_of(block.log), block.content.bytes(), Durability::kCached});
  }
  return writes;
}

// Invariant 2: all before the commit block is durable first.
Result<void> Journal::write_in_order(const LogImage& image, Tid tid) {
  TRY(device_.write_all(writes_of(image)));
  trace_point("journal.log_written", tid.value());
  if (!mutant("journal.flush.skip")) TRY(device_.flush());
  trace_point("journal.log_durable", tid.value());
  const Content commit = commit_block(image, tid, wall_clock_.now(), format_);
  return device_.write(offset_of(image.commit), commit.bytes(),
                       mutant("journal.commit.cached") ? Durability::kCached : Durability::kFua);
}

// Invariant 2, the other way: the commit block's checksum is over all before it, so that it counts
// only where that arrived too.
Result<void> Journal::write_at_once(const LogImage& image, Tid tid) {
  const Content commit = commit_block(image, tid, wall_clock_.now(), format_);
  std::vector<BlockWrite> writes = writes_of(image);
  writes.push_back({offset_of(image.commit), commit.bytes(), Durability::kCached});
  TRY(device_.write_all(writes));
  trace_point("journal.log_written", tid.value());
  return mutant("journal.commit.cached") ? Result<void>{} : device_.flush();
}

// It is durable.  What older transactions logged of the same blocks need not go home any more.
void Journal::finish(Transaction& transaction) {
  for (const BufferRef& buffer : transaction.forgotten) buffer->give_up_home();
  for (Transaction::Logged& logged : transaction.logged) {
    logged.buffer->committed(transaction.tid, std::move(logged.content));
  }
  transaction.forgotten.clear();
  transaction.revokes.clear();
  Lock lock(mutex_);
  durable_tid_ = transaction.tid;
  last_syncers_ = std::move(transaction.syncers);
  in_log_.push_back(std::move(committing_));
  work_.notify_all();
  ++counters_.commits;
}

void Journal::stop(const Error& why) {
  {
    Lock lock(mutex_);
    if (stopped_.has_value()) return;
    stopped_ = why;
    changed_.notify_all();
    no_handles_.notify_all();
    work_.notify_all();
  }
  write_error(why);
  if (participant_ != nullptr) participant_->stopped(why);
}

Result<void> Journal::checkpoint_all() {
  TRY(commit());
  Lock lock(mutex_);
  while (!in_log_.empty() || is_checkpointing_) {
    TRY(checkpoint_or_wait(ring_end_ - first_));
  }
  return {};
}

Result<void> Journal::close() {
  TRY(checkpoint_all());
  Tid next;
  {
    Lock lock(mutex_);
    if (stopped_.has_value() || is_closed_) return refusal();
    CHECK(running_ == nullptr || running_->open_handles == 0,
          "a journal is closed without handles");
    next = next_tid_;
    is_closed_ = true;
    changed_.notify_all();
    work_.notify_all();
  }
  const Result<void> written = write_superblock(LogBlock(0), next);
  if (!written) stop(written.error());
  return written;
}

}  // namespace powercut
