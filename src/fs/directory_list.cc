// Listing names, with cookies.
//
// Where the file system has dir_index, a directory of one block or with an index is listed by the
// hashes of its names, so that one that becomes an htree meanwhile, or whose leaves are split, goes
// on where it was.  A cookie is then 2 + 31 bits of the hash that the directory has + 31 bits of
// another one, the key of the name that comes next; 0 and 1 are "." and "..".  Else names lie where
// they were put, and a cookie is 2 + the place of the record that comes next.
#include <algorithm>

#include "base/crc32c.h"
#include "fs/directory.h"
#include "fs/directory_inline.h"

namespace powercut::fs {
namespace {

constexpr std::uint64_t kFirstKey = 2;

struct KeyedName {
  std::uint64_t key = 0;
  RecordAt record;
};

Result<std::uint64_t> key_of(std::string_view name, DirectoryHash hash_version,
                             const Superblock& shape) {
  if (name == ".") return std::uint64_t{0};
  if (name == "..") return std::uint64_t{1};
  const std::uint64_t major = TRY(hash_name(name, hash_version, shape.hash_seed)).major >> 1;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(name.data());
  const std::uint32_t own = crc32c(~0u, Bytes(bytes, name.size())) >> 1;
  return kFirstKey + ((major << 31) | own);
}

// The hash that the first name of that cookie has at least.
std::uint32_t hash_of_cookie(std::uint64_t cookie) {
  return cookie < kFirstKey ? 0 : static_cast<std::uint32_t>((cookie - kFirstKey) >> 31) << 1;
}

ListedName listed(const RecordAt& record, std::uint64_t next_cookie) {
  return {std::string(record.name), record.inode, record.file_type, next_cookie};
}

// Names of blocks that are listed together, by key.
class KeyedNames {
 public:
  KeyedNames(const DirectoryForm& form, DirectoryHash hash_version, std::uint64_t cookie)
      : form_(form), hash_version_(hash_version), cookie_(cookie) {}

  Result<void> add(const BufferRef& buffer) {
    contents_.push_back(buffer->snapshot());
    const Bytes block = contents_.back().bytes();
    for (const RecordAt& record : TRY(records_of(block, buffer->number(), form_))) {
      if (record.inode.value() == 0) continue;
      const std::uint64_t key = TRY(key_of(record.name, hash_version_, *form_.shape));
      if (key >= cookie_) names_.push_back({key, record});
    }
    return {};
  }
  // False if the visitor stopped it.
  bool visit(const NameVisitor& visitor) {
    std::ranges::sort(names_, [](const KeyedName& a, const KeyedName& b) {
      return a.key != b.key ? a.key < b.key : a.record.name < b.record.name;
    });
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::uint64_t key = names_[i].key;
      const bool is_last_of_key = i + 1 == names_.size() || names_[i + 1].key != key;
      if (!visitor(listed(names_[i].record, is_last_of_key ? key + 1 : key))) return false;
    }
    names_.clear();
    contents_.clear();
    return true;
  }

