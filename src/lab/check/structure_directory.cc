// The blocks of one directory: what each is read as, and whether its index agrees with the names.
#include <algorithm>

#include "lab/check/structure_record.h"

namespace powercut::lab {
namespace {

// What the index says of one block of the directory.
struct Plan {
  bool is_reached = false;
  bool is_index = false;
  std::uint32_t least = 0;  // hashes of a leaf's names
  std::uint32_t end = 0;    // the next leaf's first hash
  bool has_end = false;
};

class DirectoryReader {
 public:
  DirectoryReader(const ReadContext& context, const RecordRequest& request, InodeRecord& record)
      : context_(context),
        request_(request),
        record_(record),
        owner_(OwnerSeed::make(context.superblock(), request.number, record.inode.generation)) {}

  void run() {
    const std::uint64_t block_bytes = context_.superblock().block_bytes();
    const std::uint64_t end = mapped_end(record_.runs);
    const std::uint64_t wanted = record_.inode.size / block_bytes;
    if (record_.inode.size % block_bytes != 0 || wanted == 0 || wanted < end) {
      flaw(StructureRule::kInodeSize, "a directory's size is not that of its blocks", BlockNo());
    }
    // A size beyond all blocks of the file system is a hole too; nothing is made of that length.
    blocks_ = blocks_of(record_.runs, std::min(wanted, context_.superblock().block_count));
    const bool has_hole =
        wanted > blocks_.size() || std::ranges::find(blocks_, BlockNo()) != blocks_.end();
    if (has_hole) flaw(StructureRule::kDirectoryHole, "a hole in a directory", BlockNo());
    plans_.resize(blocks_.size());
    if (record_.inode.has(InodeFlag::kIndexed)) read_index();
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (blocks_[i].value() != 0) read_block(i);
    }
  }

 private:
  void flaw(StructureRule rule, const char* what, BlockNo block) {
    constexpr std::size_t kFlawsMost = 16;
    if (record_.flaws.size() < kFlawsMost) record_.flaws.push_back({rule, what, block});
  }
  void index_flaw(const char* what, BlockNo block) {
    flaw(StructureRule::kDirectoryIndex, what, block);
  }

  void read_index() {
    if (!context_.superblock().has(Ext4Compat::kDirIndex)) {
      flaw(StructureRule::kInodeFlags, "an index without the feature dir_index", BlockNo());
    }
    if (blocks_.empty() || blocks_[0].value() == 0) return;
    const HtreeFacts& root =
        context_.facts.htree(context_.image, blocks_[0], true, owner_, context_.superblock());
    if (root.flaw != nullptr) {
      index_flaw(root.flaw, blocks_[0]);
      return;
    }
    hash_ = directory_hash_of(root.hash_version, context_.superblock());
    if (root.hash_version > static_cast<std::uint8_t>(DirectoryHash::kSipHash)) {
      index_flaw("an unknown hash", blocks_[0]);
      return;
    }
    is_indexed_ = true;
    // The hashes of folded names cannot be made without tables, SipHash not without a key.
    has_hashes_ = !record_.inode.has(InodeFlag::kCaseFold) && hash_ != DirectoryHash::kSipHash;
    plans_[0].is_reached = true;
    walk(root.entries, root.levels, Plan(), blocks_[0]);
    const bool is_missed = std::ranges::any_of(plans_, [](const Plan& p) { return !p.is_reached; });
    if (is_missed) index_flaw("a block that the index does not lead to", BlockNo());
  }

