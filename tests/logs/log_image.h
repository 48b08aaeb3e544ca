// Images with a log that is to be recovered, and the file systems that they are made of.
//
// Words
//   base    a small file system, made by mke2fs, whose log is empty; needs_recovery is set
//   pool    free blocks of a base: a log may put anything there and the file system stays sound
//   change  what one change of a base's tree (by debugfs) makes of its metadata: bitmaps, inodes,
//           directories.  Logged as a whole or not at all, the file system stays sound
//
// How many logs: POWERCUT_LOGS=N in the environment asks for about N in all, shared out among the
// sources as the default is; which one: POWERCUT_LOG=NAME makes only the log of that name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "recovery/journal_map.h"
#include "tests/support/journal_builder.h"

namespace powercut::testing {

using Contents = std::vector<std::uint8_t>;

struct LogImage {
  std::string name;
  Contents bytes;
  JournalMap map;
};

struct BaseOptions {
  std::uint32_t block_bytes = 1024;
  bool is_64bit = true;
  bool has_checksums = true;  // metadata_csum
  std::string name() const;
};

// The journal has 1024 blocks.
struct BaseImage {
  BaseOptions options;
  Contents bytes;
  JournalMap map;
  std::vector<BlockNo> pool;  // ascending
  // The second change is one of the tree that the first has left.  Neither holds the superblock.
  std::vector<DataSpec> first_change, second_change;
  DataSpec first_superblock;  // the block of the primary superblock after the first change

  // Made once for each set of options.  Nothing can be tested where this fails: CHECK.
  static const BaseImage& of(const BaseOptions& options);
};

// Where the journal of the file system at `path` lies: debugfs says so, not our reader.  CHECK.
JournalMap map_by_debugfs(const std::string& path, std::uint32_t block_bytes);

// `by_default` scaled by POWERCUT_LOGS; at least 1.
std::uint64_t log_count(std::uint64_t by_default);
// Whether POWERCUT_LOG lets this log be made.
bool is_wanted(const std::string& name);
// The command that makes the log `name` of the running test again.
std::string command_for(const std::string& name);

// A look at bytes that are held elsewhere: images are large, and there are hundreds.
class BytesView final : public BlockView {
 public:
  explicit BytesView(Bytes bytes) : bytes_(bytes) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;
  Bytes bytes_;
};

// The same to write: an image that becomes another in place.
class BytesDevice final : public BlockDevice {
 public:
  explicit BytesDevice(MutableBytes bytes) : bytes_(bytes) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability) override;
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length, Durability) override;
  Result<void> do_discard(std::uint64_t, std::uint64_t) override { return {}; }
  Result<void> do_flush() override { return {}; }
  MutableBytes bytes_;
};

// A file of the test, looked at in place.  It must not change meanwhile.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::string& path);  // CHECK
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();
  Bytes bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

// Makes `bytes` the content of the file at `path`, in place if there is one; CHECK.
void write_whole(const std::string& path, Bytes bytes);

}  // namespace powercut::testing
