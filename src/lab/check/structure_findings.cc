#include "lab/check/structure_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace powercut::lab {
namespace {

constexpr std::size_t kOwnersNamed = 4;

StructureRule rule_of_error(const Error& error, bool is_superblock) {
  if (error.code == Errc::kUnsupported || error.code == Errc::kInvalid) {
    return StructureRule::kRefused;
  }
  return is_superblock ? StructureRule::kSuperblock : StructureRule::kGroupDescriptor;
}

// What is said of rules that need no numbers.
struct PlainWords {
  StructureRule rule;
  const char* words;
};
constexpr std::array<PlainWords, 6> kPlainWords = {{
    {StructureRule::kInodeNotMarked, "in use, and free in the bitmap"},
    {StructureRule::kInodeMarkedUnused, "in use in the bitmap, and not in the table"},
    {StructureRule::kInodePastSize, "has blocks behind its end"},
    {StructureRule::kInodeDeleteTime, "its time of deletion contradicts its links"},
    {StructureRule::kUnattached, "has no name"},
    {StructureRule::kOrphanFile, "an orphan that is none, or is one twice"},
}};

}  // namespace

std::vector<CheckFinding> StructureState::findings(std::size_t max) const {
  return FindingsMaker(*this, max).make();
}

std::vector<CheckFinding> FindingsMaker::make() {
  if (!state_.can_follow()) {
    unreadable();
    return std::move(findings_);
  }
  note_owners();
  whole();
  groups();
  blocks();
  attributes();
  inodes();
  cycles();
  return std::move(findings_);
}

void FindingsMaker::add(StructureRule rule, std::string words, const Place& place) {
  if (is_full()) return;
  CheckFinding finding;
  finding.judge = JudgeName::kStructure;
  finding.rule = structure_rule_name(rule);
  finding.words = std::move(words);
  finding.block = place.block;
  finding.inode = place.inode;
  findings_.push_back(std::move(finding));
}

void FindingsMaker::unreadable() {
  const StateImage& image = state_.image_;
  if (state_.has_too_many_claims_) {
    add(StructureRule::kTooManyClaims,
        "the blocks are claimed several times over, all of them together: not looked at further",
        {});
    return;
  }
  const auto superblock = Layout::read_superblock(image);
  if (!superblock) {
    const Error& error = superblock.error();
    add(rule_of_error(error, true), error_words(error), {});
    return;
  }
  for (std::uint32_t group = 0; group < superblock->group_count() && !is_full(); ++group) {
    const auto descriptor = Layout::read_group(image, *superblock, group);
    if (descriptor) continue;
    add(StructureRule::kGroupDescriptor, error_words(descriptor.error()), {});
  }
  if (!findings_.empty() || is_full()) return;
  const auto layout = Layout::make(image);
  CHECK(!layout, "an image with a layout is followed");
  add(rule_of_error(layout.error(), false), error_words(layout.error()), {});
}

void FindingsMaker::whole() {
  if (state_.orphan_list_flaw_ != nullptr) {
    add(StructureRule::kOrphanList, state_.orphan_list_flaw_, {});
  }
  const bool is_present = state_.superblock_->has(Ext4RoCompat::kOrphanPresent);
  if (state_.orphan_file_entries_ != 0 && !is_present) {
    add(StructureRule::kOrphanFile, "the orphan file has entries, orphan_present says that none is",
        {});
  }
}

void FindingsMaker::group_rule(const GroupDescriptor& group, StructureRule rule,
                               const std::string& words) {
  if ((state_.groups_[group.index].wrong & bit_of(rule)) == 0) return;
  add(rule, fmt::format("group {}: {}", group.index, words), {});
}

void FindingsMaker::groups() {
  for (const auto& cell : state_.groups_) {
    if (cell.wrong == 0) continue;
    const GroupDescriptor& now = cell.now;
    group_rule(now, StructureRule::kBlockBitmapChecksum, "the block bitmap's checksum");
    group_rule(now, StructureRule::kInodeBitmapChecksum, "the inode bitmap's checksum");
    group_rule(now, StructureRule::kBitmapPadding, "a clear bit behind the end of a bitmap");
    const std::uint64_t blocks = state_.superblock_->block_count_of(now.index);
    group_rule(now, StructureRule::kGroupFreeBlocks,
               fmt::format("{} free blocks are counted, {} are free", now.free_blocks,
                           blocks - cell.marked_blocks));
    group_rule(now, StructureRule::kGroupFreeInodes,
               fmt::format("{} free inodes are counted, {} are free", now.free_inodes,
                           state_.superblock_->inodes_per_group - cell.marked_inodes));
    group_rule(now, StructureRule::kGroupDirectories,
               fmt::format("{} directories are counted, there are {}", now.used_directories,
                           cell.directories));
  }
}

