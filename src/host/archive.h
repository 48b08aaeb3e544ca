// Archives, by libarchive: Debian packages and xz files in, a cpio for the kernel out.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace powercut {

// Unpacks from a .deb those plain files for which `wanted(path)` (path without a leading "./" or
// "/") into `into`, with their folders.  Paths that leave `into` are refused (kCorrupt); more than
// `bytes_max` in all is kLimit.  Symlinks and special files are passed over; a wanted hard link
// needs its target wanted too (else kUnsupported).  What is there already is replaced, links in
// `into` are not followed.
Result<void> unpack_deb(const std::filesystem::path& deb, const std::filesystem::path& into,
                        const std::function<bool(std::string_view path)>& wanted,
                        std::uint64_t bytes_max);

// The content of a plain, .xz, .gz or .zst file.  Errors: kLimit past `bytes_max`, kCorrupt, kIo.
Result<std::string> read_compressed_file(const std::filesystem::path& path,
                                         std::uint64_t bytes_max);

// A cpio (newc) archive as the kernel unpacks it into its first file system.  Owner root, time 0,
// so that equal content gives equal bytes.  Parent folders are added by themselves.  A second file
// of one path replaces the first.
class CpioWriter {
 public:
  CpioWriter();
  ~CpioWriter();
  CpioWriter(const CpioWriter&) = delete;
  CpioWriter& operator=(const CpioWriter&) = delete;
  void add_file(std::string_view path, Bytes content, unsigned mode);
  Result<void> add_file_from(std::string_view path, const std::filesystem::path& source,
                             unsigned mode);
  void add_symlink(std::string_view path, std::string_view target);
  void add_directory(std::string_view path);
  void add_character_device(std::string_view path, unsigned major, unsigned minor);
  bool has(std::string_view path) const;
  // The bytes of the archive.  Errors: kInvalid: the first add with a path that is none (empty,
  // with a part that is empty, . or ..), or that was a file and a folder; kLimit: a file too long
  // for cpio.
  Result<std::vector<std::uint8_t>> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace powercut
