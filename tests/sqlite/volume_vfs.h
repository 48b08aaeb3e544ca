// SQLite's files in a Volume: a VFS for one process with one connection.
//
// Its locks are none, since nobody else has the volume; its xSync is File::sync().  With
// synchronous=OFF SQLite calls none: what a power cut leaves is then whatever order the file system
// keeps, and Powercut keeps the order in which SQLite wrote.
// Threads: one.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>

#include "powercut/volume.h"

namespace powercut::sqlite_testing {

class VolumeVfs {
 public:
  // Registers it under that name.  `volume` must outlive it, and it the connections.
  VolumeVfs(fs::Volume& volume, const char* name);
  ~VolumeVfs();
  VolumeVfs(const VolumeVfs&) = delete;
  VolumeVfs& operator=(const VolumeVfs&) = delete;

  fs::Volume& volume() { return volume_; }
  std::uint64_t& sync_count() { return sync_count_; }

 private:
  fs::Volume& volume_;
  const std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::uint64_t sync_count_ = 0;
};

}  // namespace powercut::sqlite_testing
