#include "reader/indirect_walk.h"

#include <algorithm>

namespace powercut {

Result<bool> walk_indirect(const Volume&, InodeNo number, const Inode& inode, const FileRange&,
                           const Volume::RunVisitor&, const Volume::TreeVisitor&) {
  if (all_zero(inode.block_area)) return true;  // no blocks in either form
  return fail(Errc::kUnsupported, "inode: indirect blocks (a file without extents)",
              number.value());
}

}  // namespace powercut
