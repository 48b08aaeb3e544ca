// Powercut's own ext4, to be used from a program: files and directories in an ext4 image, changed
// with crash safety and without root or a mount.
//
// Words
//   volume    an ext4 file system in an image file or on a block device, open here and nowhere else
//   durable   on stable storage, so that a power cut does not take it away
//   commit    makes durable what ended before it; what came later is made durable as a whole, or
//             not at all
//
// What is promised
//   1. Each operation is atomic: after a power cut all of it is there, or nothing.  Two exceptions,
//      which may be there in part: a write longer than write_bytes_max(), and taking away more
//      blocks than one transaction can name (truncate, punch, removal of a very large file).
//   2. Operations are durable in the order in which they ended, whatever file they were on: after a
//      power cut the volume is as it was at some moment (a prefix), and not before the last
//      commit(), File::sync() or Volume::sync_of() that returned.
//   3. What several operations do inside an AtomicSection is there together, or not at all.
//   4. After a failed write of the device nothing is acknowledged any more; every call fails with
//      kAborted and says why.
//
// Errors are values (base/result.h): Result<T> holds a T or an Error with a code, static words that
// name the rule that was broken, and a number or a text beside it.
//
// Paths begin at the root, with or without a slash; "." and ".." work; symlinks on the way are
// followed, absolute ones from the volume's root.  Names are bytes, at most 255, without '/' and
// zero.
//
// Threads: any thread may call anything at any time, but for close() and the destructors, which
// have their object alone.  A pointer to user memory is never touched with a lock held.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file_kind.h"
#include "base/result.h"
#include "base/units.h"

namespace powercut {
class BlockDevice;
class Section;
class WallClock;
}  // namespace powercut

namespace powercut::fs {

class Mounted;
class Node;
class VolumeBody;

struct VolumeOptions {
  bool is_read_only = false;
  // A commit at least as often; 0: only when asked, or when the log is full.
  Nanoseconds commit_interval = std::chrono::seconds(5);
  // Each journal block's checksum once more just before it is written.
  bool verifies_before_write = false;
  // One flush for a commit instead of two: what was written with it, and its end, are in flight
  // together, and a checksum over both tells whether all arrived (jbd2: async_commit).  Only for a
  // file system without metadata_csum (kUnsupported): the checksums of the others' journals do not
  // tell a power cut from damage then.
  bool waits_once = false;
  std::uint64_t cache_bytes = std::uint64_t{256} << 20;
  // Where the file system begins in the image (a partition), bytes.
  std::uint64_t offset = 0;
};

using powercut::FileKind;

// Seconds and nanoseconds since 1970.
struct Time {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  friend bool operator==(const Time&, const Time&) = default;
};

// What stat(2) tells.
struct FileStatus {
  std::uint32_t inode = 0;
  FileKind kind = FileKind::kRegular;
  std::uint32_t mode = 0;  // permissions, setuid, setgid and sticky: 0 to 07777
  std::uint32_t links = 0, uid = 0, gid = 0;
  std::uint64_t size = 0;              // bytes
  std::uint64_t allocated = 0;         // bytes
  std::uint32_t major = 0, minor = 0;  // of a device
  Time accessed, modified, changed, created;
};

struct ListedEntry {
  std::string name;
  std::uint32_t inode = 0;
  FileKind kind = FileKind::kRegular;
};

// What statfs(2) tells; blocks are of `block_bytes`.
struct Space {
  std::uint64_t blocks = 0, free_blocks = 0, available_blocks = 0;
  std::uint64_t inodes = 0, free_inodes = 0;
  std::uint32_t block_bytes = 0;
};

struct OpenWords {
  bool creates = false;    // makes the file if it is not there
  bool is_new = false;     // with creates: it must not be there (kExists)
  bool truncates = false;  // to nothing
  std::uint32_t mode = 0644;
};

enum class Rename : std::uint8_t {
  kReplace,    // over what is there, if that may be
  kNoReplace,  // kExists if something is there
  kExchange,   // both are there and change places
};

// An open file.  It stays usable when its name goes.
class File {
 public:
  File(File&&) noexcept;
  File& operator=(File&&) noexcept;
  ~File();

  // Bytes from `offset` on; less than asked only at the end of the file.
  Result<std::size_t> read(std::uint64_t offset, MutableBytes into) const;
  // All of it.  Errors: kNoSpace: nothing was written, or (longer than write_bytes_max()) a
  // beginning of it; kLimit: past the largest file; kReadOnly, kAborted.
  Result<void> write(std::uint64_t offset, Bytes bytes);
  // At the end, wherever that is when it happens; returns the offset.
  Result<std::uint64_t> append(Bytes bytes);
  Result<void> truncate(std::uint64_t size);
  // Blocks for [offset, offset + length) that read as zeroes; the file grows unless `keeps_size`.
  Result<void> allocate(std::uint64_t offset, std::uint64_t length, bool keeps_size = false);
  // The range reads as zeroes; its blocks are given back (punch) or kept (zero).
  Result<void> punch(std::uint64_t offset, std::uint64_t length);
  Result<void> zero(std::uint64_t offset, std::uint64_t length, bool keeps_size = false);
  // The next data, or hole, at or behind `offset`.  Errors: kNotFound: none.
  Result<std::uint64_t> next_data(std::uint64_t offset) const;
  Result<std::uint64_t> next_hole(std::uint64_t offset) const;
  // Returns when all that was done with the file is durable.
  Result<void> sync();
  // The same without times that nobody needs to read the data.
  Result<void> sync_data();
  Result<FileStatus> status() const;

