#include "tests/planted/planted_faults.h"

#include <algorithm>
#include <array>

#include "tests/planted/survey.h"

namespace powercut::planted {
namespace {

using lab::RecordedEvent;
using lab::RecordingEdit;

constexpr std::array<std::string_view, kFaultCount> kNames = {
    "flipped data bit",      "flipped descriptor bit",
    "flipped commit bit",    "flipped revoke bit",
    "change after checksum", "dropped flush before",
    "dropped flush behind",  "commit overtakes",
    "home before commit",    "tail moved early",
    "log overwritten",       "lost revoke",
    "lost home write",       "stale log",
    "misdirected write"};

class Planter {
 public:
  Planter(const lab::Recording& recording, std::size_t index)
      : recording_(recording), survey_(survey_of(recording)), edit_(recording), left_(index) {}

  std::optional<Planted> plant(Fault fault) {
    if (!survey_.map || !plant_into_edit(fault)) return std::nullopt;
    Planted planted;
    planted.edited = edit_.take();
    const std::vector<std::uint64_t>& original = planted.edited.original;
    // A request that was put in has no number of its own.
    const auto at_fault = std::ranges::find(original.begin() + 1, original.end(), at_fault_);
    if (at_fault != original.end()) {
      planted.sequence = static_cast<std::uint64_t>(at_fault - original.begin());
    }
    return planted;
  }

 private:
  // Counts the places down; true at the wanted one.
  bool is_it() { return left_-- == 0; }
  std::uint64_t size() const { return survey_.map->block_bytes(); }
  std::uint64_t place_of(LogBlock log) const {
    return survey_.map->device_block(log).value() * size();
  }

  bool plant_into_edit(Fault fault) {
    switch (fault) {
      case Fault::kFlippedDataBit:
      case Fault::kChangeAfterChecksum:
      case Fault::kFlippedDescriptorBit:
      case Fault::kFlippedCommitBit:
      case Fault::kFlippedRevokeBit: return damage(fault);
      case Fault::kDroppedFlushBefore: return drop_flush_before();
      case Fault::kDroppedFlushBehind: return drop_flush_behind();
      case Fault::kCommitOvertakes: return overtake();
      case Fault::kHomeBeforeCommit: return hasten_home();
      case Fault::kTailMovedEarly: return hasten_tail();
      case Fault::kLogOverwritten: return overwrite_log();
      case Fault::kLostRevoke: return lose_revoke();
      case Fault::kLostHomeWrite:
      case Fault::kMisdirectedWrite: return lose_home(fault == Fault::kMisdirectedWrite);
      case Fault::kStaleLog: return leave_stale_log();
    }
    return false;
  }

  // The bytes of a log block inside the request that wrote it, changed by `change`.
  template <class Change>
  bool change_log_block(const SurveyedTransaction& transaction, LogBlock log, Change change) {
    const std::uint64_t sequence = log == transaction.commit ? transaction.commit_sequence
                                                             : transaction.writes.at(log.value());
    const RecordedEvent* const write = edit_.find(sequence);
    if (write == nullptr) return false;
    std::vector<std::uint8_t> data(write->data.begin(), write->data.end());
    change(MutableBytes(data).subspan(place_of(log) - write->offset, size()));
    edit_.replace(sequence, data);
    at_fault_ = transaction.commit_sequence;
    return true;
  }

  // A damaged commit block is noticed when the next one comes, so there must be one.
  bool damage(Fault fault) {
    for (std::size_t i = 0; i + 1 < survey_.transactions.size(); ++i) {
      const SurveyedTransaction& transaction = survey_.transactions[i];
      const auto log = block_to_damage(transaction, fault);
      if (!log || !is_it()) continue;
      if (!change_log_block(transaction, *log, [&](MutableBytes block) {
            if (fault == Fault::kChangeAfterChecksum) {
              for (std::size_t at = 64; at < 1064; at += 8) block[at] ^= 0x5A;
            } else {
              block[fault == Fault::kFlippedDataBit ? 1234 : 20] ^= 0x10;
            }
          })) {
        return false;
      }
      if (fault == Fault::kFlippedCommitBit) at_fault_ = transaction.commit_sequence;
      return true;
    }
    return false;
  }

  static std::optional<LogBlock> block_to_damage(const SurveyedTransaction& transaction,
                                                 Fault fault) {
    const auto& blocks = transaction.walked.blocks;
    if (fault == Fault::kFlippedCommitBit) return transaction.commit;
    if (fault == Fault::kFlippedRevokeBit) {
      if (transaction.walked.revokes.empty()) return std::nullopt;
      return transaction.walked.headers.front();  // revoke blocks come first
    }
    if (blocks.empty()) return std::nullopt;
    if (fault != Fault::kFlippedDescriptorBit) return blocks[blocks.size() / 2].log;
    return transaction.walked.headers.back();
  }

