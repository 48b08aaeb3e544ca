// Archives, by libarchive: Debian packages and xz files in, a cpio for the kernel out.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace powercut {

// Unpacks from a .deb those plain files for which `wanted(path)` (path without a leading "./" or "/")
// into `into`, with their folders.  Paths that leave `into` are refused (kCorrupt); more than
// `bytes_max` in all is kLimit.  Symlinks and special files are passed over.
Result<void> unpack_deb(const std::filesystem::path& deb, const std::filesystem::path& into,
                        const std::function<bool(std::string_view path)>& wanted,
                        std::uint64_t bytes_max);

// The content of a plain, .xz, .gz or .zst file.  Errors: kLimit past `bytes_max`, kCorrupt, kIo.
Result<std::string> read_compressed_file(const std::filesystem::path& path,
                                         std::uint64_t bytes_max);

// A cpio (newc) archive as the kernel unpacks it into its first file system.  Owner root, time 0, so
// that equal content gives equal bytes.  Parent folders are added by themselves.
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
  // Ends the archive and gives its bytes.
  Result<std::vector<std::uint8_t>> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace powercut
