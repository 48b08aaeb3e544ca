// The story of a journal: every transaction that is still in its ring, what a recovery does with
// each block of it, and to whom the blocks belong.
//
// Words (and those of ring_sort.h)
//   as of        metadata is read as the transaction left it, not from its home, which is stale
//                while the log holds the news
#pragma once

#include "lab/image/image_file.h"
#include "lab/image/ring_sort.h"
#include "reader/owner.h"

namespace powercut::lab {

enum class BlockFate : std::uint8_t {
  kReplayed,
  kSuperseded,   // replayed, and a later transaction's copy over it
  kRevoked,      // its checksum is not looked at
  kDamaged,      // does not match its checksum: not replayed (in an uncommitted one: never written)
  kOutside,      // its home is past the file system, or in the journal: not replayed
  kNotReached,   // sound, but the recovery is refused before it replays anything
  kNotReplayed,  // sound, or without a checksum; its transaction is not live
};
std::string_view block_fate_name(BlockFate fate);

struct StoryBlock {
  FoundBlock found;
  BlockFate fate = BlockFate::kNotReplayed;
  std::optional<Tid> by;       // kSuperseded, kRevoked: the transaction that does it
  std::optional<Owner> owner;  // absent: not asked for, or the bound was reached
};

struct StoryTransaction {
  FoundTransaction found;  // its blocks are moved to `blocks`
  Standing standing = Standing::kOld;
  std::vector<StoryBlock> blocks;
  std::uint32_t count(BlockFate fate) const;
};

// One version of a block in the ring, or a revoke record of it.
struct BlockVersion {
  std::size_t transaction = 0;       // index into JournalStory::transactions
  std::optional<std::size_t> block;  // index into its blocks; absent: the transaction revokes it
  bool is_at_home = false;           // home holds exactly this now
};

struct StoryOptions {
  // Owners are looked for: of the blocks of this transaction ...
  std::optional<Tid> tid = std::nullopt;
  // ... of the versions of this home block ...
  std::optional<BlockNo> block = std::nullopt;
  // ... of all blocks.
  bool has_all_owners = false;
  std::uint64_t owners_max = 2000;  // at most so many look-ups
};

struct JournalStory {
  ImageOptions image;
  std::uint64_t file_system_blocks = 0;
  bool is_dirty = false;  // needs_recovery: without it Linux discards the log
  bool is_external = false;
  InodeNo journal_inode;  // 0 for an external one
  JournalMap map;
  RecoveryPlan plan;
  StoryOptions options;
  // Old ones from behind the log's end on, then the log, in the order of the ring.
  std::vector<StoryTransaction> transactions;
  std::vector<BlockVersion> versions;  // of options.block, in the order of the transactions
  std::optional<Owner> home_owner;     // of options.block, as recovered
  std::uint64_t owners_left_out = 0;   // by owners_max
  // A recovery finds damage.
  bool is_damaged() const { return plan.end == RecoveryEnd::kRefused || !plan.damages.empty(); }
};

// Errors: those of image.journal(); kInvalid: no such block or tid; as RingWalk::make; kAborted.
// The watcher is told of blocks read, then of owners found.
Result<JournalStory> tell_journal(const ImageFile& image, const StoryOptions& options,
                                  const WorkWatcher& watcher = {});

}  // namespace powercut::lab
