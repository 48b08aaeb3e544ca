// An ext4 image opened: a file or a block device, or a partition of one; its journal, inside or on
// a device of its own; and the file system as its recovery would leave it.
//
// Words
//   as it lies    what is on the disk, the log not replayed
//   recovered     as the first mount would leave it, before it writes anything of its own
//   dirty         needs_recovery is set: the log counts.  Without it Linux discards what is in the
//                 log, so as it lies and recovered are the same.
//
// Nothing is written but through device(), and only if it was opened for that.
// Threads: const after open(); as safe as pread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "block/block_device.h"
#include "reader/volume.h"
#include "recovery/recovery.h"

namespace powercut::lab {

struct ImageOptions {
  std::filesystem::path path = {};
  std::uint64_t offset_bytes = 0;  // where the file system begins: a partition
  // The device of an external journal; empty: none was named.
  std::filesystem::path journal = {};
  RecoverAs recover_as = RecoverAs::kLinux;
  bool is_writable = false;
};

// A journal and what a recovery of it would do.
struct ImageJournal {
  JournalMap map;
  RecoveryPlan plan;  // with lists_fast_commits
  bool is_external = false;
};

class ImageFile {
 public:
  // Errors: kNotFound, kIo: the file; kInUse: opened for writing, while the kernel or another of us
  // has it; kInvalid: an offset past its end; as Volume::open (with a
  // partition table in the image: the offsets to try are in the detail).  Trouble with the journal
  // is no error here: see journal().
  static Result<ImageFile> open(const ImageOptions& options);
  ImageFile(ImageFile&&) noexcept;
  ImageFile& operator=(ImageFile&&) noexcept;
  ~ImageFile();

  const ImageOptions& options() const;
  // The file system's device, the external journal's blocks behind it.  Writes fail (kReadOnly)
  // unless the image was opened for them.
  BlockDevice& device() const;
  // As it lies.
  const Volume& volume_as_it_lies() const;
  bool is_dirty() const;
  // The journal.  Errors: kNotFound: the file system has none, or an external one that was not
  // named (then the detail says so); else what plan_recovery() says.
  const Result<ImageJournal>& journal() const;
  // Recovered.  Errors: those of journal() if the image is dirty; kUnsupported: fast commits that
  // would have to be replayed; what Volume::open says of the recovered superblock.
  Result<const Volume*> volume() const;
  // The view that volume() lies on: `device()` itself where nothing is replayed.
  const BlockView& view() const;

 private:
  struct Parts;
  explicit ImageFile(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace powercut::lab
