// Serves a recorded disk to the kernel we run on: storage, mke2fs, and a process of ours that is a
// FUSE file system of one file.
//
// The file system is mounted nowhere (host/fuse_mount.h); who holds its root can open the disk and
// put a loop device on it.
// Nothing outlives the disk: its process dies with us, and a file system whose server is gone
// answers with errors.  Threads: as disk_server.h.
#pragma once

#include "lab/sources/disk_server.h"
#include "lab/sources/disk_storage.h"

namespace powercut::lab {

struct HostDiskOptions : DiskOptions {
  Nanoseconds write_delay{0};   // from a write's coming in to its completion
  std::filesystem::path marks;  // a socket for the load's marks
  bool is_judged = true;        // else no commit is checked: to measure what the check costs
};

class HostDisk : public DiskServer {
 public:
  // `program` is powercut itself, to be started again as the disk's process.
  // Errors: kNotFound: mke2fs or /dev/fuse is not here; kUnsupported, kNoSpace, kLimit, kIo.
  static Result<HostDisk> open(const HostDiskOptions& options,
                               const std::filesystem::path& program);

  // The root of the file system; its one file is FuseFile::kName.
  int root() const { return root_.get(); }
  // Once somebody else holds it: the disk's process then ends when they let go.
  void release_root() { root_.reset(); }

 private:
  HostDisk(File storage, Fd root, DiskServer server)
      : DiskServer(std::move(server)), storage_(std::move(storage)), root_(std::move(root)) {}

  File storage_;
  Fd root_;
};

// What the disk's process is started as, and what it does: serves until nobody holds the file
// system, or SIGTERM.  `words` are those that open() gave it.
inline constexpr const char* kHostDiskWord = "part-disk";
Result<void> serve_host_disk(const std::vector<std::string>& words);

}  // namespace powercut::lab
