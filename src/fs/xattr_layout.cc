#include "fs/xattr_layout.h"

#include <algorithm>
#include <tuple>

#include "format/ext4_disk.h"

namespace powercut::fs {
namespace {

constexpr std::size_t kEndBytes = 4;

std::size_t padded(std::size_t bytes) {
  return (bytes + 3) / 4 * 4;
}

std::size_t body_at(const Inode& inode) {
  return sizeof(disk::InodeBase) + inode.extra_bytes;
}

// `end`: bytes from where offsets count to the end of the values.
void place_values(std::vector<XattrEntry>& entries, std::size_t end) {
  for (XattrEntry& entry : entries) {
    end -= padded(entry.value.size());
    entry.value_offset = entry.value.empty() ? std::uint16_t{0} : static_cast<std::uint16_t>(end);
  }
}

}  // namespace

std::size_t body_room(const Superblock& shape, const Inode& inode) {
  if (inode.extra_bytes == 0) return 0;
  const std::size_t begin = body_at(inode) + sizeof(disk::XattrBodyHeader);
  return begin < shape.inode_bytes ? shape.inode_bytes - begin : 0;
}

std::size_t block_room(const Superblock& shape) {
  return shape.block_bytes() - sizeof(disk::XattrBlockHeader);
}

bool fits(const std::vector<XattrEntry>& entries, std::size_t room) {
  std::size_t needed = kEndBytes;
  for (const XattrEntry& entry : entries) {
    needed += padded(sizeof(disk::XattrEntry) + entry.name.size()) + padded(entry.value.size());
  }
  return needed <= room;
}

void sort_for_block(std::vector<XattrEntry>& entries) {
  std::ranges::stable_sort(entries, [](const XattrEntry& a, const XattrEntry& b) {
    return std::tuple(a.index, a.name.size(), std::string_view(a.name)) <
           std::tuple(b.index, b.name.size(), std::string_view(b.name));
  });
}

void write_body(const Superblock& shape, const Inode& inode, std::vector<XattrEntry> entries,
                MutableBytes stored) {
  const std::size_t room = body_room(shape, inode);
  if (room == 0) return;
  std::ranges::fill(stored.subspan(body_at(inode)), std::uint8_t{0});
  if (entries.empty()) return;
  for (XattrEntry& entry : entries) entry.hash = 0;
  place_values(entries, room);
  XattrBody body;
  body.is_there = true;
  body.entries = std::move(entries);
  body.encode(stored, inode);
}

void write_block(const Superblock& shape, BlockNo place, std::vector<XattrEntry> entries,
                 MutableBytes block) {
  std::ranges::fill(block, std::uint8_t{0});
  for (XattrEntry& entry : entries) entry.hash = xattr_hash(entry.name, entry.value);
  place_values(entries, block.size());
  XattrBlock stored;
  stored.hash = xattr_block_hash(entries);
  stored.entries = std::move(entries);
  stored.encode(block, place, shape);
}

}  // namespace powercut::fs