  // The subtrees of `entries`, which have `levels` inner levels below them.
  void walk(const std::vector<HtreeEntry>& entries, std::uint32_t levels, const Plan& above,
            BlockNo place) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      Plan plan{true, levels != 0, std::max(entries[i].hash, above.least), above.end,
                above.has_end};
      if (i + 1 < entries.size()) {
        plan.end = entries[i + 1].hash;
        plan.has_end = true;
      }
      const std::uint64_t at = entries[i].block.value();
      if (at >= plans_.size() || plans_[at].is_reached || blocks_[at].value() == 0) {
        index_flaw("an entry of the index leads to no block, or to one twice", place);
        continue;
      }
      plans_[at] = plan;
      if (levels != 0) inner(blocks_[at], levels - 1, plan);
    }
  }

  void inner(BlockNo block, std::uint32_t levels, const Plan& plan) {
    const HtreeFacts& node =
        context_.facts.htree(context_.image, block, false, owner_, context_.superblock());
    if (node.flaw != nullptr) {
      index_flaw(node.flaw, block);
      return;
    }
    walk(node.entries, levels, plan, block);
  }

  DirectoryRole role_of(std::size_t i) const {
    if (i == 0) {
      const bool has_root = record_.inode.has(InodeFlag::kIndexed);
      return has_root ? DirectoryRole::kIndexRoot : DirectoryRole::kFirst;
    }
    return is_indexed_ && has_hashes_ && plans_[i].is_reached ? DirectoryRole::kLeaf
                                                              : DirectoryRole::kRest;
  }

  void read_block(std::size_t i) {
    record_.reads.push_back(blocks_[i]);
    if (plans_[i].is_index) return;
    DirectoryPart part{blocks_[i], context_.image.at(blocks_[i]), role_of(i), hash_, nullptr};
    part.facts = known_before(part);
    if (part.facts == nullptr) {
      part.facts = &context_.facts.directory(context_.image, part.block,
                                             {owner_, part.role, part.hash}, context_.superblock());
    }
    record_.parts.push_back(part);
    check(part, plans_[i], i == 0);
  }

  // The facts of the part with the same index in what was known before, if it is the same still:
  // of a large directory with one changed block, all other blocks.
  const DirectoryFacts* known_before(const DirectoryPart& part) const {
    const InodeRecord* const before = request_.before;
    if (before == nullptr || before->inode.generation != record_.inode.generation) return nullptr;
    const std::size_t at = record_.parts.size();
    if (at >= before->parts.size()) return nullptr;
    const DirectoryPart& old = before->parts[at];
    const bool is_same = old.block == part.block && old.content == part.content &&
                         old.role == part.role && old.hash == part.hash;
    return is_same ? old.facts : nullptr;
  }

  void check(const DirectoryPart& part, const Plan& plan, bool is_first) {
    const DirectoryFacts& facts = *part.facts;
    if (facts.flaw != nullptr) flaw(StructureRule::kDirectoryBlock, facts.flaw, part.block);
    if (facts.dots_flaw != nullptr) {
      flaw(StructureRule::kDirectoryDots, facts.dots_flaw, part.block);
    }
    if (is_first) record_.parent = facts.parent;
    if (part.role != DirectoryRole::kLeaf || facts.hash_least > facts.hash_greatest) return;
    // Bit 0 of the next hash: names of that hash begin in this block already.
    const bool is_past_end =
        plan.has_end && (facts.hash_greatest > (plan.end & ~1u) ||
                         (facts.hash_greatest == (plan.end & ~1u) && (plan.end & 1u) == 0));
    if (facts.hash_least < (plan.least & ~1u) || is_past_end) {
      index_flaw("a name whose hash the index has elsewhere", part.block);
    }
  }

  const ReadContext& context_;
  const RecordRequest& request_;
  InodeRecord& record_;
  const OwnerSeed owner_;
  std::vector<BlockNo> blocks_;
  std::vector<Plan> plans_;
  DirectoryHash hash_ = DirectoryHash::kLegacy;
  bool is_indexed_ = false, has_hashes_ = false;
};

}  // namespace

void read_directory(const ReadContext& context, const RecordRequest& request, InodeRecord& record) {
  if (!record.inode.has(InodeFlag::kInlineData)) {
    DirectoryReader(context, request, record).run();
    return;
  }
  const ContentId content = context.image.at(context.layout.inode_block(request.number));
  const Bytes stored = context.layout.inode_bytes(context.image, request.number);
  const DirectoryFacts& facts =
      context.facts.inline_directory(content, request.number, stored, context.superblock());
  if (facts.flaw != nullptr) {
    record.flaws.push_back({StructureRule::kInlineData, facts.flaw, BlockNo()});
  }
  if (facts.dots_flaw != nullptr) {
    record.flaws.push_back({StructureRule::kDirectoryDots, facts.dots_flaw, BlockNo()});
  }
  record.parent = facts.parent;
  record.parts.push_back({BlockNo(), content, DirectoryRole::kFirst, {}, &facts});
}

}  // namespace powercut::lab
