#include "lab/check/structure_facts.h"

#include <algorithm>

#include "base/stored_int.h"
#include "format/ext4_directory.h"
#include "format/ext4_orphan.h"

namespace powercut::lab {
namespace {

// Roles of keys; the low bits are free for what a role depends on.
enum class KeyRole : std::uint32_t {
  kExtent = 1u << 8,
  kDirectory = 2u << 8,
  kInlineDirectory = 3u << 8,
  kHtree = 4u << 8,
};

constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15u;

std::uint64_t mixed_key(std::uint64_t value) {
  value ^= value >> 32;
  value *= kMix;
  return value ^ (value >> 29);
}

std::uint64_t owner_key(const OwnerSeed& owner) {
  return (std::uint64_t{owner.inode.value()} << 32) | owner.seed;
}

std::uint32_t role_key(KeyRole role, std::uint32_t detail) {
  return static_cast<std::uint32_t>(role) | detail;
}

std::size_t memory_of(const ExtentFacts& facts) {
  return facts.node.extents.size() * sizeof(Extent) +
         facts.node.children.size() * sizeof(ExtentIndex);
}
std::size_t memory_of(const DirectoryFacts& facts) {
  return facts.entries.size() * sizeof(EntryFact);
}
std::size_t memory_of(const HtreeFacts& facts) {
  return facts.entries.size() * sizeof(HtreeEntry);
}
std::size_t memory_of(const AttributeFacts& facts) {
  return facts.values.size() * (sizeof(ValueUse) + 64);
}
std::size_t memory_of(const OrphanFacts& facts) {
  return facts.inodes.size() * sizeof(InodeNo);
}

// ---- directories

class DirectoryMaker {
 public:
  DirectoryMaker(const DirectoryReading& reading, const Superblock& superblock)
      : reading_(reading), superblock_(superblock) {}

  DirectoryFacts make(const std::vector<DirectoryRecord>& records) {
    const bool begins =
        reading_.role == DirectoryRole::kFirst || reading_.role == DirectoryRole::kIndexRoot;
    if (begins) check_dots(records);
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].inode.value() != 0) add(records[i], begins && i < 2);
    }
    std::ranges::sort(facts_.entries);
    return std::move(facts_);
  }

 private:
  void check_dots(const std::vector<DirectoryRecord>& records) {
    const bool are_there = records.size() >= 2 && records[0].name == "." &&
                           records[1].name == ".." && records[0].inode.value() != 0 &&
                           records[1].inode.value() != 0;
    if (!are_there) {
      facts_.dots_flaw = "the first block does not begin with . and ..";
    } else if (records[0].inode != reading_.owner.inode) {
      facts_.dots_flaw = ". leads to another inode";
    }
    if (are_there) facts_.parent = records[1].inode;
  }

  void add(const DirectoryRecord& record, bool may_be_dot) {
    EntryFact entry{name_key(record.name), record.inode, record.file_type, EntryKind::kName};
    const bool is_dot = record.name == "." || record.name == "..";
    if (is_dot && may_be_dot) {
      entry.kind = record.name == "." ? EntryKind::kDot : EntryKind::kDotDot;
    } else if (is_dot) {
      facts_.dots_flaw = ". or .. in another place than the first";
    }
    facts_.entries.push_back(entry);
    if (reading_.role == DirectoryRole::kLeaf) add_hash(record.name);
  }

  void add_hash(std::string_view name) {
    const auto hash = hash_name(name, reading_.hash, superblock_.hash_seed);
    if (!hash) return;
    facts_.hash_least = std::min(facts_.hash_least, hash->major);
    facts_.hash_greatest = std::max(facts_.hash_greatest, hash->major);
  }

  const DirectoryReading& reading_;
  const Superblock& superblock_;
  DirectoryFacts facts_;
};

DirectoryFacts flawed_directory(const Error& error) {
  DirectoryFacts facts;
  facts.flaw = error.what;
  return facts;
}

DirectoryFacts make_directory(Bytes block, BlockNo place, const DirectoryReading& reading,
                              const Superblock& superblock) {
  if (reading.role == DirectoryRole::kIndexRoot) {
    const auto records = parse_records(block, place.value(), superblock);
    if (!records) return flawed_directory(records.error());
    return DirectoryMaker(reading, superblock).make(*records);
  }
  const auto parsed = DirectoryBlock::parse(block, place, reading.owner, superblock);
  if (!parsed) return flawed_directory(parsed.error());
  return DirectoryMaker(reading, superblock).make(parsed->records);
}

