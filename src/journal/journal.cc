// Opening, and handles: who joins the running transaction, and who waits.
#include "journal/journal.h"

#include <algorithm>

#include "base/trace.h"
#include "journal/log_image.h"

namespace powercut {
namespace {

constexpr std::uint32_t kRingBlocksMin = 64;

[[maybe_unused]] const MutantNames kHandleMutants{"journal.revoke.keep", "journal.forget.early"};

// The features that this writer leaves in the journal's superblock.
JournalSuperblock as_written(const JournalPlace& place, bool single_wait) {
  JournalSuperblock superblock = place.superblock;
  const auto bit = [](JournalIncompat feature) { return static_cast<std::uint32_t>(feature); };
  constexpr auto kV1 = static_cast<std::uint32_t>(JournalCompat::kChecksum);
  superblock.compat &= ~kV1;
  superblock.incompat &= ~(bit(JournalIncompat::kCsumV2) | bit(JournalIncompat::kAsyncCommit) |
                           bit(JournalIncompat::kFastCommit));
  if (place.has_checksums) {
    superblock.incompat |= bit(JournalIncompat::kCsumV3);
    superblock.checksum_type = 4;  // crc32c
  } else if (single_wait) {
    superblock.incompat &= ~bit(JournalIncompat::kCsumV3);
    superblock.incompat |= bit(JournalIncompat::kAsyncCommit);
    superblock.compat |= kV1;
  }
  superblock.incompat |= bit(JournalIncompat::k64Bit) | bit(JournalIncompat::kRevoke);
  superblock.version = JournalBlockType::kSuperblockV2;
  superblock.start = superblock.first;
  superblock.sequence = place.first_tid;
  superblock.head = LogBlock(0);
  superblock.error = 0;
  return superblock;
}

Result<void> check_place(const JournalPlace& place, bool single_wait) {
  const JournalSuperblock& superblock = place.superblock;
  if (single_wait && place.has_checksums) {
    return fail(Errc::kUnsupported,
                "journal: single_wait needs a file system without metadata_csum");
  }
  if (superblock.start != LogBlock(0)) {
    return fail(Errc::kInvalid, "journal: its log is not empty; recover it first",
                superblock.start.value());
  }
  if (superblock.block_bytes != place.map.block_bytes()) {
    return fail(Errc::kCorrupt, "journal: block size", superblock.block_bytes);
  }
  if (superblock.ring_end().value() > place.map.block_count()) {
    return fail(Errc::kCorrupt, "journal: longer than its inode", superblock.log_block_count);
  }
  if (superblock.ring_end().value() < superblock.first.value() + kRingBlocksMin) {
    return fail(Errc::kLimit, "journal: too small to write", superblock.log_block_count);
  }
  return {};
}

}  // namespace

Handle::Handle(Handle&& other) noexcept
    : journal_(std::exchange(other.journal_, nullptr)),
      section_(other.section_),
      tid_(other.tid_),
      granted_(other.granted_),
      used_(other.used_) {}

Handle::~Handle() {
  if (journal_ != nullptr) journal_->leave(*this);
}

void Handle::joined(const BufferRef& buffer) {
  journal_->joined(*this, buffer);
}
void Handle::forget(const BufferRef& buffer) {
  journal_->forget(*this, buffer);
}
bool Handle::extend(Credits more) {
  return journal_->extend(*this, more);
}

Journal::Journal(JournalPlace place, const Clock& clock, const WallClock& wall_clock,
                 CommitParticipant* participant, const JournalOptions& options)
    : device_(*place.device),
      clock_(clock),
      wall_clock_(wall_clock),
      participant_(participant),
      options_(options),
      map_(std::move(place.map)),
      format_(as_written(place, options.single_wait).format()),
      first_(place.superblock.first),
      ring_end_(place.superblock.ring_end()),
      transaction_blocks_max_((ring_end_ - first_) / 4),
      cut_credits_(participant == nullptr ? 0 : participant->cut_credits().value()),
      next_tid_(place.first_tid),
      durable_tid_(place.first_tid.previous()),
      head_(first_),
      superblock_(as_written(place, options.single_wait)) {}

Result<std::unique_ptr<Journal>> Journal::open(JournalPlace place, const Clock& clock,
                                               const WallClock& wall_clock,
                                               CommitParticipant* participant,
                                               const JournalOptions& options) {
  TRY(check_place(place, options.single_wait));
  const JournalSuperblock superblock = as_written(place, options.single_wait);
  std::unique_ptr<Journal> journal(
      new Journal(std::move(place), clock, wall_clock, participant, options));
  TRY(journal->take_superblock_bytes());
  TRY(journal->write_superblock(superblock.start, superblock.sequence));
  if (options.has_service) {
    Journal* self = journal.get();
    journal->committer_ = Task::start("commit", [self] { self->serve_commits(); });
    journal->checkpointer_ = Task::start("checkpoint", [self] { self->serve_checkpoints(); });
  }
  return journal;
}

Journal::~Journal() {
  {
    Lock lock(mutex_);
    is_closed_ = true;
    changed_.notify_all();
    work_.notify_all();
  }
  committer_.join();
  checkpointer_.join();
}

Failure Journal::refusal() const {
  if (!stopped_.has_value()) return fail(Errc::kAborted, "journal: closed");
  return fail_with(Errc::kAborted, "journal stopped: mount again, or check the file system",
                   error_words(*stopped_), stopped_->where);
}

std::uint32_t Journal::free_blocks() const {
  // One block stays free, so that head and tail are one only when the log is empty.
  return (ring_end_ - first_) - used_ - 1;
}

// Invariant 3: room for what runs, with `more`, and for what is cut but not yet laid out.
bool Journal::fits(std::uint32_t more) const {
  const std::uint64_t blocks = running_->buffers.size() + running_->promised + cut_credits_ + more;
  if (blocks > transaction_blocks_max_) return false;
  // A block of revoke records beyond those there are: see forget().
  const std::uint64_t revokes = running_->revokes.size() + format_.revokes_per_block();
  return log_blocks_needed(blocks, revokes, format_) + cut_need_ <= free_blocks();
}

Result<Handle> Journal::start(Credits want) {
  if (SectionState* section = section_of_task()) return start_in_section(*section, want);
  if (want > credits_max()) {
    return fail(Errc::kLimit, "journal: more blocks than one transaction can hold", want.value());
  }
  trace_point("journal.start", want.value());
  Lock lock(mutex_);
  bool has_waited = false;
  for (;;) {
    if (stopped_.has_value() || is_closed_) return refusal();
    if (wants_cut_) {
      changed_.wait_for(mutex_, Condition::kSafetyLimit);
      continue;
    }
    if (running_ == nullptr) {
      running_ = std::make_unique<Transaction>();
      running_->tid = next_tid_;
      running_->began = clock_.now();
      next_tid_ = next_tid_.next();
    }
    if (fits(want.value())) break;
    if (!has_waited) ++counters_.waits_for_room;
    has_waited = true;
    TRY(make_room(want.value()));
  }
  ++running_->open_handles;
  running_->promised += want.value();
  return Handle(*this, running_->tid, want);
}

// Called where fits() says no: does, or waits for, the next thing that can help.
Result<void> Journal::make_room(std::uint32_t more) {
  const std::uint64_t blocks = running_->buffers.size() + running_->promised + cut_credits_ + more;
  const bool log_is_short = blocks <= transaction_blocks_max_;
  if (log_is_short && (!in_log_.empty() || is_checkpointing_)) {
    return checkpoint_or_wait(log_blocks_needed(blocks, 0, format_) + cut_need_);
  }
  if (log_is_short && is_committing_) {
    wait_for_room();
    return {};
  }
  if (running_->buffers.empty()) {
    // Only promises of others stand in the way: they are given back soon.
    wait_for_room();
    return {};
  }
  return lead_or_wait(running_->tid);
}

void Journal::check_runs(const Handle& handle) const {
  CHECK(running_ != nullptr && running_->tid == handle.tid_, "a handle's transaction runs");
}

void Journal::wait_for_room() {
  ++waiters_for_room_;
  changed_.wait_for(mutex_, Condition::kSafetyLimit);
  --waiters_for_room_;
}

// Large enough to be committed while others go on: at three quarters of what a transaction holds.
bool Journal::is_large() const {
  return running_ != nullptr && !is_committing_ && options_.has_service &&
         running_->buffers.size() >= transaction_blocks_max_ / 4 * 3;
}

void Journal::leave(Handle& handle) {
  trace_point("journal.leave", handle.tid_.value());
  Lock lock(mutex_);
  check_runs(handle);
  const std::uint32_t unused = handle.granted_ - handle.used_;
  if (handle.section_ != nullptr) {
    handle.section_->left += unused;
  } else {
    running_->promised -= unused;
  }
  --running_->open_handles;
  if (wants_cut_ && running_->open_handles == 0) no_handles_.notify_all();
  if (waiters_for_room_ > 0) changed_.notify_all();
  if (is_large()) work_.notify_all();
}

void Journal::joined(Handle& handle, const BufferRef& buffer) {
  CHECK(handle.used_ < handle.granted_, "a handle changes no more blocks than it asked for");
  ++handle.used_;
  Lock lock(mutex_);
  check_runs(handle);
  --running_->promised;
  running_->buffers.push_back(buffer);
  // Its older copies are replayed before the one that is logged now.
  if (!mutant("journal.revoke.keep")) running_->revokes.erase(buffer->number().value());
}

// A revoke record keeps a recovery from writing older copies of a block that is free.  It is not
// needed for that to be right (who uses the block again logs it again), so there is none where it
// would take room that was not asked for, or be covered by no checksum.  The block stays on the
// list of those that changed: with nothing to collect, nothing is logged of it.
void Journal::forget(Handle& handle, const BufferRef& buffer) {
  buffer->disown(handle.tid_);
  const bool is_in_log = buffer->has_home_content();
  if (mutant("journal.forget.early")) buffer->give_up_home();
  Lock lock(mutex_);
  check_runs(handle);
  running_->forgotten.push_back(buffer);
  const std::uint64_t blocks = running_->buffers.size() + running_->promised + cut_credits_;
  const std::uint64_t revokes = running_->revokes.size() + 1;
  const bool has_room = log_blocks_needed(blocks, revokes, format_) + cut_need_ <= free_blocks();
  const bool is_covered = format_.checksum != ChecksumKind::kV1;
  if (is_in_log && has_room && is_covered) running_->revokes.insert(buffer->number().value());
}

bool Journal::extend(Handle& handle, Credits more) {
  trace_point("journal.extend", handle.tid_.value(), more.value());
  Lock lock(mutex_);
  check_runs(handle);
  if (handle.section_ != nullptr) {
    if (handle.section_->left < more.value()) return false;
    handle.section_->left -= more.value();
    handle.granted_ += more.value();
    return true;
  }
  if (wants_cut_ || !fits(more.value())) return false;
  running_->promised += more.value();
  handle.granted_ += more.value();
  return true;
}

Tid Journal::newest() const {
  Lock lock(mutex_);
  return next_tid_.previous();
}

bool Journal::is_durable(Tid tid) const {
  Lock lock(mutex_);
  return !durable_tid_.comes_before(tid);
}

std::optional<Error> Journal::stopped() const {
  Lock lock(mutex_);
  return stopped_;
}

JournalCounters Journal::counters() const {
  Lock lock(mutex_);
  return counters_;
}

}  // namespace powercut
