// Which blocks and inodes are in use: the groups' bitmaps and counters.
//
// Words
//   run         blocks that lie one after another
//   goal        where the caller would like them: the search begins there
//   reserved    blocks that only root may use (s_r_blocks_count): not handed out
//   claim       a number of blocks that are promised to an operation before it changes anything
//   window      free blocks behind the end of a file that grows, kept for it in memory, so that two
//               files that grow at once do not lie in each other's way.  A hint: no more than that
//   system      blocks that are no file's: superblocks, descriptors, bitmaps, inode tables
//
// Invariants
//   1. A bitmap, its checksum and its group's counters change in the same transaction.
//   2. The sums over all groups are known at any time without reading (free_blocks()), and are put
//      into the superblock at the cut of each transaction that changed them.
//   3. A block that was freed may be used again in the same transaction: everything is journalled,
//      so nothing is overwritten before the freeing is durable.
//   4. claimed + handed out is never more than there is.
//   5. The free inode with the lowest number of a group is used first, so that the part of an inode
//      table that was never written stays behind bg_itable_unused.
//   6. System blocks are never handed out, and never freed.
//
// A group whose bitmap is damaged is passed over; its blocks can be read and are not freed.  Damage
// is what does not match the checksum or the free count, or has a system block free.
//
// Threads: any.  Each group has a mutex (rank kGroup), one held at a time, never over the device.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "base/sync.h"
#include "fs/bitmap_scan.h"
#include "fs/core.h"

namespace powercut::fs {

struct BlockRun {
  BlockNo first;
  std::uint32_t count = 0;
};

// Blocks promised.  Those that are not used are given back when it ends.
class SpaceClaim {
 public:
  SpaceClaim() = default;
  SpaceClaim(SpaceClaim&& other) noexcept
      : groups_(std::exchange(other.groups_, nullptr)), left_(std::exchange(other.left_, 0)) {}
  SpaceClaim& operator=(SpaceClaim&& other) noexcept;
  ~SpaceClaim() { give_back(); }
  std::uint64_t left() const { return left_; }

 private:
  friend class Groups;
  SpaceClaim(Groups& groups, std::uint64_t blocks) : groups_(&groups), left_(blocks) {}
  void give_back();
  Groups* groups_ = nullptr;
  std::uint64_t left_ = 0;
};

// Blocks kept for a file that grows.  Belongs to a node, under its lock.
class GrowthWindow {
 public:
  GrowthWindow() = default;
  GrowthWindow(const GrowthWindow&) = delete;
  GrowthWindow& operator=(const GrowthWindow&) = delete;
  ~GrowthWindow() { give_back(); }
  // Others may have them.  Takes a group's mutex.
  void give_back();

 private:
  friend class Groups;
  Groups* groups_ = nullptr;
  BlockRun run_;
};

// What an allocation is to be like.
struct BlockWish {
  BlockNo goal;
  std::uint32_t want = 1;
  // The block before the goal is the file's: any run at the goal is better than one elsewhere.
  bool continues = false;
  SpaceClaim* claim = nullptr;      // from which it is taken; null: from what is available
  GrowthWindow* window = nullptr;   // null: the file does not grow
  std::uint32_t window_blocks = 0;  // to be kept behind the run
};

class Groups {
 public:
  // Reads the descriptors.  `uses_reserved`: hand out the reserved blocks, too.
  // Errors: kCorrupt, kChecksum, kIo.
  static Result<std::unique_ptr<Groups>> load(const Core& core, bool uses_reserved = false);
  ~Groups();

  // Loads the bitmaps that allocating `blocks` near `goal` (and one inode near `parent`, if not 0)
  // will likely need, so that the handle need not wait for the device.
  // Errors: kNoSpace (no inode, no block), kIo.
  Result<void> prepare(BlockNo goal, std::uint32_t blocks, InodeNo parent = InodeNo(0));
  // Promises `blocks`.  Errors: kNoSpace.
  Result<SpaceClaim> claim(std::uint64_t blocks);

  // One run of 1 to `want` blocks, at `goal` if it is free there, else the best near it.
  // kAllocateCredits at most.  Errors: kNoSpace; kIo.
  Result<BlockRun> allocate(Handle& handle, const BlockWish& wish);
  Result<BlockRun> allocate(Handle& handle, BlockNo goal, std::uint32_t want) {
    return allocate(handle, BlockWish{.goal = goal, .want = want});
  }
  // Blocks of one or more groups; kReleaseCredits for each group.  What the cache has of them is
  // forgotten in the same transaction.  Freeing a free or a system block is damage: kCorrupt, and
  // nothing of that group is freed.  Errors: also kChecksum, kIo.
  Result<void> release(Handle& handle, BlockRun run);
  // Whether release() would refuse.  Errors: as it.
  Result<void> check_release(BlockRun run);

  // The inode's slot in the table is the caller's to write.  Files go near their parent,
  // directories spread out.  Errors: kNoSpace, kIo.
  Result<InodeNo> allocate_inode(Handle& handle, InodeNo parent, bool is_directory);
  // kReleaseCredits.  Errors: kCorrupt: it is free; kChecksum, kIo.
  Result<void> release_inode(Handle& handle, InodeNo number, bool is_directory);

  // A bitmap, its descriptor, and the block bitmap of a group that gets its first inode.
  static constexpr std::uint32_t kAllocateCredits = 3;
  static constexpr std::uint32_t kReleaseCredits = 2;

