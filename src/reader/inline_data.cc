#include "reader/inline_data.h"

namespace powercut {
namespace {

Failure refused(InodeNo number) {
  return fail_with(Errc::kUnsupported, "inode: content in the inode",
                   feature_name(Ext4Incompat::kInlineData), number.value());
}

}  // namespace

Result<std::vector<std::uint8_t>> read_inline_data(const Volume&, InodeNo number, const Inode&) {
  return refused(number);
}

Result<bool> walk_inline_directory(const Volume&, InodeNo number, const Inode&,
                                   const Volume::EntryVisitor&) {
  return refused(number);
}

}  // namespace powercut