 private:
  const DirectoryForm& form_;
  const DirectoryHash hash_version_;
  const std::uint64_t cookie_;
  std::vector<Content> contents_;  // that the names lie in
  std::vector<KeyedName> names_;
};

Result<void> list_one_block(Core& core, const Node& directory, std::uint64_t cookie,
                            const NameVisitor& visit) REQUIRES_SHARED(directory.lock) {
  const DirectoryForm form = form_of(core, directory);
  KeyedNames names(form, TRY(known_hash(core.shape.hash_version, core.shape)), cookie);
  const BufferRef only = TRY(read_directory_block(core, directory, FileBlock(0)));
  TRY(names.add(only));
  names.visit(visit);
  return {};
}

// False if the visitor stopped it.
Result<bool> list_dots(Core& core, const Node& directory, std::uint64_t cookie,
                       const NameVisitor& visit) REQUIRES_SHARED(directory.lock) {
  if (cookie >= kFirstKey) return true;
  const DirectoryForm form = form_of(core, directory);
  const BufferRef buffer = TRY(read_directory_block(core, directory, FileBlock(0)));
  const Content content = buffer->snapshot();
  const HtreeRoot root =
      TRY(HtreeRoot::parse(content.bytes(), buffer->number(), form.owner, core.shape));
  const std::uint8_t type =
      core.shape.has(Ext4Incompat::kFileType) ? kDirectoryFileType : std::uint8_t{0};
  if (cookie == 0 && !visit({".", root.self, type, 1})) return false;
  return visit({"..", root.parent, type, kFirstKey});
}

Result<void> list_htree(Core& core, const Node& directory, std::uint64_t cookie,
                        const NameVisitor& visit) REQUIRES_SHARED(directory.lock) {
  if (!TRY(list_dots(core, directory, cookie, visit))) return {};
  const DirectoryForm form = form_of(core, directory);
  IndexPath path = TRY(path_to_hash(core, directory, hash_of_cookie(cookie)));
  KeyedNames names(form, path.hash_version, std::max(cookie, kFirstKey));
  bool has_more = true;
  while (has_more) {
    const BufferRef leaf = TRY(read_leaf(core, directory, path));
    TRY(names.add(leaf));
    const NextLeaf next = TRY(peek_next_leaf(core, directory, path));
    if (!next.is_continuation && !names.visit(visit)) return {};
    has_more = TRY(to_next_leaf(core, directory, path));
  }
  return {};
}

Result<void> list_by_place(Core& core, const Node& directory, std::uint64_t cookie,
                           const NameVisitor& visit) REQUIRES_SHARED(directory.lock) {
  const DirectoryForm form = form_of(core, directory);
  const std::uint64_t from = cookie < kFirstKey ? 0 : cookie - kFirstKey;
  const std::uint64_t count = block_count_of(core, directory);
  const bool is_indexed = directory.inode.has(InodeFlag::kIndexed);
  for (std::uint64_t i = from / core.block_bytes(); i < count; ++i) {
    const BufferRef buffer = TRY(read_directory_block(core, directory, FileBlock(i)));
    const Content content = buffer->snapshot();
    if (is_indexed && i != 0 && looks_like_htree_node(content.bytes())) continue;
    const std::uint64_t start = i * core.block_bytes();
    for (const RecordAt& record : TRY(records_of(content.bytes(), buffer->number(), form))) {
      const std::uint64_t place = start + record.at;
      if (record.inode.value() == 0 || place < from) continue;
      if (!visit(listed(record, kFirstKey + place + record.bytes))) return {};
    }
  }
  return {};
}

Result<void> list_inline(Core& core, const Node& directory, std::uint64_t cookie,
                         const NameVisitor& visit) REQUIRES_SHARED(directory.lock) {
  std::uint64_t index = 0;
  return list_inline_names(core, directory, [&](const DirectoryRecord& record) {
    if (index++ < cookie) return true;
    return visit({record.name, record.inode, record.file_type, index});
  });
}

Result<void> list(Core& core, const Node& directory, std::uint64_t cookie, const NameVisitor& visit)
    REQUIRES_SHARED(directory.lock) {
  const Inode& inode = directory.inode;
  if (!inode.is(InodeType::kDirectory)) {
    return fail(Errc::kNotDirectory, "not a directory", directory.number.value());
  }
  if (inode.has(InodeFlag::kInlineData)) return list_inline(core, directory, cookie, visit);
  if (inode.has(InodeFlag::kIndexed)) return list_htree(core, directory, cookie, visit);
  const bool by_hash =
      core.shape.has(Ext4Compat::kDirIndex) && block_count_of(core, directory) == 1;
  return by_hash ? list_one_block(core, directory, cookie, visit)
                 : list_by_place(core, directory, cookie, visit);
}

}  // namespace

Result<void> list_names(Core& core, const Node& directory, std::uint64_t cookie,
                        const NameVisitor& visit) {
  return noted(core, list(core, directory, cookie, visit));
}

}  // namespace powercut::fs
