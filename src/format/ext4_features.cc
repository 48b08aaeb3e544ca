#include "format/ext4_features.h"

namespace powercut {

std::string_view feature_name(Ext4Compat feature) {
  switch (feature) {
    case Ext4Compat::kDirPrealloc: return "dir_prealloc";
    case Ext4Compat::kImagicInodes: return "imagic_inodes";
    case Ext4Compat::kHasJournal: return "has_journal";
    case Ext4Compat::kExtAttr: return "ext_attr";
    case Ext4Compat::kResizeInode: return "resize_inode";
    case Ext4Compat::kDirIndex: return "dir_index";
    case Ext4Compat::kLazyBg: return "lazy_bg";
    case Ext4Compat::kExcludeInode: return "snapshot_inode";
    case Ext4Compat::kExcludeBitmap: return "snapshot_bitmap";
    case Ext4Compat::kSparseSuper2: return "sparse_super2";
    case Ext4Compat::kFastCommit: return "fast_commit";
    case Ext4Compat::kStableInodes: return "stable_inodes";
    case Ext4Compat::kOrphanFile: return "orphan_file";
  }
  return "unknown feature";
}

std::string_view feature_name(Ext4Incompat feature) {
  switch (feature) {
    case Ext4Incompat::kCompression: return "compression";
    case Ext4Incompat::kFileType: return "filetype";
    case Ext4Incompat::kRecover: return "needs_recovery";
    case Ext4Incompat::kJournalDevice: return "journal_dev";
    case Ext4Incompat::kMetaBg: return "meta_bg";
    case Ext4Incompat::kExtents: return "extent";
    case Ext4Incompat::k64Bit: return "64bit";
    case Ext4Incompat::kMultiMountProtection: return "mmp";
    case Ext4Incompat::kFlexBg: return "flex_bg";
    case Ext4Incompat::kEaInode: return "ea_inode";
    case Ext4Incompat::kDirData: return "dirdata";
    case Ext4Incompat::kChecksumSeed: return "metadata_csum_seed";
    case Ext4Incompat::kLargeDir: return "large_dir";
    case Ext4Incompat::kInlineData: return "inline_data";
    case Ext4Incompat::kEncrypt: return "encrypt";
    case Ext4Incompat::kCaseFold: return "casefold";
  }
  return "unknown feature";
}

std::string_view feature_name(Ext4RoCompat feature) {
  switch (feature) {
    case Ext4RoCompat::kSparseSuper: return "sparse_super";
    case Ext4RoCompat::kLargeFile: return "large_file";
    case Ext4RoCompat::kBtreeDir: return "btree_dir";
    case Ext4RoCompat::kHugeFile: return "huge_file";
    case Ext4RoCompat::kGroupChecksum: return "uninit_bg";
    case Ext4RoCompat::kDirNlink: return "dir_nlink";
    case Ext4RoCompat::kExtraIsize: return "extra_isize";
    case Ext4RoCompat::kHasSnapshot: return "snapshot";
    case Ext4RoCompat::kQuota: return "quota";
    case Ext4RoCompat::kBigalloc: return "bigalloc";
    case Ext4RoCompat::kMetadataChecksum: return "metadata_csum";
    case Ext4RoCompat::kReplica: return "replica";
    case Ext4RoCompat::kReadOnly: return "read-only";
    case Ext4RoCompat::kProject: return "project";
    case Ext4RoCompat::kSharedBlocks: return "shared_blocks";
    case Ext4RoCompat::kVerity: return "verity";
    case Ext4RoCompat::kOrphanPresent: return "orphan_present";
  }
  return "unknown feature";
}

std::optional<Ext4Incompat> first_unreadable(std::uint32_t incompat) {
  const std::uint32_t strange = incompat & ~kReadableIncompat;
  if (strange == 0) return std::nullopt;
  return static_cast<Ext4Incompat>(strange & (~strange + 1));
}

}  // namespace powercut
