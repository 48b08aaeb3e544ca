// Reads an ext4 file system over any view, safe on hostile images.  It shares no code with the
// writer, so that it can judge it.
//
// Invariants
//   1. Nothing stored is trusted: every count, length, depth and pointer is checked against the
//      device and against the structure it stands in before it is used.
//   2. Every walk is bounded: extent trees by depth 5 and by ever growing file blocks, directories
//      by their size, the tree of directories by a visited set.
//   3. Memory is bounded by what is asked for: a file's blocks are visited, not collected.
//   4. The group descriptors of a file system of up to kGroupsKept groups are read when it is
//   opened,
//      since every inode needs one; nothing else is kept.  A damaged one hinders only its group.
// Threads: const; as safe as the view.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "block/block_device.h"
#include "format/ext4.h"
#include "recovery/journal_map.h"

namespace powercut {

// A run of file blocks that lie one after another on the device.
struct FileRun {
  FileBlock file;
  BlockNo device;
  std::uint64_t count = 0;    // blocks
  bool is_unwritten = false;  // allocated, reads as zeroes
};

// An extended attribute, with the name that getfattr shows: "user.mime", "system.posix_acl_access".
struct Xattr {
  std::string name;  // bytes, not checked to be text
  // As stored: an ACL in ext4's form, not the kernel's (Acl::parse, Acl::kernel_form).
  std::vector<std::uint8_t> value;
  // False where Linux keeps it to itself and gives no way to set it: the context of an encrypted
  // inode ("encryption.c"), a name of no known kind ("unknown-5.x").
  bool is_listed = true;
};

struct DirectoryEntry {
  InodeNo inode;
  std::string name;            // bytes, not checked to be text
  std::uint8_t file_type = 0;  // 0 where the file system does not store it
};

class Volume {
 public:
  // `view` must outlive the volume.
  // Errors: as Superblock::parse; kCorrupt where the group descriptors do not fit the device.
  static Result<Volume> open(const BlockView& view);

  const Superblock& superblock() const { return superblock_; }
  const BlockView& view() const { return *view_; }
  std::uint32_t group_count() const { return superblock_.group_count(); }

  // Errors: kCorrupt, kChecksum, kIo.
  Result<GroupDescriptor> group(std::uint32_t index) const;
  // Errors: kInvalid: number 0 or past the last; kCorrupt, kChecksum, kIo.
  Result<Inode> inode(InodeNo number) const;
  Result<void> read_block(BlockNo block, MutableBytes into) const;

  // A visitor that returns false stops the walk; that is no error.
  // Calls visit(run) for every mapped run of the file in ascending order, and tree(block) (if
  // given) for every block of its extent tree, or every indirect block.  Content that lies in the
  // inode (inline data) has no runs.  Errors: kCorrupt, kChecksum, kIo.
  using RunVisitor = std::function<bool(const FileRun&)>;
  using TreeVisitor = std::function<bool(BlockNo)>;
  Result<void> for_each_run(InodeNo number, const Inode& inode, const RunVisitor& visit,
                            const TreeVisitor& tree = {}) const;
  // Calls visit(entry) for every entry in use, "." and ".." included, linear or htree.
  using EntryVisitor = std::function<bool(const DirectoryEntry&)>;
  Result<void> for_each_entry(InodeNo number, const Inode& inode, const EntryVisitor& visit) const;
  // Reads at most `into.size()` bytes of a file at `offset` (bytes); holes read as zero.  Returns
  // the count, less than asked only at the end of the file.
  Result<std::size_t> read_file(InodeNo number, const Inode& inode, std::uint64_t offset,
                                MutableBytes into) const;
  // Where a symlink points to.  Errors: kInvalid: no symlink; kCorrupt (no target, or one with a
  // zero byte, or longer than a block), and as read_file.
  Result<std::string> read_link(InodeNo number, const Inode& inode) const;
  // Calls visit(xattr) for every extended attribute: those in the inode, then those in its block;
  // values that are inodes of their own are read.  Inline data ("system.data") is none.  `inode`
  // must be what inode(number) gave: the inode is read again, for what lies behind its fixed part.
  // Errors: kCorrupt, kChecksum, kIo; kLimit: a value longer than 64 KiB, as Linux has it.
  using XattrVisitor = std::function<bool(const Xattr&)>;
  Result<void> for_each_xattr(InodeNo number, const Inode& inode, const XattrVisitor& visit) const;
  // Every inode that recovery would delete or truncate: those on the list that starts in the
  // superblock, then those in the orphan file.  Errors: kCorrupt (also a list that comes back to
  // itself), kChecksum, kIo.
  Result<void> for_each_orphan(const std::function<bool(InodeNo)>& visit) const;
  // Every inode in use, in order; inode tables known to be unused are not read.
  using InodeVisitor = std::function<bool(InodeNo, const Inode&)>;
  Result<void> for_each_inode(const InodeVisitor& visit) const;
  // The inode of that name in a directory: through the htree where there is one whose hash is
  // known, else by looking at every entry.  Errors: kNotFound, and as for_each_entry.
  Result<InodeNo> lookup(InodeNo directory, const Inode& inode, std::string_view name) const;
  // The stored bytes of an inode, superblock().inode_bytes long, not checked.
  Result<std::vector<std::uint8_t>> stored_inode(InodeNo number) const;
  // The inode at an absolute path, without following symlinks.  Errors: kNotFound, and as above.
  Result<InodeNo> find(std::string_view path) const;

 private:
  static constexpr std::uint32_t kGroupsKept = 16384;  // 1 MiB of descriptors of 64 bytes

  Volume(const BlockView& view, const Superblock& superblock)
      : view_(&view), superblock_(superblock) {}
  void keep_groups();
  Result<GroupDescriptor> read_group(std::uint32_t index) const;
  // Reads the first `into.size()` bytes of an inode.
  Result<void> read_inode(InodeNo number, MutableBytes into) const;

  const BlockView* view_;
  Superblock superblock_;
  // Shared by copies; empty where there are more groups than are kept.
  std::shared_ptr<const std::vector<Result<GroupDescriptor>>> groups_;
};

// Where the journal of a file system lies.  Errors: kNotFound: there is none inside (no journal, or
// an external one); else as Volume.
Result<JournalMap> locate_journal(const Volume& volume);

// Where the journal lies on a device of its own, which follows the `file_system_blocks` blocks of
// the file system's on a JoinedDevice.  `journal` is that device alone.
// Errors: kInvalid: it is no journal device, or that of another file system (its UUID); kCorrupt:
// blocks of another size, a log longer than the device; kIo.
Result<JournalMap> locate_external_journal(const Superblock& file_system, const BlockView& journal,
                                           std::uint64_t file_system_blocks);

}  // namespace powercut
