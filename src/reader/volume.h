// Reads an ext4 file system over any view, safe on hostile images.  It shares no code with the
// writer, so that it can judge it.
//
// Invariants
//   1. Nothing stored is trusted: every count, length, depth and pointer is checked against the
//      device and against the structure it stands in before it is used.
//   2. Every walk is bounded: extent trees by depth 5 and by ever growing file blocks, directories
//      by their size, the tree of directories by a visited set.
//   3. Memory is bounded by what is asked for: a file's blocks are visited, not collected.
// Threads: const, no cache; as safe as the view.
#pragma once

#include <functional>
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
  // given) for every block of its extent tree.  Errors: kCorrupt, kChecksum, kIo; kUnsupported for
  // files without extents (indirect blocks) and inline data, by name.
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
  // Every inode in use, in order; inode tables known to be unused are not read.
  using InodeVisitor = std::function<bool(InodeNo, const Inode&)>;
  Result<void> for_each_inode(const InodeVisitor& visit) const;
  // The inode at an absolute path, without following symlinks.  Errors: kNotFound, and as above.
  Result<InodeNo> find(std::string_view path) const;

 private:
  Volume(const BlockView& view, const Superblock& superblock)
      : view_(&view), superblock_(superblock) {}
  const BlockView* view_;
  Superblock superblock_;
};

// Where the journal of a file system lies.  Errors: kNotFound: there is none inside (no journal, or
// an external one); else as Volume.
Result<JournalMap> locate_journal(const Volume& volume);

}  // namespace powercut