// ---- blocks

void FindingsMaker::note_owner(BlockNo first, std::uint64_t count, const std::string& owner) {
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!state_.blocks_.is_wrong(first + i)) continue;
    std::vector<std::string>& owners = owners_[(first + i).value()];
    if (owners.size() < kOwnersNamed) owners.push_back(owner);
  }
}

void FindingsMaker::note_owners() {
  if (state_.blocks_.wrong_count() == 0) return;
  for (const BlockNo block : state_.layout_->fixed_blocks()) {
    note_owner(block, 1, "the fixed part of the file system");
  }
  for (std::uint32_t i = 1; i < state_.inodes_.size(); ++i) {
    const auto& record = state_.inodes_[i].record;
    if (!record) continue;
    const std::string owner = fmt::format("inode {}", i);
    for (const MappedRun& run : record->runs) note_owner(run.device, run.count, owner);
    for (const BlockNo node : record->nodes) note_owner(node, 1, owner + " (block map)");
    if (record->attribute_block.value() != 0) {
      note_owner(record->attribute_block, 1, owner + " (attributes)");
    }
  }
}

void FindingsMaker::blocks() {
  if (state_.blocks_.wrong_count() == 0) return;
  std::uint64_t at = 0;
  const std::uint64_t end = state_.known_.size();
  while (at < end && !is_full()) {
    std::uint64_t next = at + 1;
    if (state_.blocks_.is_wrong(BlockNo(at))) {
      const auto is_same = [&](std::uint64_t block) {
        return state_.blocks_.is_wrong(BlockNo(block)) &&
               state_.blocks_.claims(BlockNo(block)) == state_.blocks_.claims(BlockNo(at)) &&
               state_.blocks_.is_marked(BlockNo(block)) == state_.blocks_.is_marked(BlockNo(at)) &&
               owners_[block] == owners_[at];
      };
      while (next < end && is_same(next)) ++next;
      block_run(BlockNo(at), next - at);
    }
    at = next;
  }
}

void FindingsMaker::block_run(BlockNo first, std::uint64_t count) {
  const std::uint32_t claims = state_.blocks_.claims(first);
  const bool is_marked = state_.blocks_.is_marked(first);
  const std::string what =
      count == 1 ? fmt::format("block {}", first.value())
                 : fmt::format("blocks {} to {}", first.value(), first.value() + count - 1);
  const std::string by = fmt::format("{}", fmt::join(owners_[first.value()], ", "));
  if (claims > 1) {
    add(StructureRule::kBlockClaimedTwice, fmt::format("{}: claimed by {}", what, by),
        {first, std::nullopt});
  }
  if (claims != 0 && !is_marked) {
    add(StructureRule::kBlockNotMarked,
        fmt::format("{}: belongs to {}, and is free in the bitmap", what, by),
        {first, std::nullopt});
  }
  if (claims == 0 && is_marked) {
    add(StructureRule::kBlockMarkedUnused,
        fmt::format("{}: in use in the bitmap, and belongs to nothing", what),
        {first, std::nullopt});
  }
}

void FindingsMaker::attributes() {
  std::map<std::uint64_t, const StructureState::AttributeCell*> wrong;
  for (const auto& [block, cell] : state_.attributes_) {
    if (cell.wrong != 0) wrong.emplace(block, &cell);
  }
  for (const auto& [block, cell] : wrong) {
    const BlockNo place(block);
    if ((cell->wrong & bit_of(StructureRule::kAttributeBlock)) != 0) {
      const char* const what = cell->facts->flaw != nullptr ? cell->facts->flaw : cell->value_flaw;
      add(StructureRule::kAttributeBlock, fmt::format("block {}: {}", block, what),
          {place, std::nullopt});
    } else {
      add(StructureRule::kAttributeReferences,
          fmt::format("block {}: {} references are counted, {} inodes refer to it", block,
                      cell->facts->references, cell->users),
          {place, std::nullopt});
    }
  }
}

