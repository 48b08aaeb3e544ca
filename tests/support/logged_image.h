// A file system that mke2fs made, in a file, with a log of ours in its journal.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "recovery/recovery.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/journal_builder.h"

namespace powercut::testing {

struct LoggedImageOptions {
  std::string mke2fs = "-b 1024 -J size=1 -O metadata_csum,64bit";
  std::string size = "8M";
  ChecksumKind checksum = ChecksumKind::kV3;
  bool is_async = false;
  LogBlock start{1};
  Tid sequence{5};
};

// mke2fs and debugfs must be there (SKIP_WITHOUT_TOOL); what else fails is a CHECK.
class LoggedImage {
 public:
  explicit LoggedImage(const LoggedImageOptions& options = {});

  JournalBuilder& builder() { return builder_; }
  const JournalMap& map() const { return map_; }
  std::uint32_t block_bytes() const { return map_.block_bytes(); }
  const std::filesystem::path& path() const { return image_.path(); }
  const E2fsImage& image() const { return image_; }
  // Free blocks of the file system: a log may put anything there.
  const std::vector<BlockNo>& pool() const { return pool_; }
  // A transaction of `count` blocks of the pool from `first` on, each of other content.
  TransactionSpec blocks(std::size_t first, std::size_t count, std::uint64_t seed = 1) const;
  // Lets debugfs change the tree, and puts the old blocks back: the difference, to be logged.
  std::vector<DataSpec> change_of(const std::string& debugfs_commands);

  // Puts the log of builder() into the file, its superblock changed by `change`, and sets
  // needs_recovery (or clears it).
  void write(const std::function<void(JournalSuperblock&)>& change = {}, bool is_dirty = true);
  // One log block as it lies, changed.
  void change_log_block(LogBlock log, const std::function<void(MutableBytes)>& change);

 private:
  std::vector<std::uint8_t> bytes() const { return image_.bytes(); }
  void put(const std::vector<std::uint8_t>& bytes) const;

  E2fsImage image_;
  JournalMap map_;
  std::vector<BlockNo> pool_;
  JournalBuilder builder_;
};

}  // namespace powercut::testing
