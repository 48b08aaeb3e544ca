#include "fs/directory_inline.h"

#include "base/stored_int.h"
#include "format/ext4_directory.h"
#include "format/ext4_xattr.h"

namespace powercut::fs {
namespace {

constexpr std::size_t kParentBytes = 4;

DirectoryRecord dot_record(const char* name, InodeNo inode) {
  DirectoryRecord record;
  record.inode = inode;
  record.file_type = kDirectoryFileType;
  record.name = name;
  return record;
}

Result<std::vector<DirectoryRecord>> inline_records(Core& core, const Node& directory)
    REQUIRES_SHARED(directory.lock) {
  const Inode& inode = directory.inode;
  const Le32 parent = TRY(load<Le32>(inode.block_area, 0));
  if (parent.value() == 0 || parent.value() > core.shape.inode_count) {
    return fail(Errc::kCorrupt, "directory in its inode: its parent", directory.number.value());
  }
  std::vector<DirectoryRecord> all = {dot_record(".", directory.number),
                                      dot_record("..", InodeNo(parent))};
  const auto append = [&](Bytes region) -> Result<void> {
    auto records = TRY(parse_records(region, directory.number.value(), core.shape));
    all.insert(all.end(), records.begin(), records.end());
    return {};
  };
  TRY(append(Bytes(inode.block_area).subspan(kParentBytes)));
  const XattrBody body =
      TRY(XattrBody::parse(directory.stored, inode, directory.number, core.shape));
  for (const XattrEntry& entry : body.entries) {
    if (entry.is_inline_data()) TRY(append(entry.value));
  }
  return all;
}

}  // namespace

Result<void> list_inline_names(Core& core, const Node& directory,
                               const std::function<bool(const DirectoryRecord&)>& visit) {
  for (const DirectoryRecord& record : TRY(inline_records(core, directory))) {
    if (record.inode.value() != 0 && !visit(record)) return {};
  }
  return {};
}

Result<std::optional<FoundName>> find_inline_name(Core& core, const Node& directory,
                                                  std::string_view name) {
  std::optional<FoundName> found;
  TRY(list_inline_names(core, directory, [&](const DirectoryRecord& record) {
    if (record.name == name) found = FoundName{record.inode, record.file_type};
    return !found;
  }));
  return found;
}

}  // namespace powercut::fs
