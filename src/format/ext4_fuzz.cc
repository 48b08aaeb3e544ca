// Every ext4 parser on any bytes.  Byte 0 chooses the parser (kFirstOfMore and up: see
// fuzz_more), byte 1 the file system around the structure; the rest is the structure (cut off or
// filled with zeroes).  What parses is encoded over its own bytes, must parse again, and must not
// change a second time; without checksums, structures that keep all their bytes must not change at
// all.
#include <algorithm>

#include "format/ext4.h"
#include "format/ext4_acl.h"
#include "format/ext4_directory.h"
#include "format/ext4_mmp.h"
#include "format/ext4_orphan.h"
#include "format/ext4_xattr.h"

namespace {

using namespace powercut;
using Block = std::vector<std::uint8_t>;

constexpr std::uint64_t kDeviceBytes = std::uint64_t{1} << 40;
constexpr InodeNo kOwner{12};
constexpr BlockNo kPlace{77};
constexpr std::uint8_t kFirstOfMore = 0xE0, kLastOfMore = 0xFD;  // of byte 0

std::uint32_t bit(bool is_set, auto feature) {
  return is_set ? static_cast<std::uint32_t>(feature) : 0;
}

Superblock superblock_of(std::uint8_t choice) {
  Superblock superblock;
  superblock.log_block_size = superblock.log_cluster_size = (choice & 3) == 3 ? 6 : choice & 3;
  const bool is_64bit = (choice & 4) != 0;
  superblock.descriptor_bytes = is_64bit ? 64 : 32;
  superblock.incompat = bit(is_64bit, Ext4Incompat::k64Bit) |
                        bit((choice & 8) != 0, Ext4Incompat::kFileType) |
                        bit((choice & 16) != 0, Ext4Incompat::kLargeDir) |
                        bit((choice & 16) != 0, Ext4Incompat::kEaInode);
  superblock.ro_compat = bit((choice & 32) != 0, Ext4RoCompat::kMetadataChecksum) |
                         bit((choice & 64) != 0, Ext4RoCompat::kGroupChecksum);
  superblock.inode_bytes = (choice & 128) != 0 ? 256 : 128;
  superblock.first_data_block = BlockNo(superblock.log_block_size == 0 ? 1 : 0);
  superblock.block_count = 1'000'000;
  superblock.blocks_per_group = superblock.clusters_per_group = 8192;
  superblock.inodes_per_group = 1024;
  superblock.inode_count = superblock.group_count() * superblock.inodes_per_group;
  return superblock;
}

bool has_checksums(const Superblock& superblock) {
  return superblock.has_metadata_checksums() || superblock.has(Ext4RoCompat::kGroupChecksum);
}

// `parse` from bytes to a Result; `encode` of its value over bytes.
template <class Parse, class Encode>
void round_trip(const Block& stored, bool keeps_bytes, Parse parse, Encode encode) {
  const auto first = parse(stored);
  if (!first) return;
  Block once = stored;
  encode(*first, once);
  CHECK(!keeps_bytes || once == stored, "encoding over its own bytes changes nothing");
  const auto second = parse(once);
  CHECK(second.has_value(), "what was encoded parses");
  Block twice = once;
  encode(*second, twice);
  CHECK(once == twice, "encoding is stable");
}

void fuzz_superblock(Block bytes, const Superblock&) {
  bytes.resize(kSuperblockBytes);
  round_trip(
      bytes, false, [](Bytes b) { return Superblock::parse(b, kDeviceBytes); },
      [](const Superblock& value, MutableBytes b) { value.encode(b); });
  const auto value = Superblock::parse(bytes, kDeviceBytes);
  if (!value) return;
  CHECK(value->group_count() > 0 && value->descriptor_block_count() > 0, "there is a group");
  CHECK(value->inode_table_blocks() > 0, "there is an inode table");
  const std::uint32_t last = value->group_count() - 1;
  CHECK(value->contains(value->first_block_of(last)), "the last group begins inside");
  CHECK(value->group_of(value->first_block_of(last)) == last, "a group's block is of the group");
  for (const std::uint64_t block : {std::uint64_t{0}, std::uint64_t{1}, value->block_count / 2,
                                    value->block_count - 1, value->block_count}) {
    static_cast<void>(value->fixed_block(BlockNo(block)));
  }
}

void fuzz_descriptor(Block bytes, const Superblock& superblock) {
  bytes.resize(superblock.descriptor_bytes);
  round_trip(
      bytes, !has_checksums(superblock),
      [&](Bytes b) { return GroupDescriptor::parse(b, 3, superblock); },
      [&](const GroupDescriptor& value, MutableBytes b) { value.encode(b, superblock); });
}

void fuzz_inode(Block bytes, const Superblock& superblock) {
  bytes.resize(superblock.inode_bytes);
  round_trip(
      bytes, !has_checksums(superblock),
      [&](Bytes b) { return Inode::parse(b, kOwner, superblock); },
      [&](const Inode& value, MutableBytes b) { value.encode(b, kOwner, superblock); });
}

void fuzz_extents(Block bytes, const Superblock& superblock) {
  Block area = bytes;
  area.resize(kBlockAreaBytes);
  round_trip(
      area, true, [&](Bytes b) { return ExtentNode::parse_root(b, kOwner, superblock); },
      [](const ExtentNode& value, MutableBytes b) { value.encode_root(b); });
  bytes.resize(superblock.block_bytes());
  const OwnerSeed owner = OwnerSeed::make(superblock, kOwner, 1);
  const std::uint16_t depth = bytes[6];
  const auto parsed = ExtentNode::parse_block(bytes, kPlace, depth, owner, superblock);
  // Checksums are not looked at while fuzzing, so a block without room for one can get here.
  if (!parsed || 12u + 12u * parsed->capacity + 4u > bytes.size()) return;
  round_trip(
      bytes, !has_checksums(superblock),
      [&](Bytes b) { return ExtentNode::parse_block(b, kPlace, depth, owner, superblock); },
      [&](const ExtentNode& value, MutableBytes b) { value.encode_block(b, owner, superblock); });
}

template <class T>
void fuzz_directory(Block bytes, const Superblock& superblock, bool keeps_bytes) {
  bytes.resize(superblock.block_bytes());
  const OwnerSeed owner = OwnerSeed::make(superblock, kOwner, 1);
  round_trip(
      bytes, keeps_bytes, [&](Bytes b) { return T::parse(b, kPlace, owner, superblock); },
      [&](const T& value, MutableBytes b) { value.encode(b, owner, superblock); });
}

void check_names(const std::vector<XattrEntry>& entries) {
  static_cast<void>(xattr_block_hash(entries));
  for (const XattrEntry& entry : entries) {
    CHECK(entry.full_name().size() >= entry.name.size(), "a name is only added to");
    CHECK(entry.value.size() == (entry.value_inode.value() == 0 ? entry.value_bytes : 0),
          "a value is beside its entry, or in an inode");
    static_cast<void>(xattr_hash(entry.name, entry.value, NameBytes::kSigned));
  }
}

void fuzz_xattr_body(Block bytes, const Superblock& superblock) {
  bytes.resize(superblock.inode_bytes);
  const auto inode = Inode::parse(bytes, kOwner, superblock);
  if (!inode) return;
  round_trip(
      bytes, true, [&](Bytes b) { return XattrBody::parse(b, *inode, kOwner, superblock); },
      [&](const XattrBody& value, MutableBytes b) { value.encode(b, *inode); });
  const auto parsed = XattrBody::parse(bytes, *inode, kOwner, superblock);
  if (parsed) check_names(parsed->entries);
}

void fuzz_xattr_block(Block bytes, const Superblock& superblock) {
  bytes.resize(superblock.block_bytes());
  round_trip(
      bytes, !has_checksums(superblock),
      [&](Bytes b) { return XattrBlock::parse(b, kPlace, superblock); },
      [&](const XattrBlock& value, MutableBytes b) { value.encode(b, kPlace, superblock); });
  const auto parsed = XattrBlock::parse(bytes, kPlace, superblock);
  if (parsed) check_names(parsed->entries);
}

void fuzz_acl(const Block& bytes) {
  const auto acl = Acl::parse(bytes);
  if (!acl) return;
  CHECK(acl->encode() == bytes, "an ACL encodes to its own bytes");
  CHECK(acl->kernel_form().size() == 4 + 8 * acl->entries.size(), "8 bytes for each entry");
  CHECK(acl->text().size() >= 9 * acl->entries.size(), "a word for each entry");
}

void fuzz_records(const Block& bytes, const Superblock& superblock) {
  round_trip(
      bytes, true, [&](Bytes b) { return parse_records(b, 12, superblock); },
      [&](const std::vector<DirectoryRecord>& value, MutableBytes b) {
        encode_records(value, b, superblock);
      });
}

void fuzz_orphans(Block bytes, const Superblock& superblock) {
  bytes.resize(superblock.block_bytes());
  const OwnerSeed owner = OwnerSeed::make(superblock, kOwner, 1);
  round_trip(
      bytes, !has_checksums(superblock),
      [&](Bytes b) { return OrphanBlock::parse(b, kPlace, owner, superblock); },
      [&](const OrphanBlock& value, MutableBytes b) {
        value.encode(b, kPlace, owner, superblock);
      });
}

void fuzz_mmp(Block bytes, const Superblock& superblock) {
  bytes.resize(superblock.block_bytes());
  round_trip(
      bytes, !has_checksums(superblock), [&](Bytes b) { return MmpBlock::parse(b, superblock); },
      [&](const MmpBlock& value, MutableBytes b) { value.encode(b, superblock); });
}

void fuzz_more(int choice, const Block& bytes, const Superblock& superblock) {
  switch (choice) {
    case 0: fuzz_xattr_body(bytes, superblock); break;
    case 1: fuzz_xattr_block(bytes, superblock); break;
    case 2: fuzz_acl(bytes); break;
    case 3: fuzz_records(bytes, superblock); break;
    case 4: fuzz_orphans(bytes, superblock); break;
    default: fuzz_mmp(bytes, superblock); break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Block bytes(data + 2, data + size);
  const Superblock superblock = superblock_of(data[1]);
  if (data[0] >= kFirstOfMore && data[0] <= kLastOfMore) {
    fuzz_more((data[0] - kFirstOfMore) % 6, bytes, superblock);
    return 0;
  }
  switch (data[0] % 7) {
    case 0: fuzz_superblock(bytes, superblock); break;
    case 1: fuzz_descriptor(bytes, superblock); break;
    case 2: fuzz_inode(bytes, superblock); break;
    case 3: fuzz_extents(bytes, superblock); break;
    case 4: fuzz_directory<DirectoryBlock>(bytes, superblock, !has_checksums(superblock)); break;
    case 5: fuzz_directory<HtreeRoot>(bytes, superblock, false); break;
    default: fuzz_directory<HtreeNode>(bytes, superblock, false); break;
  }
  return 0;
}