 private:
  friend class Volume;
  File(std::shared_ptr<VolumeBody> volume, std::shared_ptr<Node> node);
  std::shared_ptr<VolumeBody> volume_;
  std::shared_ptr<Node> node_;
};

// From its begin to its end the operations of one thread are one.  Ends when it goes; end() says
// whether it held.  Errors of end(): kTimeout: it lasted longer than commits wait, and was split.
class [[nodiscard]] AtomicSection {
 public:
  AtomicSection(AtomicSection&&) noexcept;
  AtomicSection& operator=(AtomicSection&&) = delete;
  ~AtomicSection();
  Result<void> end();

 private:
  friend class Volume;
  AtomicSection(std::unique_ptr<Section> section, std::shared_ptr<VolumeBody> volume);
  void finish();
  std::unique_ptr<Section> section_;
  std::shared_ptr<VolumeBody> volume_;
};

class Volume {
 public:
  // An image file or a block device.  Nobody else may have it open to write, nor the kernel use it
  // (kInUse); several may read it.  A log that is not empty is replayed, and orphans are finished
  // with, as Linux does. Errors: kNotFound, kIo; kUnsupported, by name; kCorrupt, kChecksum.
  static Result<Volume> open(const std::string& path, const VolumeOptions& options = {});
  // On a device of the caller's, with his clocks; all of them outlive the volume.
  static Result<Volume> open(BlockDevice& device, const Clock& clock, const WallClock& wall_clock,
                             const VolumeOptions& options = {});
  Volume(Volume&&) noexcept;
  Volume& operator=(Volume&&) noexcept;
  // Without close(): as if the power was cut now.
  ~Volume();
  // Makes everything durable and leaves the file system clean.  Files that are open are closed.
  Result<void> close();

  // ---- durability
  Result<void> commit();
  // At most `blocks` blocks (of space().block_bytes) may be changed until it ends; 0: as many as
  // one transaction of this volume can hold beside others.
  Result<AtomicSection> begin_section(std::uint32_t blocks = 0);
  // A write of at most so many bytes is atomic.
  std::uint64_t write_bytes_max() const;

  // ---- files
  Result<File> open_file(std::string_view path, const OpenWords& words = {});
  // The whole content, at once: a new file, or the new content of an old one, in place.
  Result<void> write_file(std::string_view path, Bytes content, std::uint32_t mode = 0644);
  // Errors: also kLimit: longer than `bytes_max`.
  Result<std::vector<std::uint8_t>> read_file(std::string_view path,
                                              std::uint64_t bytes_max = std::uint64_t{1} << 30);

  // ---- names
  Result<void> make_directory(std::string_view path, std::uint32_t mode = 0755);
  Result<void> make_symlink(std::string_view path, std::string_view target);
  Result<void> make_node(std::string_view path, FileKind kind, std::uint32_t mode,
                         std::uint32_t major = 0, std::uint32_t minor = 0);
  Result<void> make_link(std::string_view existing, std::string_view path);
  Result<void> remove(std::string_view path);            // not a directory
  Result<void> remove_directory(std::string_view path);  // an empty one
  Result<void> rename(std::string_view from, std::string_view to, Rename how = Rename::kReplace);
  Result<std::string> read_symlink(std::string_view path) const;
  // Every entry but "." and ".." until `visit` returns false.
  Result<void> list(std::string_view path,
                    const std::function<bool(const ListedEntry&)>& visit) const;

  // ---- what is known of them (a last symlink is not followed)
  Result<FileStatus> status(std::string_view path) const;
  Result<void> set_mode(std::string_view path, std::uint32_t mode);
  Result<void> set_owner(std::string_view path, std::optional<std::uint32_t> uid,
                         std::optional<std::uint32_t> gid);
  Result<void> set_times(std::string_view path, std::optional<Time> accessed,
                         std::optional<Time> modified);
  // Names as getfattr shows them: "user.mime".
  Result<std::vector<std::uint8_t>> attribute(std::string_view path, std::string_view name) const;
  Result<void> set_attribute(std::string_view path, std::string_view name, Bytes value);
  Result<void> remove_attribute(std::string_view path, std::string_view name);
  Result<std::vector<std::string>> attributes(std::string_view path) const;

  Space space() const;

 private:
  explicit Volume(std::shared_ptr<VolumeBody> body) : body_(std::move(body)) {}
  std::shared_ptr<VolumeBody> body_;
};

}  // namespace powercut::fs
