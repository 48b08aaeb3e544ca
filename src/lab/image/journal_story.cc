#include "lab/image/journal_story.h"

#include <algorithm>
#include <unordered_map>

#include "base/stored_int.h"
#include "lab/image/owner_lookup.h"

namespace powercut::lab {
namespace {

// What the recovery does with the blocks of the log, by where they lie in it.
class Fates {
 public:
  explicit Fates(const RecoveryPlan& plan) {
    for (const LoggedTransaction& transaction : plan.transactions) {
      for (const BlockNo block : transaction.revokes) revoker_[block.value()] = transaction.tid;
      for (const LoggedBlock& block : transaction.blocks) {
        verdicts_[block.log.value()] = block.verdict;
        if (block.verdict != BlockVerdict::kReplay) continue;
        last_[block.home.value()] = {block.log, transaction.tid};
      }
    }
    for (const Damage& damage : plan.damages) {
      const bool is_outside = damage.rule == RecoveryRule::kBlockOutside;
      if (is_outside) outside_.push_back(damage.log_block);
    }
    std::ranges::sort(outside_);
  }

  // Of a block of a live transaction.
  void settle(StoryBlock& block) const {
    const auto verdict = verdicts_.find(block.found.log.value());
    if (verdict == verdicts_.end()) return;
    switch (verdict->second) {
      case BlockVerdict::kReplay: return settle_replayed(block);
      case BlockVerdict::kRevoked: {
        block.fate = BlockFate::kRevoked;
        const auto revoker = revoker_.find(block.found.home.value());
        if (revoker != revoker_.end()) block.by = revoker->second;
        return;
      }
      case BlockVerdict::kSkippedDamaged: {
        const bool is_outside = std::ranges::binary_search(outside_, block.found.log);
        block.fate = is_outside ? BlockFate::kOutside : BlockFate::kDamaged;
        return;
      }
      case BlockVerdict::kNotReached: block.fate = BlockFate::kNotReached; return;
    }
  }

 private:
  struct Last {
    LogBlock log;
    Tid tid;
  };

  void settle_replayed(StoryBlock& block) const {
    const Last& last = last_.at(block.found.home.value());
    const bool is_last = last.log == block.found.log;
    block.fate = is_last ? BlockFate::kReplayed : BlockFate::kSuperseded;
    if (!is_last) block.by = last.tid;
  }

  std::unordered_map<std::uint32_t, BlockVerdict> verdicts_;
  std::unordered_map<std::uint64_t, Tid> revoker_;  // the last one
  std::unordered_map<std::uint64_t, Last> last_;    // that is replayed
  std::vector<LogBlock> outside_;
};

class Teller {
 public:
  Teller(const ImageFile& image, const ImageJournal& journal, JournalRing& ring,
         JournalStory& story, const WorkWatcher& watcher)
      : image_(image),
        journal_(journal),
        ring_(ring),
        story_(story),
        watcher_(watcher),
        owners_(image, journal) {}

  Result<void> run() {
    RingWalk walk = TRY(RingWalk::make(ring_, watcher_));
    const Fates fates(journal_.plan);
    for (SortedFind& sorted : TRY(sort_ring(walk, ring_, journal_.plan))) {
      StoryTransaction& transaction = story_.transactions.emplace_back();
      transaction.standing = sorted.standing;
      for (const FoundBlock& found : std::exchange(sorted.found.blocks, {})) {
        StoryBlock& block = transaction.blocks.emplace_back();
        block.found = found;
        if (!found.checksum.matches()) block.fate = BlockFate::kDamaged;
        if (sorted.standing == Standing::kLive) fates.settle(block);
      }
      transaction.found = std::move(sorted.found);
    }
    const bool has_tid =
        !story_.options.tid || std::ranges::any_of(story_.transactions, is_wanted());
    if (!has_tid) {
      return fail(Errc::kInvalid, "journal: no transaction of that tid is in its ring",
                  story_.options.tid->value());
    }
    if (story_.options.block) TRY(find_versions(*story_.options.block));
    return find_owners();
  }

 private:
  std::function<bool(const StoryTransaction&)> is_wanted() const {
    return
        [tid = *story_.options.tid](const StoryTransaction& each) { return each.found.tid == tid; };
  }

