#include "tests/support/raw_ext4.h"

namespace powercut::testing {

Result<RawExt4> RawExt4::open(std::vector<std::uint8_t> bytes) {
  RawExt4 raw;
  raw.bytes = std::move(bytes);
  if (raw.bytes.size() < kSuperblockOffset + kSuperblockBytes) {
    return fail(Errc::kCorrupt, "image: too small", raw.bytes.size());
  }
  raw.superblock =
      TRY(Superblock::parse(raw.at(kSuperblockOffset, kSuperblockBytes), raw.bytes.size()));
  return raw;
}

MutableBytes RawExt4::at(std::uint64_t offset, std::size_t length) {
  CHECK(offset <= bytes.size() && bytes.size() - offset >= length, "past the image");
  return MutableBytes(bytes).subspan(offset, length);
}

MutableBytes RawExt4::block(BlockNo number) {
  return at(number.value() * superblock.block_bytes(), superblock.block_bytes());
}

MutableBytes RawExt4::descriptor(std::uint32_t group) {
  const std::uint32_t per_block = superblock.descriptors_per_block();
  return block(superblock.descriptor_block(group / per_block))
      .subspan(std::size_t{group % per_block} * superblock.descriptor_bytes,
               superblock.descriptor_bytes);
}

MutableBytes RawExt4::inode(InodeNo number) {
  const std::uint32_t index = number.value() - 1;
  const std::uint32_t group = index / superblock.inodes_per_group;
  const auto parsed = GroupDescriptor::parse(descriptor(group), group, superblock);
  const std::uint64_t offset =
      parsed->inode_table.value() * superblock.block_bytes() +
      std::uint64_t{index % superblock.inodes_per_group} * superblock.inode_bytes;
  return at(offset, superblock.inode_bytes);
}

std::size_t RawExt4::offset_of(MutableBytes part) const {
  return static_cast<std::size_t>(part.data() - bytes.data());
}

Extent RawExt4::first_extent(InodeNo number) {
  const auto parsed = Inode::parse(inode(number), number, superblock);
  const auto root = ExtentNode::parse_root(parsed->block_area, number, superblock);
  return root->extents.at(0);
}

}  // namespace powercut::testing
