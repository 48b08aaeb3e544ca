#include "reader/inline_data.h"

#include <algorithm>

#include "base/stored_int.h"
#include "format/ext4_directory.h"
#include "format/ext4_xattr.h"

namespace powercut {
namespace {

constexpr std::size_t kParentBytes = 4;  // in front of a directory's first records

// What lies behind the block area: the value of "system.data", which is there even if it is empty.
Result<std::vector<std::uint8_t>> read_rest(const Volume& volume, InodeNo number,
                                            const Inode& inode) {
  const auto stored = TRY(volume.stored_inode(number));
  auto body = TRY(XattrBody::parse(stored, inode, number, volume.superblock()));
  const auto found = std::ranges::find_if(body.entries, &XattrEntry::is_inline_data);
  if (found == body.entries.end()) {
    return fail(Errc::kCorrupt, "inline data: no attribute system.data", number.value());
  }
  if (found->value_inode.value() != 0) {
    return fail(Errc::kCorrupt, "inline data: in another inode", number.value());
  }
  return std::move(found->value);
}

// Returns false if the visitor stopped it.
Result<bool> visit_records(const Volume& volume, InodeNo number, Bytes region,
                           const Volume::EntryVisitor& visit) {
  for (const auto& record : TRY(parse_records(region, number.value(), volume.superblock()))) {
    if (record.inode.value() == 0) continue;
    if (!visit({record.inode, record.name, record.file_type})) return false;
  }
  return true;
}

}  // namespace

Result<std::vector<std::uint8_t>> read_inline_data(const Volume& volume, InodeNo number,
                                                   const Inode& inode) {
  auto content = TRY(read_rest(volume, number, inode));
  content.insert(content.begin(), inode.block_area.begin(), inode.block_area.end());
  if (content.size() > inode.size) content.resize(static_cast<std::size_t>(inode.size));
  return content;
}

Result<bool> walk_inline_directory(const Volume& volume, InodeNo number, const Inode& inode,
                                   const Volume::EntryVisitor& visit) {
  const Superblock& superblock = volume.superblock();
  const auto rest = TRY(read_rest(volume, number, inode));
  if (inode.size != kBlockAreaBytes + rest.size()) {
    return fail(Errc::kCorrupt, "inline directory: size", number.value());
  }
  const InodeNo parent(TRY(load<Le32>(inode.block_area, 0)));
  if (parent.value() == 0 || parent.value() > superblock.inode_count) {
    return fail(Errc::kCorrupt, "inline directory: parent", number.value());
  }
  const std::uint8_t type =
      superblock.has(Ext4Incompat::kFileType) ? kDirectoryFileType : std::uint8_t{0};
  if (!visit({number, ".", type}) || !visit({parent, "..", type})) return false;
  const Bytes first = Bytes(inode.block_area).subspan(kParentBytes);
  const bool goes_on = TRY(visit_records(volume, number, first, visit));
  return goes_on ? visit_records(volume, number, rest, visit) : Result<bool>(false);
}

}  // namespace powercut
