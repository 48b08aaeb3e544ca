// Looking for names, and changes that need no new block.
#include "fs/directory.h"

#include "format/ext4_directory.h"
#include "format/ext4_disk.h"
#include "fs/directory_inline.h"

namespace powercut::fs {
namespace {

constexpr std::size_t kNameMax = 255;
constexpr std::uint32_t kDotAt = 0, kDotDotAt = 12;

Result<void> check_directory(const Node& directory) REQUIRES_SHARED(directory.lock) {
  const Inode& inode = directory.inode;
  if (!inode.is(InodeType::kDirectory)) {
    return fail(Errc::kNotDirectory, "not a directory", directory.number.value());
  }
  if (inode.has(InodeFlag::kEncrypted) || inode.has(InodeFlag::kCaseFold)) {
    return fail_with(Errc::kUnsupported, "directory",
                     inode.has(InodeFlag::kEncrypted) ? "encrypted names" : "folded names",
                     directory.number.value());
  }
  return {};
}

void take_found(NamePlace& place, const BufferRef& buffer, const RecordAt& record) {
  place.found = FoundName{record.inode, record.file_type};
  place.buffer = buffer;
  place.at = record.at;
  place.before = record.before;
}

// Block after block; the first room that is met is remembered.
Result<void> look_linear(Core& core, const Node& directory, const DirectoryForm& form,
                         NamePlace& place) REQUIRES_SHARED(directory.lock) {
  const std::uint64_t count = block_count_of(core, directory);
  for (std::uint64_t i = 0; i < count; ++i) {
    const BufferRef buffer = TRY(read_directory_block(core, directory, FileBlock(i)));
    const Content content = buffer->snapshot();
    const BlockLook look = TRY(look_in_block(content.bytes(), buffer->number(), form, place.name));
    if (look.found) {
      take_found(place, buffer, *look.found);
      return {};
    }
    if (!place.room_at && look.room_at) {
      place.room_buffer = buffer;
      place.room_at = look.room_at;
    }
    place.has_room_packed = look.has_room_packed;
  }
  // Only the one block that an htree would begin with: elsewhere a cookie is a record's place.
  const bool may_move = count == 1 && core.shape.has(Ext4Compat::kDirIndex);
  place.has_room_packed = place.has_room_packed && may_move;
  return {};
}

// "." and ".." of an htree.
Result<void> look_in_root(Core& core, const Node& directory, const DirectoryForm& form,
                          NamePlace& place) REQUIRES_SHARED(directory.lock) {
  const BufferRef buffer = TRY(read_directory_block(core, directory, FileBlock(0)));
  const Content content = buffer->snapshot();
  const HtreeRoot root =
      TRY(HtreeRoot::parse(content.bytes(), buffer->number(), form.owner, core.shape));
  const bool is_self = place.name == ".";
  place.found = FoundName{is_self ? root.self : root.parent, kDirectoryFileType};
  place.buffer = buffer;
  place.at = is_self ? kDotAt : kDotDotAt;
  place.is_in_root = true;
  return {};
}

// The first leaf of the hash, and those that go on with names of that hash.
Result<void> look_indexed(Core& core, const Node& directory, const DirectoryForm& form,
                          NamePlace& place) REQUIRES_SHARED(directory.lock) {
  place.index = TRY(path_to_name(core, directory, place.name));
  IndexPath path = *place.index;
  for (bool is_first = true;; is_first = false) {
    const BufferRef buffer = TRY(read_leaf(core, directory, path));
    const Content content = buffer->snapshot();
    const BlockLook look = TRY(look_in_block(content.bytes(), buffer->number(), form, place.name));
    if (look.found) {
      take_found(place, buffer, *look.found);
      return {};
    }
    if (is_first) {
      place.room_buffer = buffer;
      place.room_at = look.room_at;
      place.has_room_packed = look.has_room_packed;
    }
    const NextLeaf next = TRY(peek_next_leaf(core, directory, path));
    if (!next.is_there || next.hash != path.hash.major) return {};
    TRY(to_next_leaf(core, directory, path));
  }
}

Result<NamePlace> look(Core& core, const Node& directory, std::string_view name)
    REQUIRES_SHARED(directory.lock) {
  NamePlace place;
  place.name = std::string(name);
  const DirectoryForm form = form_of(core, directory);
  if (!directory.inode.has(InodeFlag::kIndexed)) {
    TRY(look_linear(core, directory, form, place));
  } else if (is_dots(name)) {
    TRY(look_in_root(core, directory, form, place));
  } else {
    TRY(look_indexed(core, directory, form, place));
  }
  return place;
}

Result<FoundName> find(Core& core, const Node& directory, std::string_view name)
    REQUIRES_SHARED(directory.lock) {
  TRY(check_directory(directory));
  std::optional<FoundName> found;
  if (directory.inode.has(InodeFlag::kInlineData)) {
    found = TRY(find_inline_name(core, directory, name));
  } else {
    found = TRY(look(core, directory, name)).found;
  }
  if (!found) return fail_with(Errc::kNotFound, "name", name, directory.number.value());
  return *found;
}

Result<NamePlace> look_for(Core& core, const Node& directory, std::string_view name)
    REQUIRES_SHARED(directory.lock) {
  TRY(check_directory(directory));
  if (directory.inode.has(InodeFlag::kInlineData)) {
    return fail_with(Errc::kUnsupported, "directory: changes", "inline_data",
                     directory.number.value());
  }
  if (directory.inode.size % core.block_bytes() != 0) {
    return fail(Errc::kCorrupt, "directory: its size", directory.number.value());
  }
  if (directory.inode.has(InodeFlag::kIndexed) && !core.shape.has(Ext4Compat::kDirIndex)) {
    return fail(Errc::kUnsupported, "directory: an index without the feature dir_index",
                directory.number.value());
  }
  return look(core, directory, name);
}

Result<bool> has_no_names(Core& core, const Node& directory) REQUIRES_SHARED(directory.lock) {
  TRY(check_directory(directory));
  bool is_empty = true;
  if (directory.inode.has(InodeFlag::kInlineData)) {
    TRY(list_inline_names(core, directory, [&](const DirectoryRecord& record) {
      is_empty = is_dots(record.name);
      return is_empty;
    }));
    return is_empty;
  }
  const DirectoryForm form = form_of(core, directory);
  const bool is_indexed = directory.inode.has(InodeFlag::kIndexed);
  const std::uint64_t count = block_count_of(core, directory);
  for (std::uint64_t i = is_indexed ? 1 : 0; i < count && is_empty; ++i) {
    const BufferRef buffer = TRY(read_directory_block(core, directory, FileBlock(i)));
    const Content content = buffer->snapshot();
    if (is_indexed && looks_like_htree_node(content.bytes())) continue;
    for (const RecordAt& record : TRY(records_of(content.bytes(), buffer->number(), form))) {
      if (record.inode.value() != 0 && !is_dots(record.name)) is_empty = false;
    }
  }
  return is_empty;
}

}  // namespace

Result<void> check_name(std::string_view name) {
  if (name.size() > kNameMax) return fail(Errc::kLimit, "name: over 255 bytes", name.size());
  if (name.empty() || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos) {
    return fail_with(Errc::kInvalid, "name: empty, or with '/' or a zero byte", name);
  }
  return {};
}

Result<FoundName> find_name(Core& core, const Node& directory, std::string_view name) {
  TRY(check_name(name));
  return noted(core, find(core, directory, name));
}

Result<NamePlace> look_for_name(Core& core, const Node& directory, std::string_view name) {
  TRY(check_name(name));
  return noted(core, look_for(core, directory, name));
}

void take_place(Core& core, Handle& handle, Node& directory, const NamePlace& place) {
  CHECK(place.found && !place.is_in_root, "a name that was found is taken away");
  const DirectoryForm form = form_of(core, directory);
  handle.change(place.buffer,
                [&](MutableBytes block) { take_record(block, form, place.at, place.before); });
}

void set_place(Core& core, Handle& handle, Node& directory, const NamePlace& place, InodeNo inode,
               std::uint8_t file_type) {
  CHECK(place.found.has_value(), "a name that was found is changed");
  const DirectoryForm form = form_of(core, directory);
  if (!place.is_in_root) {
    handle.change(place.buffer,
                  [&](MutableBytes block) { set_record(block, form, place.at, inode, file_type); });
    return;
  }
  auto root = HtreeRoot::parse(place.buffer->snapshot().bytes(), place.buffer->number(), form.owner,
                               core.shape);
  CHECK(root.has_value(), "an htree root that was checked");
  (place.at == kDotAt ? root->self : root->parent) = inode;
  handle.change(place.buffer,
                [&](MutableBytes block) { root->encode(block, form.owner, core.shape); });
}

Result<bool> is_empty_directory(Core& core, const Node& directory) {
  return noted(core, has_no_names(core, directory));
}

}  // namespace powercut::fs
