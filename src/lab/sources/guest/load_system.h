// The file system that a load runs on: the running kernel's, or (in tests) another that is to keep
// the same promises.  Files and folders that are open are numbers.
//
// Errors of all but make_folder() and mark(): kNoSpace, kNotFound, kExists, kIo, with what was
// tried and `name` in the detail.
// Threads: any; one file or folder is used by one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/units.h"

namespace powercut::lab {

class MarkClient;

enum class SyncWay : std::uint8_t { kFsync, kFdatasync };

class LoadSystem {
 public:
  struct Opened {
    int number = -1;
    InodeNo inode;
    std::uint32_t generation = 0;
  };
  virtual ~LoadSystem() = default;

  // Makes a folder and opens it.  Errors: kExists, kNotFound, kNoSpace, kIo.
  virtual Result<Opened> make_folder(const std::string& path) = 0;
  // A new file, open to be read and written.
  virtual Result<Opened> create(int folder, const std::string& name) = 0;
  virtual void close(int number) = 0;

  virtual Result<void> write(int file, std::uint64_t offset, Bytes from,
                             const std::string& name) = 0;
  // Fewer bytes than asked for only at the end of the file.
  virtual Result<std::size_t> read(int file, std::uint64_t offset, MutableBytes into,
                                   const std::string& name) = 0;
  virtual Result<std::uint64_t> size(int file, const std::string& name) = 0;
  virtual Result<void> truncate(int file, std::uint64_t size, const std::string& name) = 0;
  virtual Result<void> punch(int file, std::uint64_t offset, std::uint64_t length,
                             const std::string& name) = 0;
  // Room; the size stays.
  virtual Result<void> allocate(int file, std::uint64_t offset, std::uint64_t length,
                                const std::string& name) = 0;

  virtual Result<void> link(int folder, const std::string& from, const std::string& to) = 0;
  virtual Result<void> unlink(int folder, const std::string& name) = 0;
  virtual Result<void> rename(int folder, const std::string& from, const std::string& to) = 0;

  // Of a file or a folder.
  virtual Result<void> sync(int number, SyncWay way, const std::string& name) = 0;
  // Of all that is in the file system that holds the folder.
  virtual Result<void> sync_all(int folder, const std::string& name) = 0;

  // Whether marks are taken at all; else nothing is promised.
  virtual bool takes_marks() const = 0;
  // Puts a mark behind what was completed by now.  Errors: those of the way there.
  virtual Result<void> mark(std::string_view text) = 0;
};

// The running kernel's.  `marks` may be null, and must outlive it.
std::unique_ptr<LoadSystem> kernel_load_system(MarkClient* marks);

}  // namespace powercut::lab