// ---- inodes

void FindingsMaker::inodes() {
  for (std::uint32_t i = 1; i < state_.inodes_.size() && !is_full(); ++i) {
    const auto& cell = state_.inodes_[i];
    if (cell.wrong != 0) inode(InodeNo(i));
    if (state_.names_.doubled_count() != 0 && cell.record) doubled_names(InodeNo(i));
  }
}

void FindingsMaker::inode(InodeNo number) {
  const auto& cell = state_.cell(number);
  if (cell.record) {
    for (const Flaw& flaw : cell.record->flaws) {
      std::string words = fmt::format("inode {}: {}", number.value(), flaw.what);
      std::optional<BlockNo> block;
      if (flaw.block.value() != 0) {
        block = flaw.block;
        words += fmt::format(" (block {})", flaw.block.value());
      }
      add(flaw.rule, std::move(words), {block, number});
    }
  }
  for (std::size_t i = 0; i < kStructureRules; ++i) {
    const auto rule = static_cast<StructureRule>(i);
    // Its flaws have been told.
    if (rule == StructureRule::kInode || (cell.wrong & bit_of(rule)) == 0) continue;
    add(rule, fmt::format("inode {}: {}", number.value(), inode_words(number, rule)),
        {std::nullopt, number});
  }
}

std::string FindingsMaker::inode_words(InodeNo number, StructureRule rule) const {
  const auto plain = std::ranges::find(kPlainWords, rule, &PlainWords::rule);
  if (plain != kPlainWords.end()) return plain->words;
  const auto& cell = state_.cell(number);
  const std::uint32_t links = cell.record ? cell.record->inode.links : 0;
  const std::uint32_t parent = cell.record ? cell.record->parent.value() : 0;
  if (rule == StructureRule::kLinkCount) {
    return fmt::format("{} links are counted, there are {}", links, cell.sums.entries);
  }
  if (rule == StructureRule::kValueReferences) {
    return fmt::format("used as a value {} times, and counts otherwise", cell.value_uses);
  }
  const std::string names = names_of(number);
  if (rule == StructureRule::kNameOfUnused) {
    return fmt::format("not in use, and has {} names{}", cell.sums.entries, names);
  }
  if (rule == StructureRule::kNameOfReserved) return "must have no name, and has one" + names;
  if (rule == StructureRule::kEntryType) return "a name has another type" + names;
  if (rule == StructureRule::kDirectoryParents) return "a directory with several names" + names;
  CHECK(rule == StructureRule::kDotDot, "a rule of one inode against the rest");
  return fmt::format(".. leads to inode {}{}", parent, names);
}

// Directories that have names of the inode.
std::string FindingsMaker::names_of(InodeNo number) const {
  std::string text;
  std::size_t named = 0;
  for (std::uint32_t i = 1; i < state_.inodes_.size() && named < kOwnersNamed; ++i) {
    const auto& record = state_.inodes_[i].record;
    if (!record) continue;
    const bool has_name = std::ranges::any_of(record->parts, [&](const DirectoryPart& part) {
      return std::ranges::any_of(part.facts->entries, [&](const EntryFact& entry) {
        return entry.inode == number && entry.kind == EntryKind::kName;
      });
    });
    if (!has_name) continue;
    text += fmt::format("{} {}", named == 0 ? ", in directory" : " and", i);
    ++named;
  }
  return text;
}

void FindingsMaker::doubled_names(InodeNo number) {
  for (const DirectoryPart& part : state_.cell(number).record->parts) {
    for (const EntryFact& entry : part.facts->entries) {
      if (!state_.names_.is_doubled(name_key(number, entry.name_hash))) continue;
      add(StructureRule::kDuplicateName,
          fmt::format("directory {}: a name twice, for inode {}", number.value(),
                      entry.inode.value()),
          {part.block, number});
    }
  }
}

// What does not lead to the root, where every directory has one parent.
void FindingsMaker::cycles() {
  if (!state_.has_cycle_) return;
  for (std::uint32_t i = 1; i < state_.inodes_.size() && !is_full(); ++i) {
    const InodeNo number(i);
    if (state_.parent_to_follow(number).value() == 0 || state_.leads_to_root(number)) continue;
    add(StructureRule::kDetachedCycle,
        fmt::format("inode {}: a directory that the root does not lead to", i),
        {std::nullopt, number});
  }
}

}  // namespace powercut::lab
