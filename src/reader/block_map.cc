#include "reader/block_map.h"

#include "reader/extent_walk.h"
#include "reader/indirect_walk.h"

namespace powercut {

Result<bool> walk_block_map(const Volume& volume, InodeNo number, const Inode& inode,
                            const FileRange& range, const Volume::RunVisitor& run,
                            const Volume::TreeVisitor& tree) {
  if (!inode.has_block_map()) return true;
  if (inode.has(InodeFlag::kExtents)) return walk_extents(volume, number, inode, range, run, tree);
  return walk_indirect(volume, number, inode, range, run, tree);
}

}  // namespace powercut
