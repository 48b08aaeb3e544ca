// The extended attributes of one inode: in it, in a block, in inodes of their own.
//
// One read for the inode, one for its block, and those of value inodes; a value is copied once, out
// of what was read.
#include "base/fuzzing.h"
#include "format/ext4_xattr.h"
#include "reader/volume.h"

namespace powercut {
namespace {

class XattrWalk {
 public:
  XattrWalk(const Volume& volume, InodeNo number, const Inode& inode,
            const Volume::XattrVisitor& visit)
      : volume_(volume),
        superblock_(volume.superblock()),
        number_(number),
        inode_(inode),
        visit_(visit) {}

  Result<void> run() {
    const bool goes_on = TRY(body());
    if (goes_on) TRY(block());
    return {};
  }

 private:
  Result<bool> body() {
    if (inode_.extra_bytes == 0) return true;  // no room: nothing need be read
    const auto stored = TRY(volume_.stored_inode(number_));
    auto parsed = TRY(XattrBody::parse(stored, inode_, number_, superblock_));
    return entries(parsed.entries);
  }

  Result<bool> block() {
    if (inode_.xattr_block.value() == 0) return true;
    std::vector<std::uint8_t> bytes(superblock_.block_bytes());
    TRY(volume_.read_block(inode_.xattr_block, bytes));
    auto parsed = TRY(XattrBlock::parse(bytes, inode_.xattr_block, superblock_));
    return entries(parsed.entries);
  }

  Result<bool> entries(std::vector<XattrEntry>& entries) {
    for (XattrEntry& entry : entries) {
      if (entry.is_inline_data()) continue;
      if (entry.value_inode.value() != 0) {
        entry.value = TRY(value_of(entry));
      } else if (entry.value_bytes > kXattrValueMax) {
        return fail(Errc::kLimit, "attribute: value over 64 KiB", number_.value());
      }
      if (!visit_({entry.full_name(), std::move(entry.value), entry.is_listed()})) return false;
    }
    return true;
  }

  // The value that is an inode of its own; errors name that inode.
  Result<std::vector<std::uint8_t>> value_of(const XattrEntry& entry) {
    if (entry.value_bytes > kXattrValueMax) {
      return fail(Errc::kLimit, "attribute: value over 64 KiB", number_.value());
    }
    const InodeNo place = entry.value_inode;
    const auto stored = TRY(volume_.stored_inode(place));
    const auto self = TRY(Inode::parse(stored, place, superblock_));
    if (!self.has(InodeFlag::kEaInode) || self.links == 0 || !self.is(InodeType::kRegular)) {
      return fail(Errc::kCorrupt, "value inode: not the value of an attribute", place.value());
    }
    if (self.size != entry.value_bytes) {
      return fail(Errc::kCorrupt, "value inode: size", place.value());
    }
    std::vector<std::uint8_t> value(entry.value_bytes);
    TRY(volume_.read_file(place, self, 0, value));
    const auto fields = TRY(ValueInode::parse(stored));
    if (is_fuzzing() || fields.is_only_of(number_, inode_, self)) return value;
    if (xattr_value_hash(value, superblock_) != fields.value_hash) {
      return fail(Errc::kChecksum, "value inode: hash of the value", place.value());
    }
    if (!fields.matches(entry)) {
      return fail(Errc::kChecksum, "value inode: hash of the attribute", place.value());
    }
    return value;
  }

  const Volume& volume_;
  const Superblock& superblock_;
  const InodeNo number_;
  const Inode& inode_;
  const Volume::XattrVisitor& visit_;
};

}  // namespace

Result<void> Volume::for_each_xattr(InodeNo number, const Inode& inode,
                                    const XattrVisitor& visit) const {
  return XattrWalk(*this, number, inode, visit).run();
}

}  // namespace powercut