// The records in the block area, then those in "system.data".
Result<std::vector<DirectoryRecord>> inline_records(Bytes stored, const Inode& inode,
                                                    InodeNo number, const Superblock& superblock) {
  constexpr std::size_t kParentBytes = 4;
  const auto body = TRY(XattrBody::parse(stored, inode, number, superblock));
  const auto rest = std::ranges::find_if(body.entries, &XattrEntry::is_inline_data);
  if (rest == body.entries.end() || rest->value_inode.value() != 0) {
    return fail(Errc::kCorrupt, "inline data: no attribute system.data", number.value());
  }
  if (inode.size != kBlockAreaBytes + rest->value.size()) {
    return fail(Errc::kCorrupt, "inline directory: size", number.value());
  }
  auto records =
      TRY(parse_records(Bytes(inode.block_area).subspan(kParentBytes), number.value(), superblock));
  auto more = TRY(parse_records(rest->value, number.value(), superblock));
  std::ranges::move(more, std::back_inserter(records));
  return records;
}

DirectoryFacts make_inline_directory(Bytes stored, InodeNo number, const Superblock& superblock) {
  const auto inode = Inode::parse(stored, number, superblock);
  if (!inode) return flawed_directory(inode.error());
  auto records = inline_records(stored, *inode, number, superblock);
  if (!records) return flawed_directory(records.error());
  const auto parent = load<Le32>(inode->block_area, 0);
  constexpr std::uint8_t kDirectoryType = 2;
  const std::uint8_t type = superblock.has(Ext4Incompat::kFileType) ? kDirectoryType : 0;
  if (parent->value() == 0 || parent->value() > superblock.inode_count) {
    DirectoryFacts facts;
    facts.flaw = "inline directory: parent";
    return facts;
  }
  records->insert(records->begin(), DirectoryRecord{InodeNo(*parent), 12, type, ".."});
  records->insert(records->begin(), DirectoryRecord{number, 12, type, "."});
  const DirectoryReading reading{{number, 0}, DirectoryRole::kFirst, DirectoryHash::kLegacy};
  return DirectoryMaker(reading, superblock).make(*records);
}

// ---- the others

HtreeFacts make_htree(Bytes block, BlockNo place, const OwnerSeed& owner,
                      const Superblock& superblock) {
  HtreeFacts facts;
  auto node = HtreeNode::parse(block, place, owner, superblock);
  if (!node) {
    facts.flaw = node.error().what;
  } else {
    facts.entries = std::move(node->entries);
  }
  return facts;
}

HtreeFacts make_htree_root(Bytes block, BlockNo place, const OwnerSeed& owner,
                           const Superblock& superblock) {
  HtreeFacts facts;
  auto root = HtreeRoot::parse(block, place, owner, superblock);
  if (!root) {
    facts.flaw = root.error().what;
    return facts;
  }
  facts.entries = std::move(root->entries);
  facts.hash_version = root->hash_version;
  facts.levels = root->indirect_levels;
  return facts;
}

AttributeFacts make_attributes(Bytes block, BlockNo place, const Superblock& superblock) {
  AttributeFacts facts;
  auto parsed = XattrBlock::parse(block, place, superblock);
  if (!parsed) {
    facts.flaw = parsed.error().what;
    return facts;
  }
  for (const XattrEntry& entry : parsed->entries) {
    if (entry.value_inode.value() != 0) {
      facts.values.push_back({entry.value_inode, entry.value_bytes, entry});
    } else if (!has_xattr_hash(entry)) {
      facts.values.clear();
      facts.flaw = "attribute: hash";
      return facts;
    }
  }
  facts.references = parsed->references;
  return facts;
}

OrphanFacts make_orphans(Bytes block, BlockNo place, const OwnerSeed& owner,
                         const Superblock& superblock) {
  OrphanFacts facts;
  const auto parsed = OrphanBlock::parse(block, place, owner, superblock);
  if (!parsed) {
    facts.flaw = parsed.error().what;
    return facts;
  }
  for (const InodeNo inode : parsed->slots) {
    if (inode.value() != 0) facts.inodes.push_back(inode);
  }
  return facts;
}

}  // namespace

