// Serves a recorded disk to a virtual machine: storage, mke2fs, nbdkit with our plugin on a Unix
// socket, and the report of its judge.
//
// Nothing outlives the door: nbdkit dies with it, the folder is the caller's.
// Threads: one caller, the thread that lives as long as the door (see host/process.h).
#pragma once

#include "lab/sources/disk_server.h"
#include "lab/sources/disk_storage.h"

namespace powercut::lab {

inline constexpr const char* kMarksName = "marks.sock";  // in the run's folder

class DiskDoor : public DiskServer {
 public:
  // Errors: kNotFound: mke2fs, nbdkit or the plugin is not here (what to install is in the detail);
  // kNoSpace, kLimit: no room for the disk; kIo: one of them failed (its last words in the detail).
  static Result<DiskDoor> open(const DiskOptions& options);

  const std::filesystem::path& socket() const { return socket_; }
  // Where a load puts its marks (mark_door.h).
  const std::filesystem::path& marks() const { return marks_; }

 private:
  DiskDoor(File storage, std::filesystem::path socket, DiskServer server)
      : DiskServer(std::move(server)),
        storage_(std::move(storage)),
        socket_(std::move(socket)),
        marks_(socket_.parent_path() / kMarksName) {}

  File storage_;
  std::filesystem::path socket_, marks_;
};

}  // namespace powercut::lab