  bool drop_flush_before() {
    for (const SurveyedTransaction& transaction : survey_.transactions) {
      // Nothing but that flush makes the transaction's last block durable.
      const bool counts = transaction.flush_before > last_write(transaction);
      const bool was_two =
          std::ranges::count_if(survey_.flushes, [&](std::uint64_t flush) {
            return flush > last_write(transaction) && flush < transaction.commit_sequence;
          }) != 1;
      if (!counts || was_two || transaction.walked.blocks.empty() || !is_it()) continue;
      edit_.remove(transaction.flush_before);
      at_fault_ = transaction.commit_sequence;
      return true;
    }
    return false;
  }

  static std::uint64_t last_write(const SurveyedTransaction& transaction) {
    std::uint64_t last = 0;
    for (const auto& [log, sequence] : transaction.writes) last = std::max(last, sequence);
    return last;
  }

  bool drop_flush_behind() {
    for (std::size_t i = 0; i + 1 < survey_.transactions.size(); ++i) {
      const SurveyedTransaction& transaction = survey_.transactions[i];
      const SurveyedTransaction& next = survey_.transactions[i + 1];
      const std::uint64_t second = survey_.flush_after(transaction.flush_behind);
      const bool counts = next.tid == transaction.tid.next() && second > next.first_sequence;
      if (!counts || transaction.flush_behind > next.first_sequence || !is_it()) continue;
      edit_.remove(transaction.flush_behind);
      at_fault_ = next.first_sequence;
      return true;
    }
    return false;
  }

  bool overtake() {
    for (const SurveyedTransaction& transaction : survey_.transactions) {
      const std::uint64_t last = last_write(transaction);
      if (last == 0 || transaction.walked.blocks.empty() || !is_it()) continue;
      edit_.move_before(transaction.commit_sequence, last);
      at_fault_ = transaction.commit_sequence;
      return true;
    }
    return false;
  }

  bool hasten_home() {
    for (const SurveyedHome& home : survey_.homes) {
      if (!home.version || !home.is_alone || !home.is_news) continue;
      const SurveyedTransaction* const newest = survey_.newest_with(home.block, home.sequence);
      if (newest == nullptr || newest->tid != *home.version || newest->first_sequence < 2) continue;
      if (!is_it()) continue;
      edit_.move_before(home.sequence, newest->commit_sequence);
      at_fault_ = home.sequence;
      return true;
    }
    return false;
  }

  // The write that alone brings home what the move of the tail lets go of: of a version that is the
  // newest in the log, neither revoked nor freed afterwards, and not written again before.
  const SurveyedHome* needed_by(const SurveyedTail& tail) const {
    const SurveyedHome* found = nullptr;
    for (const SurveyedHome& home : survey_.homes) {
      if (home.sequence > tail.sequence) break;
      const SurveyedTransaction* const newest = survey_.newest_with(home.block, tail.sequence);
      const bool is_it = home.version && home.is_alone && newest != nullptr &&
                         newest->tid == *home.version && tail.tail.passes(newest->tid) &&
                         home.block != survey_.superblock_block;
      if (!is_it || !was_still_in_log(newest->tid, tail) || is_gone(home.block, newest->tid)) {
        continue;
      }
      const bool is_only_one = std::ranges::count_if(survey_.homes, [&](const SurveyedHome& each) {
                                 return each.block == home.block && each.sequence < tail.sequence &&
                                        each.sequence > newest->commit_sequence;
                               }) == 1;
      if (is_only_one) found = &home;
    }
    return found;
  }
  bool was_still_in_log(Tid tid, const SurveyedTail& tail) const {
    for (const SurveyedTail& before : survey_.tails) {
      if (before.sequence >= tail.sequence) break;
      if (before.tail.passes(tid) && !before.tail.is_empty) return false;
    }
    return true;
  }
  bool is_gone(BlockNo block, Tid since) const {
    const auto freed = survey_.freed.find(block.value());
    const bool is_freed =
        freed != survey_.freed.end() &&
        std::ranges::any_of(freed->second, [&](Tid tid) { return !tid.comes_before(since); });
    return is_freed ||
           std::ranges::any_of(survey_.transactions, [&](const SurveyedTransaction& each) {
             return !each.tid.comes_before(since) &&
                    std::ranges::find(each.walked.revokes, block) != each.walked.revokes.end();
           });
  }

  bool hasten_tail() {
    for (const SurveyedTail& tail : survey_.tails) {
      const SurveyedHome* const home = needed_by(tail);
      if (home == nullptr) continue;
      // The newest transaction that the tail passes must be durable by then.
      const auto newest = std::ranges::find_if(
          survey_.transactions.rbegin(), survey_.transactions.rend(),
          [&](const SurveyedTransaction& each) {
            return each.commit_sequence < tail.sequence && tail.tail.passes(each.tid);
          });
      const bool is_durable = newest != survey_.transactions.rend() && newest->flush_behind != 0 &&
                              newest->flush_behind < home->sequence;
      if (!is_durable || !is_it()) continue;
      edit_.move_before(tail.sequence, home->sequence);
      at_fault_ = tail.sequence;
      return true;
    }
    return false;
  }

