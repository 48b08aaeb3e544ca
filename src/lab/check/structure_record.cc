#include "lab/check/structure_record.h"

#include <algorithm>

#include "format/ext4_orphan.h"

namespace powercut::lab {
namespace {

constexpr std::uint32_t kSectorBytes = 512;

bool is_known_type(InodeType type) {
  switch (type) {
    case InodeType::kFifo:
    case InodeType::kCharacterDevice:
    case InodeType::kDirectory:
    case InodeType::kBlockDevice:
    case InodeType::kRegular:
    case InodeType::kSymlink:
    case InodeType::kSocket: return true;
    case InodeType::kNone: return false;
  }
  return false;
}

class RecordReader {
 public:
  RecordReader(const ReadContext& context, const RecordRequest& request)
      : context_(context),
        superblock_(context.superblock()),
        request_(request),
        stored_(context.layout.inode_bytes(context.image, request.number)),
        record_(std::make_unique<InodeRecord>()) {}

  std::unique_ptr<InodeRecord> read() {
    if (all_zero(stored_)) return nullptr;
    const auto inode = Inode::parse(stored_, request_.number, superblock_);
    if (!inode) {
      record_->is_readable = false;
      flaw(StructureRule::kInode, inode.error().what);
      return std::move(record_);
    }
    record_->inode = *inode;
    const bool has_type = !inode->is(InodeType::kNone);
    record_->is_used = inode->links != 0 || request_.is_orphan || claims_bad_blocks();
    if (record_->is_used && (has_type || !is_reserved())) read_used();
    return std::move(record_);
  }

 private:
  const Inode& inode() const { return record_->inode; }
  bool is_reserved() const {
    return request_.number < superblock_.first_inode && request_.number != kRootInode;
  }
  // The inode of bad blocks has neither type nor links, but may have blocks.
  bool claims_bad_blocks() const {
    return request_.number == kBadBlocksInode && !all_zero(inode().block_area);
  }
  bool is_resize_inode() const {
    return request_.number == kResizeInode && superblock_.has(Ext4Compat::kResizeInode);
  }

  void flaw(StructureRule rule, const char* what, BlockNo block = BlockNo()) {
    record_->flaws.push_back({rule, what, block});
  }

  void read_used() {
    if (!is_known_type(inode().type())) {
      flaw(StructureRule::kInodeMode, "a type that is none");
      return;
    }
    check_flags();
    if (inode().has_block_map()) read_map();
    record_->attribute_block = inode().xattr_block;
    read_attributes();
    count_values_in_block();
    check_block_count();
    if (inode().is(InodeType::kSymlink)) check_symlink();
    // What has no name any more is read by nobody but who deletes it.
    if (inode().links == 0) return;
    if (inode().is(InodeType::kDirectory)) read_directory(context_, request_, *record_);
    if (inode().is(InodeType::kRegular)) check_size();
    const bool is_orphan_file = superblock_.has(Ext4Compat::kOrphanFile) &&
                                request_.number == superblock_.orphan_file_inode;
    if (is_orphan_file) read_orphan_file();
  }

  void check_flags() {
    const bool has_extents = inode().has(InodeFlag::kExtents);
    const bool has_inline = inode().has(InodeFlag::kInlineData);
    const auto fails = [this](const char* what) { flaw(StructureRule::kInodeFlags, what); };
    if (has_extents && !superblock_.has(Ext4Incompat::kExtents)) {
      fails("extents without the feature");
    }
    if (has_inline && !superblock_.has(Ext4Incompat::kInlineData)) {
      fails("inline data without the feature");
    }
    if (has_extents && has_inline) fails("extents and inline data");
    const bool may_have_content = inode().is(InodeType::kRegular) ||
                                  inode().is(InodeType::kDirectory) ||
                                  inode().is(InodeType::kSymlink);
    if (!may_have_content && (has_extents || has_inline)) fails("content in a special file");
    if (inode().has(InodeFlag::kIndexed) && !inode().is(InodeType::kDirectory)) {
      fails("an index in what is no directory");
    }
  }

  void read_map() {
    BlockMap map = read_block_map(context_, request_.number, inode());
    record_->flaws.insert(record_->flaws.end(), map.flaws.begin(), map.flaws.end());
    mapped_ = map.mapped + map.nodes.size();
    record_->reads = map.nodes;
    if (is_resize_inode()) {
      take_resize_map(map);
      return;
    }
    record_->runs = std::move(map.runs);
    record_->nodes = std::move(map.nodes);
  }

