// What this machine is, and what the user wants right now.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"
#include "host/file.h"

namespace powercut {

std::uint64_t memory_bytes();
unsigned processor_count();
std::string architecture();  // "x86_64"
bool is_root();
bool is_terminal(int fd);
std::uint64_t free_disk_bytes(const std::filesystem::path& directory);  // 0 if unknown

// A variable of the environment; empty if there is none.
std::string environment_value(const char* name);

// The folder of the program that runs; empty if it cannot be told.
std::filesystem::path program_directory();

// $XDG_CACHE_HOME/powercut, else ~/.cache/powercut; made if absent.
Result<std::filesystem::path> cache_directory();

// From now on the first SIGINT, SIGTERM or SIGHUP sets a flag (the second SIGINT ends us the hard
// way).  Call once, from the main thread, before any child.
void catch_interrupts();
bool was_interrupted() noexcept;

// A folder under $TMPDIR (or /tmp) that goes away with us: at the destructor, or, after a kill -9,
// at the next make() of any powercut (a folder whose lock nobody holds is old).
class TempDirectory {
 public:
  static Result<TempDirectory> make(std::string_view purpose);
  TempDirectory(TempDirectory&&) noexcept = default;
  TempDirectory& operator=(TempDirectory&&) noexcept;
  ~TempDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  TempDirectory(std::filesystem::path path, Fd lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  Fd lock_;
};

}  // namespace powercut