  bool overwrite_log() {
    for (const SurveyedTransaction& transaction : survey_.transactions) {
      if (transaction.walked.blocks.empty() || transaction.flush_behind == 0) continue;
      if (transaction.flush_behind >= survey_.last_sequence || !is_it()) continue;
      edit_.insert_write_before(transaction.flush_behind + 1,
                                place_of(transaction.walked.blocks.front().log),
                                std::vector<std::uint8_t>(size(), 0xEE));
      at_fault_ = 0;
      return true;
    }
    return false;
  }

  bool lose_revoke() {
    for (const SurveyedTransaction& transaction : survey_.transactions) {
      for (const BlockNo block : transaction.walked.revokes) {
        const std::uint64_t reuse = reuse_of(block, transaction);
        if (reuse == 0 || !is_it()) continue;
        if (!drop_record(transaction, block)) return false;
        at_fault_ = reuse;
        return true;
      }
    }
    return false;
  }

  // The first write of a foreign content to a revoked block that the log still has a version of.
  std::uint64_t reuse_of(BlockNo block, const SurveyedTransaction& revoker) const {
    const SurveyedTransaction* const older = survey_.newest_with(block, revoker.first_sequence);
    if (older == nullptr) return 0;
    for (const SurveyedHome& home : survey_.homes) {
      if (home.block != block || home.sequence < revoker.commit_sequence) continue;
      const bool is_in_log = std::ranges::none_of(survey_.tails, [&](const SurveyedTail& tail) {
        return tail.sequence < home.sequence && tail.sequence > older->commit_sequence &&
               tail.tail.passes(older->tid);
      });
      const bool is_logged_again = survey_.newest_with(block, home.sequence)->tid != older->tid;
      return is_in_log && !is_logged_again && !home.version ? home.sequence : 0;
    }
    return 0;
  }

  bool drop_record(const SurveyedTransaction& transaction, BlockNo block) {
    for (const LogBlock log : transaction.walked.headers) {
      const RecordedEvent* const write = edit_.find(transaction.writes.at(log.value()));
      const auto bytes = write->data.subspan(place_of(log) - write->offset, size());
      auto records = parse_revoke(bytes, survey_.format, transaction.tid);
      if (!records || std::erase(*records, block) == 0) continue;
      return change_log_block(transaction, log, [&](MutableBytes into) {
        encode_revoke(into, survey_.format, transaction.tid, *records);
      });
    }
    return false;
  }

  bool lose_home(bool is_misdirected) {
    for (const SurveyedTail& tail : survey_.tails) {
      const SurveyedHome* const home = needed_by(tail);
      if (home == nullptr || !is_it()) continue;
      at_fault_ = tail.sequence;
      if (is_misdirected) {
        const RecordedEvent* const write = edit_.find(home->sequence);
        const std::vector<std::uint8_t> data(write->data.begin(), write->data.end());
        edit_.insert_write_before(home->sequence, never_used() * size(), data);
        at_fault_ = 0;
      }
      edit_.remove(home->sequence);
      return true;
    }
    return false;
  }

  // A block of the disk that the stream never writes: the last such.
  std::uint64_t never_used() const {
    std::uint64_t block = recording_.disk_bytes / size() - 1;
    const auto is_used = [&](std::uint64_t which) {
      const bool is_home = std::ranges::any_of(
          survey_.homes, [&](const SurveyedHome& home) { return home.block.value() == which; });
      return is_home || survey_.newest_with(BlockNo(which), survey_.last_sequence) != nullptr;
    };
    while (is_used(block)) --block;
    return block;
  }

  bool leave_stale_log() {
    for (const SurveyedTransaction& transaction : survey_.transactions) {
      const LogBlock behind = transaction.commit + 1;
      const bool was_written =
          std::ranges::any_of(survey_.transactions, [&](const SurveyedTransaction& each) {
            return each.commit_sequence <= transaction.commit_sequence &&
                   (each.writes.contains(behind.value()) || each.commit == behind);
          });
      if (was_written || behind.value() + 2 >= survey_.map->block_count() || !is_it()) continue;
      std::vector<std::uint8_t> block(size());
      encode_descriptor(block, survey_.format, transaction.tid.next(),
                        {Tag{BlockNo(never_used()), 0x1234, false, false}});
      edit_.replace_base(place_of(behind), block);
      at_fault_ = transaction.commit_sequence;
      return true;
    }
    return false;
  }

  const lab::Recording& recording_;
  const Survey survey_;
  RecordingEdit edit_;
  std::size_t left_;
  std::uint64_t at_fault_ = 0;
};

}  // namespace

std::string_view fault_name(Fault fault) {
  return kNames[static_cast<std::size_t>(fault)];
}

std::optional<Planted> plant(const lab::Recording& recording, Fault fault, std::size_t index) {
  return Planter(recording, index).plant(fault);
}

}  // namespace powercut::planted