  // The resize inode has one block of its own; all below it is the reserve of descriptor tables.
  void take_resize_map(const BlockMap& map) {
    const auto is_reserve = [this](BlockNo block) {
      return superblock_.fixed_block(block) == Superblock::Fixed::kReservedDescriptors;
    };
    bool is_right = !map.nodes.empty();
    for (std::size_t i = 0; i < map.nodes.size(); ++i) {
      if (i == 0) {
        record_->nodes.push_back(map.nodes[i]);
      } else {
        is_right = is_right && is_reserve(map.nodes[i]);
      }
    }
    for (const MappedRun& run : map.runs) {
      for (std::uint64_t i = 0; i < run.count; ++i) {
        is_right = is_right && is_reserve(run.device + i);
      }
    }
    if (!is_right) {
      flaw(StructureRule::kResizeInode, "leads to blocks that are no reserve of a table");
    }
  }

  // Values in inodes count for the inode that has the attribute, in its block too.
  void count_value(std::uint32_t value_bytes) {
    const std::uint64_t block_bytes = superblock_.block_bytes();
    valued_ += (value_bytes + block_bytes - 1) / block_bytes;
  }
  void count_values_in_block() {
    const BlockNo block = record_->attribute_block;
    if (block.value() == 0 || !superblock_.has(Ext4Incompat::kEaInode)) return;
    record_->reads.push_back(block);
    const AttributeFacts& facts = context_.facts.attributes(context_.image, block, superblock_);
    for (const ValueUse& use : facts.values) count_value(use.value_bytes);
  }

  void check_block_count() {
    const std::uint64_t blocks =
        mapped_ + valued_ + (record_->attribute_block.value() == 0 ? 0 : 1);
    const bool counts_blocks =
        inode().has(InodeFlag::kHugeFile) && superblock_.has(Ext4RoCompat::kHugeFile);
    const std::uint64_t unit = counts_blocks ? 1 : superblock_.block_bytes() / kSectorBytes;
    if (inode().sectors != blocks * unit) {
      flaw(StructureRule::kInodeBlocks, "i_blocks is not what the inode has");
    }
  }

  // Initialised blocks past the size: wrong but for an orphan that is being truncated.  One block
  // may begin where the file ends.
  void check_size() {
    if (inode().has(InodeFlag::kInlineData) || inode().has(InodeFlag::kVerity)) return;
    if (is_resize_inode()) return;
    std::uint64_t end = 0;
    for (const MappedRun& run : record_->runs) {
      if (!run.is_unwritten) end = run.file.value() + run.count;
    }
    record_->has_blocks_past_size =
        end != 0 && inode().size < (end - 1) * superblock_.block_bytes();
  }

  void read_attributes() {
    const auto body = XattrBody::parse(stored_, inode(), request_.number, superblock_);
    if (!body) {
      flaw(StructureRule::kAttributes, body.error().what);
      return;
    }
    bool has_inline = false;
    for (const XattrEntry& entry : body->entries) {
      has_inline = has_inline || entry.is_inline_data();
      take_attribute(entry);
    }
    if (inode().has(InodeFlag::kInlineData) && !has_inline) {
      flaw(StructureRule::kInlineData, "no attribute system.data");
    }
  }

  void take_attribute(const XattrEntry& entry) {
    if (entry.value_inode.value() == 0) {
      if (!entry.is_inline_data() && entry.hash != 0 && !has_xattr_hash(entry)) {
        flaw(StructureRule::kAttributes, "attribute: hash");
      }
      return;
    }
    const ValueUse use{entry.value_inode, entry.value_bytes, entry};
    const char* const what =
        flaw_of_value(context_, use, {request_.number, &inode()}, record_->reads);
    if (what != nullptr) flaw(StructureRule::kValueInode, what);
    count_value(entry.value_bytes);
    record_->values.push_back(entry.value_inode);
  }

