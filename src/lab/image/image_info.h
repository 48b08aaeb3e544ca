// What there is to know of a file system as a whole.
#pragma once

#include <optional>
#include <vector>

#include "format/ext4_mmp.h"
#include "lab/image/image_state.h"

namespace powercut::lab {

// All group descriptors, looked at once.
struct GroupSummary {
  static constexpr std::uint32_t kCheckedMax = 1u << 22;
  static constexpr std::size_t kDamageMax = 100;  // kept of those that were found

  struct Damage {
    std::uint32_t group = 0;
    Error error;
  };
  std::uint32_t group_count = 0, checked_count = 0, damaged_count = 0;
  std::vector<Damage> damages;  // the first ones
  // Over those that can be read: what Linux counts anew at each mount.
  std::uint64_t free_blocks = 0, free_inodes = 0, directories = 0;
};

struct OrphanSummary {
  static constexpr std::size_t kKeptMax = 1'000'000;
  std::uint64_t count = 0;
  std::vector<InodeNo> inodes;  // the first ones, as recovery comes to them
  std::optional<Error> error;   // why there may be more
};

// The journal, whether or not it counts.
struct JournalSummary {
  InodeNo inode;             // 0: on a device of its own
  std::uint64_t device = 0;  // where its superblock lies: a block, if inside
  JournalSuperblock superblock;
  bool is_empty = true;                    // s_start is 0
  std::uint64_t transactions = 0;          // whole ones
  std::optional<Tid> first_tid, last_tid;  // of these
  std::uint64_t replayed_blocks = 0, revoked_blocks = 0, skipped_blocks = 0;
  std::uint64_t fast_commits = 0;
};

struct ImageInfo {
  Superblock superblock;  // as it is seen
  SeenVolume seen;
  std::optional<JournalSummary> journal;
  std::optional<Error> journal_error;  // why there is none, if there should be
  std::optional<MmpBlock> mmp;
  std::optional<Error> mmp_error;
  GroupSummary groups;
  OrphanSummary orphans;

  bool is_damaged() const {
    return seen.is_damaged() || groups.damaged_count != 0 || orphans.error || mmp_error;
  }
};

ImageInfo read_image_info(const ImageFile& file, const SeenVolume& seen);

}  // namespace powercut::lab