  Result<void> find_versions(BlockNo wanted) {
    if (wanted.value() >= story_.file_system_blocks) {
      return fail(Errc::kInvalid, "the file system has no such block", wanted.value());
    }
    std::vector<std::uint8_t> home(ring_.map().block_bytes()), logged(home.size());
    TRY(image_.device().read(wanted.value() * home.size(), home));
    for (std::size_t i = 0; i < story_.transactions.size(); ++i) {
      const StoryTransaction& transaction = story_.transactions[i];
      if (std::ranges::find(transaction.found.revokes, wanted) != transaction.found.revokes.end()) {
        story_.versions.push_back({i, std::nullopt, false});
      }
      for (std::size_t k = 0; k < transaction.blocks.size(); ++k) {
        const FoundBlock& found = transaction.blocks[k].found;
        if (found.home != wanted) continue;
        TRY(ring_.read(found.log, logged));
        if (found.is_escaped) store(MutableBytes(logged), 0, Be32(kJournalMagic));
        story_.versions.push_back({i, k, std::ranges::equal(logged, home)});
      }
    }
    return {};
  }

  bool wants_owner(const StoryTransaction& transaction, const StoryBlock& block) const {
    const StoryOptions& options = story_.options;
    return options.has_all_owners || (options.tid && transaction.found.tid == *options.tid) ||
           (options.block && block.found.home == *options.block);
  }

  Result<void> find_owners() {
    std::uint64_t wanted = 0;
    for (const StoryTransaction& transaction : story_.transactions) {
      for (const StoryBlock& block : transaction.blocks) {
        wanted += wants_owner(transaction, block) ? 1 : 0;
      }
    }
    const std::uint64_t total = std::min(wanted, story_.options.owners_max);
    story_.owners_left_out = wanted - total;
    if (story_.options.block) story_.home_owner = owners_.as_recovered(*story_.options.block);
    // Old ones last: the bound is for the log before it is for them.
    std::uint64_t done = 0;
    for (const bool is_old : {false, true}) {
      for (StoryTransaction& transaction : story_.transactions) {
        if ((transaction.standing == Standing::kOld) != is_old) continue;
        TRY(find_owners_in(transaction, done, total));
      }
    }
    return {};
  }

  Result<void> find_owners_in(StoryTransaction& transaction, std::uint64_t& done,
                              std::uint64_t total) {
    for (StoryBlock& block : transaction.blocks) {
      if (done == total || !wants_owner(transaction, block)) continue;
      if (watcher_ && !watcher_(done, total)) {
        return fail(Errc::kAborted, "journal: interrupted while owners were looked for");
      }
      block.owner = owner_of(transaction, block.found.home);
      ++done;
    }
    return {};
  }

  Owner owner_of(const StoryTransaction& transaction, BlockNo block) {
    switch (transaction.standing) {
      case Standing::kLive: return owners_.as_of(transaction.found.tid, block);
      case Standing::kOld: return owners_.as_it_lies(block);
      case Standing::kDamaged:
      case Standing::kNotReached:
      case Standing::kUncommitted: break;
    }
    return owners_.as_recovered(block);
  }

  const ImageFile& image_;
  const ImageJournal& journal_;
  JournalRing& ring_;
  JournalStory& story_;
  const WorkWatcher& watcher_;
  OwnerLookup owners_;
};

}  // namespace

std::string_view block_fate_name(BlockFate fate) {
  switch (fate) {
    case BlockFate::kReplayed: return "replayed";
    case BlockFate::kSuperseded: return "superseded";
    case BlockFate::kRevoked: return "revoked";
    case BlockFate::kDamaged: return "damaged";
    case BlockFate::kOutside: return "outside";
    case BlockFate::kNotReached: return "not reached";
    case BlockFate::kNotReplayed: return "not replayed";
  }
  return "?";
}

std::uint32_t StoryTransaction::count(BlockFate fate) const {
  return static_cast<std::uint32_t>(std::ranges::count(blocks, fate, &StoryBlock::fate));
}

Result<JournalStory> tell_journal(const ImageFile& image, const StoryOptions& options,
                                  const WorkWatcher& watcher) {
  if (!image.journal()) return Failure{image.journal().error()};
  const ImageJournal& journal = *image.journal();
  const Superblock& superblock = image.volume_as_it_lies().superblock();
  JournalStory story{image.options(),
                     superblock.block_count,
                     image.is_dirty(),
                     journal.is_external,
                     superblock.journal_inode,
                     journal.map,
                     journal.plan,
                     options,
                     {},
                     {},
                     {},
                     0};
  JournalRing ring = TRY(JournalRing::make(image.device(), journal.map, journal.plan.superblock));
  TRY(Teller(image, journal, ring, story, watcher).run());
  return story;
}

}  // namespace powercut::lab