  void check_symlink() {
    const Inode& link = inode();
    if (link.has(InodeFlag::kEncrypted) || link.links == 0) return;
    if (link.has(InodeFlag::kInlineData)) {
      if (link.size == 0) flaw(StructureRule::kSymlink, "empty");
      return;
    }
    if (link.is_short_symlink()) {
      const auto end = std::ranges::find(link.block_area, std::uint8_t{0});
      if (link.size == 0 ||
          link.block_area.begin() + static_cast<std::ptrdiff_t>(link.size) != end) {
        flaw(StructureRule::kSymlink, "its length is not that of its target");
      }
      return;
    }
    const bool has_block = record_->runs.size() == 1 && record_->runs[0].count == 1 &&
                           record_->runs[0].file.value() == 0 && !record_->runs[0].is_unwritten;
    if (!has_block || link.size >= superblock_.block_bytes() || link.size == 0) {
      flaw(StructureRule::kSymlink, "its target is not one block");
      return;
    }
    const BlockNo block = record_->runs[0].device;
    record_->reads.push_back(block);
    const Bytes content = context_.image.bytes(block);
    const auto end = std::ranges::find(content, std::uint8_t{0});
    if (end - content.begin() != static_cast<std::ptrdiff_t>(link.size)) {
      flaw(StructureRule::kSymlink, "its length is not that of its target");
    }
  }

  void read_orphan_file() {
    const std::uint32_t block_bytes = superblock_.block_bytes();
    const std::uint64_t count = inode().size / block_bytes;
    const bool is_whole = inode().is(InodeType::kRegular) && inode().size % block_bytes == 0 &&
                          count == mapped_end(record_->runs);
    if (!is_whole) {
      flaw(StructureRule::kOrphanFile, "its size is not that of its blocks");
      return;
    }
    const OwnerSeed owner = OwnerSeed::make(superblock_, request_.number, inode().generation);
    for (const BlockNo block : blocks_of(record_->runs, count)) {
      if (block.value() == 0) {
        flaw(StructureRule::kOrphanFile, "a hole");
        continue;
      }
      record_->reads.push_back(block);
      const OrphanFacts& facts = context_.facts.orphans(context_.image, block, owner, superblock_);
      if (facts.flaw != nullptr) flaw(StructureRule::kOrphanFile, facts.flaw, block);
      record_->orphans.push_back(&facts);
    }
  }

  const ReadContext& context_;
  const Superblock& superblock_;
  const RecordRequest& request_;
  const Bytes stored_;
  std::unique_ptr<InodeRecord> record_;
  std::uint64_t mapped_ = 0;  // blocks, with those of the tree
  std::uint64_t valued_ = 0;  // blocks of the values in inodes
};

// The content of a value inode; what it depends on is added to `reads`.
std::vector<std::uint8_t> read_value(const ReadContext& context, InodeNo number, const Inode& inode,
                                     std::vector<BlockNo>& reads) {
  const std::uint32_t block_bytes = context.superblock().block_bytes();
  const BlockMap map = read_block_map(context, number, inode);
  reads.insert(reads.end(), map.nodes.begin(), map.nodes.end());
  std::vector<std::uint8_t> value(static_cast<std::size_t>(inode.size));
  const std::uint64_t count = (inode.size + block_bytes - 1) / block_bytes;
  std::size_t at = 0;
  for (const BlockNo block : blocks_of(map.runs, count)) {
    const std::size_t length = std::min<std::size_t>(block_bytes, value.size() - at);
    if (block.value() != 0) {
      reads.push_back(block);
      copy_bytes(context.image.bytes(block).first(length), MutableBytes(value).subspan(at));
    }
    at += length;
  }
  return value;
}

}  // namespace

const char* flaw_of_value(const ReadContext& context, const ValueUse& use, const ValueOwner& owner,
                          std::vector<BlockNo>& reads) {
  const Superblock& superblock = context.superblock();
  reads.push_back(context.layout.inode_block(use.inode));
  const Bytes stored = context.layout.inode_bytes(context.image, use.inode);
  const auto inode = Inode::parse(stored, use.inode, superblock);
  if (!inode) return "the value inode cannot be read";
  if (!inode->has(InodeFlag::kEaInode) || inode->links == 0 || !inode->is(InodeType::kRegular)) {
    return "the value inode is none";
  }
  if (inode->size != use.value_bytes || inode->size > kXattrValueMax) {
    return "the value inode has another size";
  }
  const auto fields = ValueInode::parse(stored);
  if (!fields) return "the value inode cannot be read";
  const bool is_of_older_form =
      owner.inode != nullptr && fields->is_only_of(owner.number, *owner.inode, *inode);
  if (is_of_older_form) return nullptr;
  const auto value = read_value(context, use.inode, *inode, reads);
  if (xattr_value_hash(value, superblock) != fields->value_hash) return "hash of the value";
  return fields->matches(use.entry) ? nullptr : "hash of the attribute";
}

std::unique_ptr<InodeRecord> read_record(const ReadContext& context, const RecordRequest& request) {
  return RecordReader(context, request).read();
}

}  // namespace powercut::lab
