#include "lab/image/ring_sort.h"

#include <algorithm>

namespace powercut::lab {
namespace {

class Sorter {
 public:
  Sorter(RingWalk& walk, const JournalRing& ring, const RecoveryPlan& plan)
      : walk_(walk), ring_(ring), plan_(plan) {}

  Result<std::vector<SortedFind>> run() {
    std::vector<SortedFind> log;
    LogBlock behind = plan_.superblock.start;
    Tid tid = plan_.superblock.sequence;
    const bool has_log = behind.value() != 0;
    for (const LoggedTransaction& transaction : plan_.transactions) {
      log.push_back({TRY(walk_.take_whole(transaction.first, transaction.tid)), Standing::kLive});
      behind = ring_.next(transaction.commit);
      tid = transaction.tid.next();
    }
    if (has_log) TRY(take_behind(behind, tid, log));
    const LogBlock from = log.empty() ? behind_the_youngest() : ring_.next(log.back().found.last);
    std::vector<SortedFind> all;
    for (FoundTransaction& found : TRY(walk_.take_rest(from))) {
      all.push_back({std::move(found), Standing::kOld});
    }
    std::ranges::move(log, std::back_inserter(all));
    return all;
  }

 private:
  // What goes on from the last whole transaction: the one that the log ends in, and others.
  Result<void> take_behind(LogBlock at, Tid tid, std::vector<SortedFind>& log) {
    if (plan_.end_rule == RecoveryRule::kStaleCommit) return {};
    bool is_behind_damage = false;
    for (std::uint32_t walked = 0; walked < ring_.ring_blocks();) {
      const SeenHeader* const header = walk_.header_at(at);
      if (header == nullptr || header->header.tid != tid || walk_.is_claimed(at)) return {};
      FoundTransaction found = TRY(walk_.take_find(at));
      walked += found.length;
      at = ring_.next(found.last);
      const bool goes_on = found.commit.has_value();
      Standing standing = Standing::kUncommitted;
      if (is_damage_of(tid)) {
        standing = Standing::kDamaged;
      } else if (goes_on && is_behind_damage) {
        standing = Standing::kNotReached;
      }
      log.push_back({std::move(found), standing});
      if (!goes_on) return {};
      is_behind_damage = true;
      tid = tid.next();
    }
    return {};
  }

  bool is_damage_of(Tid tid) const {
    return std::ranges::any_of(plan_.damages, [&](const Damage& damage) {
      return damage.tid == tid && (damage.rule == RecoveryRule::kCommitChecksum ||
                                   damage.rule == RecoveryRule::kDescriptorChecksum ||
                                   damage.rule == RecoveryRule::kDescriptorFormat);
    });
  }

  // With an empty log: behind the commit block that is nearest to the tid that is due.
  LogBlock behind_the_youngest() const {
    const SeenHeader* youngest = nullptr;
    const Tid due = plan_.superblock.sequence;
    for (const SeenHeader& each : walk_.headers()) {
      const bool is_commit = each.header.is(JournalBlockType::kCommit);
      if (!is_commit || due.comes_before(each.header.tid)) continue;
      if (youngest == nullptr || due.since(each.header.tid) < due.since(youngest->header.tid)) {
        youngest = &each;
      }
    }
    return youngest == nullptr ? ring_.first() : ring_.next(youngest->log);
  }

  RingWalk& walk_;
  const JournalRing& ring_;
  const RecoveryPlan& plan_;
};

}  // namespace

std::string_view standing_name(Standing standing) {
  switch (standing) {
    case Standing::kOld: return "old";
    case Standing::kLive: return "live";
    case Standing::kDamaged: return "damaged";
    case Standing::kNotReached: return "not reached";
    case Standing::kUncommitted: return "uncommitted";
  }
  return "?";
}

Result<std::vector<SortedFind>> sort_ring(RingWalk& walk, const JournalRing& ring,
                                          const RecoveryPlan& plan) {
  return Sorter(walk, ring, plan).run();
}

}  // namespace powercut::lab