std::uint64_t name_key(std::string_view name) {
  std::uint64_t hash = kMix * (name.size() + 1);
  while (!name.empty()) {
    std::uint64_t word = 0;
    const std::size_t length = std::min(name.size(), sizeof(word));
    std::memcpy(&word, name.data(), length);
    hash = mixed_key(hash ^ word) * kMix;
    name.remove_prefix(length);
  }
  return hash;
}

std::uint64_t name_key(InodeNo directory, std::uint64_t name_hash) {
  return mixed_key(name_hash + kMix * directory.value());
}

std::size_t FactStore::Hasher::operator()(const Key& key) const {
  return mixed_key(mixed_key((std::uint64_t{key.role} << 32) | key.content) ^ key.context);
}

template <class Facts, class Make>
const Facts& FactStore::remembered(Map<Facts>& map, const Key& key, Make make) {
  std::unique_ptr<const Facts>& place = map[key];
  if (!place) {
    place = std::make_unique<const Facts>(make());
    memory_bytes_ += sizeof(Facts) + sizeof(Key) + 64 + memory_of(*place);
  }
  return *place;
}

const ExtentFacts& FactStore::extent_node(const StateImage& image, BlockNo place,
                                          std::uint16_t depth, const OwnerSeed& owner,
                                          const Superblock& superblock) {
  const Key key{image.at(place).value(), role_key(KeyRole::kExtent, depth), owner_key(owner)};
  return remembered(extents_, key, [&] {
    ExtentFacts facts;
    auto node = ExtentNode::parse_block(image.bytes(place), place, depth, owner, superblock);
    if (!node) {
      facts.flaw = node.error().what;
    } else {
      facts.node = std::move(*node);
    }
    return facts;
  });
}

const DirectoryFacts& FactStore::directory(const StateImage& image, BlockNo place,
                                           const DirectoryReading& reading,
                                           const Superblock& superblock) {
  const auto detail =
      static_cast<std::uint32_t>(reading.role) * 16 + static_cast<std::uint32_t>(reading.hash);
  const Key key{image.at(place).value(), role_key(KeyRole::kDirectory, detail),
                owner_key(reading.owner)};
  return remembered(directories_, key,
                    [&] { return make_directory(image.bytes(place), place, reading, superblock); });
}

const DirectoryFacts& FactStore::inline_directory(ContentId content, InodeNo number, Bytes stored,
                                                  const Superblock& superblock) {
  const Key key{content.value(), role_key(KeyRole::kInlineDirectory, 0), number.value()};
  return remembered(directories_, key,
                    [&] { return make_inline_directory(stored, number, superblock); });
}

const HtreeFacts& FactStore::htree(const StateImage& image, BlockNo place, bool is_root,
                                   const OwnerSeed& owner, const Superblock& superblock) {
  const Key key{image.at(place).value(), role_key(KeyRole::kHtree, is_root ? 1 : 0),
                owner_key(owner)};
  const auto make = is_root ? make_htree_root : make_htree;
  return remembered(htrees_, key,
                    [&] { return make(image.bytes(place), place, owner, superblock); });
}

const AttributeFacts& FactStore::attributes(const StateImage& image, BlockNo place,
                                            const Superblock& superblock) {
  const Key key{image.at(place).value(), 0, place.value()};
  return remembered(attributes_, key,
                    [&] { return make_attributes(image.bytes(place), place, superblock); });
}

const OrphanFacts& FactStore::orphans(const StateImage& image, BlockNo place,
                                      const OwnerSeed& owner, const Superblock& superblock) {
  // The checksum depends on the place too.
  const Key key{image.at(place).value(), owner.seed,
                (std::uint64_t{owner.inode.value()} << 32) ^ place.value()};
  return remembered(orphans_, key,
                    [&] { return make_orphans(image.bytes(place), place, owner, superblock); });
}

void FactStore::clear() {
  extents_.clear();
  directories_.clear();
  htrees_.clear();
  attributes_.clear();
  orphans_.clear();
  memory_bytes_ = 0;
}

}  // namespace powercut::lab
