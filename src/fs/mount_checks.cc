#include "fs/mount_checks.h"

#include <initializer_list>

namespace powercut::fs {
namespace {

template <class Feature>
constexpr std::uint32_t bits_of(std::initializer_list<Feature> features) {
  std::uint32_t bits = 0;
  for (const Feature feature : features) bits |= static_cast<std::uint32_t>(feature);
  return bits;
}

constexpr std::uint32_t kKeptIncompat =
    bits_of({Ext4Incompat::kFileType, Ext4Incompat::kRecover, Ext4Incompat::kMetaBg,
             Ext4Incompat::kExtents, Ext4Incompat::k64Bit, Ext4Incompat::kFlexBg,
             Ext4Incompat::kChecksumSeed, Ext4Incompat::kLargeDir, Ext4Incompat::kInlineData});

constexpr std::uint32_t kKeptRoCompat = bits_of(
    {Ext4RoCompat::kSparseSuper, Ext4RoCompat::kLargeFile, Ext4RoCompat::kBtreeDir,
     Ext4RoCompat::kHugeFile, Ext4RoCompat::kGroupChecksum, Ext4RoCompat::kDirNlink,
     Ext4RoCompat::kExtraIsize, Ext4RoCompat::kMetadataChecksum, Ext4RoCompat::kOrphanPresent});

constexpr std::uint32_t lowest_bit(std::uint32_t bits) {
  return bits & (~bits + 1);
}

}  // namespace

Result<void> check_writable(const Superblock& shape) {
  const std::uint32_t incompat = shape.incompat & ~kKeptIncompat;
  if (incompat != 0) {
    return fail_with(Errc::kUnsupported, "file system: not written with the feature",
                     feature_name(static_cast<Ext4Incompat>(lowest_bit(incompat))));
  }
  const std::uint32_t ro_compat = shape.ro_compat & ~kKeptRoCompat;
  if (ro_compat != 0) {
    return fail_with(Errc::kReadOnly, "file system: mounted only read-only with the feature",
                     feature_name(static_cast<Ext4RoCompat>(lowest_bit(ro_compat))));
  }
  if (!shape.has(Ext4Incompat::kExtents)) {
    return fail_with(Errc::kUnsupported, "file system: not written without the feature",
                     feature_name(Ext4Incompat::kExtents));
  }
  if (!shape.has(Ext4Compat::kHasJournal)) {
    return fail_with(Errc::kUnsupported, "file system: not written without the feature",
                     feature_name(Ext4Compat::kHasJournal));
  }
  if (shape.revision == 0) {
    return fail(Errc::kUnsupported, "file system: not written in revision 0");
  }
  if (shape.block_bytes() > 4096) {
    return fail(Errc::kUnsupported, "file system: not written with blocks over 4 KiB",
                shape.block_bytes());
  }
  return {};
}

}  // namespace powercut::fs
