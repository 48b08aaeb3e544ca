// Writing home what the log holds, moving the tail, and the journal's superblock.
#include <algorithm>

#include "base/trace.h"
#include "journal/journal.h"

namespace powercut {
namespace {

// Home writes are given to the device in pieces of this many blocks.
constexpr std::size_t kPieceBlocks = 4096;

[[maybe_unused]] const MutantNames kCheckpointMutants{
    "checkpoint.flush.skip", "checkpoint.tail.cached", "checkpoint.home.live"};

struct HomeWrite {
  Buffer* buffer;
  Tid tid;
  Content content;
};

}  // namespace

Result<void> Journal::checkpoint_or_wait(std::uint32_t wanted_blocks) {
  if (stopped_.has_value() || is_closed_) return refusal();
  if (is_checkpointing_) {
    changed_.wait_for(mutex_, Condition::kSafetyLimit);
    return {};
  }
  is_checkpointing_ = true;
  mutex_.unlock();
  const Result<void> result = checkpoint(wanted_blocks);
  if (!result) stop(result.error());
  mutex_.lock();
  is_checkpointing_ = false;
  changed_.notify_all();
  return result ? Result<void>{} : Result<void>{refusal()};
}

// Makes room for at least that many log blocks, or empties the log.
Result<void> Journal::checkpoint(std::uint32_t wanted_blocks) {
  const std::vector<Transaction*> transactions = oldest(wanted_blocks);
  if (transactions.empty()) return {};
  trace_point("checkpoint.begin", transactions.front()->tid.value(), transactions.size());
  TRY(write_home(transactions));
  // Invariant 4: home before the tail moves.
  if (!mutant("checkpoint.flush.skip")) TRY(device_.flush());
  trace_point("checkpoint.home", transactions.back()->tid.value());
  for (const Transaction* transaction : transactions) {
    for (const Transaction::Logged& logged : transaction->logged) {
      logged.buffer->is_home(transaction->tid);
    }
  }
  return move_tail(transactions.size());
}

// Others may add transactions behind them meanwhile, but only a checkpoint takes any away.
std::vector<Transaction*> Journal::oldest(std::uint32_t wanted_blocks) {
  std::vector<Transaction*> transactions;
  Lock lock(mutex_);
  // More than asked, up to a quarter of the log: a flush costs the same for many.
  const std::uint32_t wanted = std::max(wanted_blocks, (ring_end_ - first_) / 4);
  std::uint32_t freed = free_blocks();
  for (const auto& transaction : in_log_) {
    if (freed >= wanted && !transactions.empty()) break;
    freed += transaction->log_blocks;
    transactions.push_back(transaction.get());
  }
  return transactions;
}

Result<void> Journal::write_home(const std::vector<Transaction*>& transactions) {
  std::vector<HomeWrite> home;
  std::uint64_t superseded = 0;
  for (const Transaction* transaction : transactions) {
    for (const Transaction::Logged& logged : transaction->logged) {
      Content content = logged.buffer->home_content(transaction->tid);
      if (!content) {
        ++superseded;
        continue;
      }
      if (mutant("checkpoint.home.live")) content = logged.buffer->snapshot();
      home.push_back({logged.buffer.get(), transaction->tid, std::move(content)});
    }
  }
  std::ranges::sort(home, {}, [](const HomeWrite& write) { return write.buffer->number(); });
  std::vector<BlockWrite> writes;
  for (std::size_t i = 0; i < home.size(); i += kPieceBlocks) {
    writes.clear();
    const std::size_t end = std::min(home.size(), i + kPieceBlocks);
    for (std::size_t at = i; at < end; ++at) {
      const std::uint64_t offset = home[at].buffer->number().value() * format_.block_bytes;
      writes.push_back({offset, home[at].content.bytes(), Durability::kCached});
    }
    TRY(device_.write_all(writes));
  }
  Lock lock(mutex_);
  ++counters_.checkpoints;
  ++counters_.flushes;
  counters_.home_blocks += home.size();
  counters_.superseded_blocks += superseded;
  return {};
}

// Behind the `done` oldest transactions, which are home.  The room is used again only when the new
// tail is durable.
Result<void> Journal::move_tail(std::size_t done) {
  LogBlock start;
  Tid sequence;
  std::uint32_t freed = 0;
  {
    Lock lock(mutex_);
    for (std::size_t i = 0; i < done; ++i) freed += in_log_[i]->log_blocks;
    const Transaction& last = *in_log_[done - 1];
    sequence = last.tid.next();
    start = behind(last);
  }
  TRY(write_superblock(start, sequence));
  trace_point("checkpoint.tail", sequence.value());
  std::vector<std::unique_ptr<Transaction>> gone;  // their buffers are let go without the mutex
  Lock lock(mutex_);
  for (std::size_t i = 0; i < done; ++i) {
    gone.push_back(std::move(in_log_.front()));
    in_log_.pop_front();
  }
  used_ -= freed;
  ++counters_.flushes;
  return {};
}

std::uint64_t Journal::offset_of(LogBlock log) const {
  return map_.device_block(log).value() * format_.block_bytes;
}

LogBlock Journal::behind(const Transaction& transaction) const {
  const std::uint32_t from_first = transaction.start - first_ + transaction.log_blocks;
  return first_ + from_first % (ring_end_ - first_);
}

Result<void> Journal::take_superblock_bytes() {
  Lock lock(superblock_mutex_);
  superblock_bytes_.resize(format_.block_bytes);
  return device_.read(offset_of(LogBlock(0)), superblock_bytes_);
}

Result<void> Journal::write_superblock(LogBlock start, Tid sequence) {
  Lock lock(superblock_mutex_);
  superblock_.start = start;
  superblock_.sequence = sequence;
  return put_superblock(mutant("checkpoint.tail.cached") ? Durability::kCached : Durability::kFua);
}

Result<void> Journal::put_superblock(Durability durability) {
  superblock_.encode(superblock_bytes_);
  return device_.write(offset_of(LogBlock(0)), superblock_bytes_, durability);
}

// So that whoever mounts next knows.  Where the device refuses this, too, there is nothing to add.
void Journal::write_error(const Error& why) {
  constexpr std::uint32_t kIoError = 5, kCorrupted = 117;  // EIO, EUCLEAN
  Lock lock(superblock_mutex_);
  const bool is_damage = why.code == Errc::kCorrupt || why.code == Errc::kChecksum;
  superblock_.error =
      static_cast<std::uint32_t>(-static_cast<std::int32_t>(is_damage ? kCorrupted : kIoError));
  ignore_error(put_superblock(Durability::kFua), "the journal has stopped already");
}

}  // namespace powercut
