// Names taken away, and what becomes of their inodes.
#include "base/trace.h"
#include "fs/credits.h"
#include "fs/deletion.h"
#include "fs/inode_rules.h"
#include "fs/node_lookup.h"
#include "fs/operations.h"

namespace powercut::fs {
namespace {

[[maybe_unused]] const MutantNames kRemoveMutants{"fs.remove.no_orphan"};

enum class What : std::uint8_t { kFile, kDirectory };

Result<void> check_removable(Core& core, const Node& node, What what) REQUIRES_SHARED(node.lock) {
  const std::uint64_t number = node.number.value();
  const bool is_directory = node.inode.is(InodeType::kDirectory);
  if (what == What::kFile && is_directory) {
    return fail(Errc::kIsDirectory, "name: of a directory", number);
  }
  if (what == What::kDirectory && !is_directory) {
    return fail(Errc::kNotDirectory, "name: of no directory", number);
  }
  if ((node.inode.flags & (kImmutableFlag | kAppendFlag)) != 0) {
    return fail(Errc::kNotPermitted, "inode: immutable, or append only", number);
  }
  if (node.inode.links == 0) {
    return noted<void>(core, fail(Errc::kCorrupt, "inode: has a name, and no links", number));
  }
  if (is_directory && !TRY(is_empty_directory(core, node))) {
    return fail(Errc::kNotEmpty, "directory: has names", number);
  }
  if (is_directory || node.inode.links == 1) TRY(check_can_be_deleted(core, node));
  return {};
}

// False: the name stands for another inode now.
Result<bool> remove_locked(Core& core, Node& directory, std::string_view name, Node& gone,
                           What what) {
  LockTwo lock(directory, gone);
  TRY(check_changeable_directory(directory, true));
  const NamePlace place = TRY(look_for_name(core, directory, name));
  if (!place.found) return fail_with(Errc::kNotFound, "name", name, directory.number.value());
  if (!stands_for(place, &gone) || !TRY(is_current(core, gone))) return false;
  TRY(check_removable(core, gone, what));
  Handle handle =
      TRY(core.start(sum_of(kPlaceCredits, kStoreCredits, kStoreCredits, Orphans::kCredits)));
  take_place(core, handle, directory, place);
  if (what == What::kDirectory) {
    gone.inode.links = 0;
    count_directory_down(directory);
  } else {
    --gone.inode.links;
  }
  inode_changed(core, gone);
  names_changed(core, directory);
  if (gone.inode.links == 0 && !mutant("fs.remove.no_orphan")) core.orphans->add(handle, gone);
  core.nodes->store(handle, gone);
  core.nodes->store(handle, directory);
  return true;
}

Result<void> remove(Core& core, Node& directory, std::string_view name, What what) {
  for (int i = 0; i < kTriesMax; ++i) {
    const NodeRef node = TRY(node_of_name(core, directory, name));
    if (node.get() == &directory) return fail(Errc::kInvalid, "name: the directory itself");
    if (!TRY(remove_locked(core, directory, name, *node, what))) continue;
    ignore_error(delete_now_or_later(core, node), "it stays an orphan, for the next mount");
    return {};
  }
  return always_changing(directory);
}

// The root, and what is no inode of the file system's own: the journal, the file of orphans.
bool can_have_name(const Superblock& shape, InodeNo number) {
  if (number == kRootInode) return true;
  const bool is_orphan_file =
      shape.has(Ext4Compat::kOrphanFile) && number == shape.orphan_file_inode;
  return number >= shape.first_inode && number.value() <= shape.inode_count && !is_orphan_file;
}

}  // namespace

Result<NodeRef> node_of_name(Core& core, Node& directory, std::string_view name) {
  SharedLock lock(directory.lock);
  const InodeNo number = TRY(find_name(core, directory, name)).inode;
  if (!can_have_name(core.shape, number)) {
    return noted<NodeRef>(
        core,
        fail(Errc::kCorrupt, "directory: a name of an inode that is no file's", number.value()));
  }
  Result<NodeRef> node = core.nodes->get(number);
  if (!node && node.error().code == Errc::kNotFound) {
    return noted<NodeRef>(
        core, fail(Errc::kCorrupt, "directory: a name of an inode in no use", number.value()));
  }
  return node;
}

Result<bool> is_current(Core& core, const Node& node) {
  if (node.inode.links != 0) return true;
  return TRY(core.nodes->get(node.number)).get() == &node;
}

Result<void> remove_file(Core& core, Node& directory, std::string_view name) {
  if (name == "." || name == "..") return fail(Errc::kIsDirectory, "name: of a directory");
  return remove(core, directory, name, What::kFile);
}

Result<void> remove_directory(Core& core, Node& directory, std::string_view name) {
  if (name == "." || name == "..") return fail(Errc::kInvalid, "name: . or ..");
  return remove(core, directory, name, What::kDirectory);
}

}  // namespace powercut::fs
