// The rules of the structure judge, by name.  docs/judges.md says what each means and what e2fsck
// says where it is broken.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/units.h"

namespace powercut::lab {

enum class StructureRule : std::uint8_t {
  // The file system as a whole.
  kRefused,  // a feature or a size that this judge does not know
  kSuperblock,
  kGroupDescriptor,
  kTooManyClaims,
  kOrphanList,
  kOrphanFile,
  // Groups.
  kBlockBitmapChecksum,
  kInodeBitmapChecksum,
  kBitmapPadding,
  kGroupFreeBlocks,
  kGroupFreeInodes,
  kGroupDirectories,
  // Blocks.
  kBlockClaimedTwice,
  kBlockNotMarked,
  kBlockMarkedUnused,
  kAttributeBlock,
  kAttributeReferences,
  // One inode and what belongs to it alone.
  kInode,
  kInodeMode,
  kInodeFlags,
  kInodeSize,
  kInodeBlocks,
  kExtentTree,
  kIndirectBlocks,
  kSymlink,
  kInlineData,
  kAttributes,
  kValueInode,
  kResizeInode,
  kDirectoryBlock,
  kDirectoryDots,
  kDirectoryHole,
  kDirectoryIndex,
  kDuplicateName,
  // One inode against the rest.
  kInodeNotMarked,
  kInodeMarkedUnused,
  kInodePastSize,
  kInodeDeleteTime,
  kNameOfUnused,
  kNameOfReserved,
  kEntryType,
  kLinkCount,
  kUnattached,
  kDirectoryParents,
  kDotDot,
  kDetachedCycle,
  kValueReferences,
};
inline constexpr std::size_t kStructureRules =
    static_cast<std::size_t>(StructureRule::kValueReferences) + 1;

// "block-claimed-twice".
std::string_view structure_rule_name(StructureRule rule);

// A rule broken by one inode (or one block of attributes) whatever the rest of the image holds.
struct Flaw {
  StructureRule rule = StructureRule::kInode;
  const char* what = "";  // static text
  BlockNo block;          // 0: none
  friend bool operator==(const Flaw&, const Flaw&) = default;
};

}  // namespace powercut::lab