  std::uint64_t free_blocks() const { return free_blocks_.load(); }  // all, reserved ones included
  std::uint64_t available_blocks() const;                            // to be handed out
  std::uint32_t free_inodes() const { return free_inodes_.load(); }
  // Places only: counters and flags are those of the mount.
  const GroupDescriptor& descriptor(std::uint32_t group) const;
  // Whether a block of the run is a system block.
  bool is_system(BlockNo first, std::uint64_t count = 1) const;
  // Blocks that are no file's from now on (the journal's).
  void add_system(BlockNo first, std::uint64_t count);
  // Where the blocks of that inode's file would best lie.
  BlockNo goal_near(InodeNo number) const;
  // How many groups were found damaged.
  std::uint32_t damaged_groups() const { return damaged_groups_.load(); }

 private:
  friend class SpaceClaim;
  friend class GrowthWindow;
  struct Group {
    explicit Group(const GroupDescriptor& stored)
        : index(stored.index),
          places(stored),
          descriptor(stored),
          free_blocks(stored.free_blocks),
          free_inodes(stored.free_inodes),
          directories(stored.used_directories),
          longest(stored.free_blocks) {}

    const std::uint32_t index;
    const GroupDescriptor places;  // as it was at the mount
    Mutex mutex{LockRank::kGroup, index};
    GroupDescriptor descriptor GUARDED_BY(mutex);
    // Here from the first time they are needed: a block each for a group in use.
    BufferRef block_bitmap GUARDED_BY(mutex), inode_bitmap GUARDED_BY(mutex);
    std::vector<std::uint64_t> held
        GUARDED_BY(mutex);                           // a bit for each block of a window, or empty
    std::uint32_t first_free GUARDED_BY(mutex) = 0;  // nothing free and not held is before it
    // To be looked at without the mutex; changed with it.
    std::atomic<bool> is_damaged{false};
    std::atomic<std::uint32_t> free_blocks, free_inodes, directories;
    std::atomic<std::uint32_t> longest;  // no run that is free and not held is longer
  };
  struct Place {
    std::uint32_t group = 0;
    std::uint32_t index = 0;  // of a block or an inode in its group
  };
  explicit Groups(const Core& core) : core_(core) {}

  Result<void> read_descriptors();
  void note_system();
  Place place_of(BlockNo block) const;
  std::uint32_t group_count() const { return static_cast<std::uint32_t>(groups_.size()); }

  // Bitmaps (group_load.cc): into memory, where they stay.  False: the group is damaged.
  Result<bool> load_block_bitmap(Group& group);
  Result<bool> load_inode_bitmap(Group& group);
  Result<BufferRef> bitmap_buffer(BlockNo place, const std::vector<std::uint8_t>* fresh);
  std::vector<std::uint8_t> fresh_block_bitmap(const Group& group) const;
  std::vector<std::uint8_t> fresh_inode_bitmap() const;
  void mark_damaged(Group& group, const Error& why) REQUIRES(group.mutex);
  bool has_system_bits(const Group& group, Bytes bitmap) const;

  // Blocks (group_blocks.cc).
  std::uint64_t take_available(std::uint64_t want, std::uint64_t at_least);
  Result<BlockRun> search(Handle& handle, const BlockWish& wish);
  Result<BlockRun> take_at_goal(Handle& handle, const BlockWish& wish);
  Result<BlockRun> take_near(Handle& handle, const BlockWish& wish, std::uint32_t ask);
  Result<BlockRun> take_longest(Handle& handle, const BlockWish& wish);
  BlockRun take(Handle& handle, Group& group, const BlockWish& wish, BitRun picked)
      REQUIRES(group.mutex);
  void hold_behind(Group& group, BitRun taken, const BlockWish& wish) REQUIRES(group.mutex);
  void drop_windows();
  FreeBits free_bits(const Group& group, const Content& bitmap) const REQUIRES(group.mutex);
  void write_block_bitmap(Handle& handle, Group& group, BitRun range, bool is_used)
      REQUIRES(group.mutex);
  void write_descriptor(Handle& handle, Group& group) REQUIRES(group.mutex);
  BitRun first_part(BlockRun run) const;
  Result<void> check_in_use(Group& group, BitRun range);
  Result<void> look_at_release(BlockRun run);
  Result<void> release_in_group(Handle& handle, Group& group, BitRun range);

  // Inodes (group_inodes.cc).
  std::uint32_t group_for_file(std::uint32_t parent_group) const;
  std::uint32_t group_for_directory(InodeNo parent) const;
  Result<bool> load_for_inode(Group& group);
  std::optional<std::uint32_t> take_inode(Handle& handle, Group& group, bool is_directory);
  void write_inode_bitmap(Handle& handle, Group& group, std::uint32_t index, bool is_used)
      REQUIRES(group.mutex);

  const Core& core_;
  bool has_group_checksums_ = false;  // flags and bg_itable_unused mean something
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<BufferRef> descriptor_blocks_;
  std::vector<BlockRun> system_;  // by first block, apart from each other
  std::atomic<std::uint64_t> free_blocks_{0};
  std::atomic<std::int64_t> available_{0};  // free, less reserved and claimed ones
  std::atomic<std::uint32_t> free_inodes_{0};
  std::atomic<std::uint32_t> damaged_groups_{0};
};

}  // namespace powercut::fs
