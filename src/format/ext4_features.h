// The feature words of ext4's superblock.  Each word is an enum of its own type, so that a bit of
// one cannot be tested in another.  All values are stored.
//
//   compat     may be ignored by who does not know them
//   incompat   who does not know one must not read the file system
//   ro_compat  who does not know one must not write
//
// Source: Linux Documentation/filesystems/ext4/super.rst.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace powercut {

enum class Ext4Compat : std::uint32_t {
  kDirPrealloc = 0x1,
  kImagicInodes = 0x2,
  kHasJournal = 0x4,
  kExtAttr = 0x8,
  kResizeInode = 0x10,
  kDirIndex = 0x20,
  kLazyBg = 0x40,
  kExcludeInode = 0x80,
  kExcludeBitmap = 0x100,
  kSparseSuper2 = 0x200,
  kFastCommit = 0x400,
  kStableInodes = 0x800,
  kOrphanFile = 0x1000,
};

enum class Ext4Incompat : std::uint32_t {
  kCompression = 0x1,
  kFileType = 0x2,
  kRecover = 0x4,
  kJournalDevice = 0x8,
  kMetaBg = 0x10,
  kExtents = 0x40,
  k64Bit = 0x80,
  kMultiMountProtection = 0x100,
  kFlexBg = 0x200,
  kEaInode = 0x400,
  kDirData = 0x1000,
  kChecksumSeed = 0x2000,
  kLargeDir = 0x4000,
  kInlineData = 0x8000,
  kEncrypt = 0x10000,
  kCaseFold = 0x20000,
};

enum class Ext4RoCompat : std::uint32_t {
  kSparseSuper = 0x1,
  kLargeFile = 0x2,
  kBtreeDir = 0x4,
  kHugeFile = 0x8,
  kGroupChecksum = 0x10,
  kDirNlink = 0x20,
  kExtraIsize = 0x40,
  kHasSnapshot = 0x80,
  kQuota = 0x100,
  kBigalloc = 0x200,
  kMetadataChecksum = 0x400,
  kReplica = 0x800,
  kReadOnly = 0x1000,
  kProject = 0x2000,
  kSharedBlocks = 0x4000,
  kVerity = 0x8000,
  kOrphanPresent = 0x10000,
};

// The incompat features with which a file system can be read here.  Encrypted names and contents
// are refused where they are met, not at the door.
inline constexpr std::uint32_t kReadableIncompat = [] {
  std::uint32_t bits = 0;
  for (const Ext4Incompat feature :
       {Ext4Incompat::kFileType, Ext4Incompat::kRecover, Ext4Incompat::kMetaBg,
        Ext4Incompat::kExtents, Ext4Incompat::k64Bit, Ext4Incompat::kMultiMountProtection,
        Ext4Incompat::kFlexBg, Ext4Incompat::kEaInode, Ext4Incompat::kChecksumSeed,
        Ext4Incompat::kLargeDir, Ext4Incompat::kInlineData, Ext4Incompat::kEncrypt,
        Ext4Incompat::kCaseFold}) {
    bits |= static_cast<std::uint32_t>(feature);
  }
  return bits;
}();

// The names that mke2fs and dumpe2fs use ("64bit"); "unknown feature" for a value that is none.
std::string_view feature_name(Ext4Compat feature);
std::string_view feature_name(Ext4Incompat feature);
std::string_view feature_name(Ext4RoCompat feature);

// The lowest incompat bit that cannot be read here, if any.
std::optional<Ext4Incompat> first_unreadable(std::uint32_t incompat);

}  // namespace powercut
