#include "lab/check/structure_rule.h"

#include <array>

#include "base/check.h"

namespace powercut::lab {
namespace {

struct NamedRule {
  StructureRule rule;
  std::string_view name;
};
constexpr std::array<NamedRule, kStructureRules> kRules = {{
    {StructureRule::kRefused, "refused"},
    {StructureRule::kSuperblock, "superblock"},
    {StructureRule::kGroupDescriptor, "group-descriptor"},
    {StructureRule::kTooManyClaims, "too-many-claims"},
    {StructureRule::kOrphanList, "orphan-list"},
    {StructureRule::kOrphanFile, "orphan-file"},
    {StructureRule::kBlockBitmapChecksum, "block-bitmap-checksum"},
    {StructureRule::kInodeBitmapChecksum, "inode-bitmap-checksum"},
    {StructureRule::kBitmapPadding, "bitmap-padding"},
    {StructureRule::kGroupFreeBlocks, "group-free-blocks"},
    {StructureRule::kGroupFreeInodes, "group-free-inodes"},
    {StructureRule::kGroupDirectories, "group-directories"},
    {StructureRule::kBlockClaimedTwice, "block-claimed-twice"},
    {StructureRule::kBlockNotMarked, "block-not-marked"},
    {StructureRule::kBlockMarkedUnused, "block-marked-unused"},
    {StructureRule::kAttributeBlock, "attribute-block"},
    {StructureRule::kAttributeReferences, "attribute-references"},
    {StructureRule::kInode, "inode"},
    {StructureRule::kInodeMode, "inode-mode"},
    {StructureRule::kInodeFlags, "inode-flags"},
    {StructureRule::kInodeSize, "inode-size"},
    {StructureRule::kInodeBlocks, "inode-blocks"},
    {StructureRule::kExtentTree, "extent-tree"},
    {StructureRule::kIndirectBlocks, "indirect-blocks"},
    {StructureRule::kSymlink, "symlink"},
    {StructureRule::kInlineData, "inline-data"},
    {StructureRule::kAttributes, "attributes"},
    {StructureRule::kValueInode, "value-inode"},
    {StructureRule::kResizeInode, "resize-inode"},
    {StructureRule::kDirectoryBlock, "directory-block"},
    {StructureRule::kDirectoryDots, "directory-dots"},
    {StructureRule::kDirectoryHole, "directory-hole"},
    {StructureRule::kDirectoryIndex, "directory-index"},
    {StructureRule::kDuplicateName, "duplicate-name"},
    {StructureRule::kInodeNotMarked, "inode-not-marked"},
    {StructureRule::kInodeMarkedUnused, "inode-marked-unused"},
    {StructureRule::kInodePastSize, "inode-past-size"},
    {StructureRule::kInodeDeleteTime, "inode-delete-time"},
    {StructureRule::kNameOfUnused, "name-of-unused"},
    {StructureRule::kNameOfReserved, "name-of-reserved"},
    {StructureRule::kEntryType, "entry-type"},
    {StructureRule::kLinkCount, "link-count"},
    {StructureRule::kUnattached, "unattached"},
    {StructureRule::kDirectoryParents, "directory-parents"},
    {StructureRule::kDotDot, "dot-dot"},
    {StructureRule::kDetachedCycle, "detached-cycle"},
    {StructureRule::kValueReferences, "value-references"},
}};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (static_cast<std::size_t>(kRules[i].rule) != i) return false;
  }
  return true;
}
static_assert(is_in_order(), "the table is indexed by the rule");

}  // namespace

std::string_view structure_rule_name(StructureRule rule) {
  return kRules[static_cast<std::size_t>(rule)].name;
}

}  // namespace powercut::lab
