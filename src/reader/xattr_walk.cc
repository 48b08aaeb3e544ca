// The extended attributes of one inode: in it, in a block, in inodes of their own.
#include "reader/volume.h"

namespace powercut {

Result<void> Volume::for_each_xattr(InodeNo number, const Inode&, const XattrVisitor&) const {
  return fail(Errc::kUnsupported, "inode: extended attributes", number.value());
}

}  // namespace powercut
