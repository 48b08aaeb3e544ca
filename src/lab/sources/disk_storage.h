// What a served disk is kept on, and the file system that is made on it before it is served.
//
// Storage is memory while the disk fits into a quarter of this machine's, else a sparse file in the
// working folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "host/file.h"
#include "lab/record/request.h"

namespace powercut::lab {

// What all doors of a disk have in common.
struct DiskOptions {
  std::filesystem::path folder;  // for sockets and, if need be, the storage
  std::uint64_t size_bytes = std::uint64_t{1} << 30;
  bool has_file_system = true;  // made by mke2fs; else the disk is empty
  std::uint32_t journal_mib = 64;
  // The journal is a device of its own, behind the file system's: `size_bytes` is the latter's.
  // For root: mke2fs wants devices.
  bool has_external_journal = false;
  std::vector<std::string> mkfs_options;  // after ours, so they win
  std::filesystem::path image;            // serve a copy of this instead of a fresh disk
  bool is_allocated = false;              // all of it at the start, not as it is written
  std::filesystem::path keep;             // where the image goes at the first finding
  std::filesystem::path record;           // a recording of all requests
  std::uint64_t record_bytes_max = std::uint64_t{4} << 30;
};

// Where the journal begins, if it is a device of its own.
DeviceSplit split_of(const DiskOptions& options);

// Errors: kNotFound: no mke2fs, no such image; kNoSpace, kLimit: no room for the disk; kIo.
Result<File> make_storage(const DiskOptions& options);

// Makes the file system; `storage` is opened by its descriptor.  Also for images that are not
// served.
Result<void> make_file_system(const File& storage, std::uint32_t journal_mib,
                              const std::vector<std::string>& more_options);

}  // namespace powercut::lab
