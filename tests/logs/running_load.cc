// Errors of the file system are left unheard: whatever the kernel did, its log is what counts.
#include "tests/logs/running_load.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/stored_int.h"
#include "format/jbd2.h"

namespace powercut::testing {
namespace {

constexpr std::uint64_t kFiles = 24, kDirectories = 4, kFileBytesMax = 40'000;

}  // namespace

std::filesystem::path RunningLoad::file() {
  return root_ / ("file-" + std::to_string(prng_.below(kFiles)));
}

void RunningLoad::write_file() {
  const auto path = file();
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  std::vector<std::uint8_t> content(1 + prng_.below(kFileBytesMax));
  prng_.fill(content);
  // Some blocks begin with the journal's magic and are escaped in the log.
  for (std::size_t at = 0; at + 4 <= content.size(); at += 4096) {
    const Be32 magic = kJournalMagic;
    if (prng_.chance(1, 6))
      std::ranges::copy(bytes_of(magic), content.begin() + static_cast<std::ptrdiff_t>(at));
  }
  const ssize_t written = ::write(fd, content.data(), content.size());
  ::close(fd);
  std::error_code ignored;
  if (written < 0) std::filesystem::resize_file(path, 0, ignored);  // full: make room
}

void RunningLoad::store_by_mapping() {
  const int fd = ::open(file().c_str(), O_RDWR | O_CLOEXEC);
  const off_t size = fd < 0 ? 0 : ::lseek(fd, 0, SEEK_END);
  if (size > 0) {
    void* at =
        ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) {
      const MutableBytes bytes(static_cast<std::uint8_t*>(at), static_cast<std::size_t>(size));
      for (std::size_t i = 0; i < bytes.size(); i += 4096) bytes[i] = 0xA5;
      ::munmap(at, bytes.size());
    }
  }
  if (fd >= 0) ::close(fd);
}

void RunningLoad::fill_directory() {
  std::error_code ignored;
  const auto folder = root_ / ("directory-" + std::to_string(prng_.below(kDirectories)));
  if (std::filesystem::exists(folder, ignored)) {
    std::filesystem::remove_all(folder, ignored);
    return;
  }
  std::filesystem::create_directories(folder / "inner", ignored);
  const std::string filler(60, 'n');
  for (std::uint64_t i = 0; i < 8 + prng_.below(12); ++i) {
    std::ofstream(folder / (filler + std::to_string(i))) << i;
  }
}

void RunningLoad::step() {
  std::error_code ignored;
  switch (prng_.below(8)) {
    case 0:
    case 1:
    case 2: return write_file();
    case 3: return store_by_mapping();
    case 4: return std::filesystem::rename(file(), file(), ignored);
    case 5: std::filesystem::remove(file(), ignored); return;
    case 6: return fill_directory();
    default: return std::filesystem::resize_file(file(), prng_.below(20'000), ignored);
  }
}

void RunningLoad::run(int steps) {
  for (int i = 0; i < steps; ++i) {
    step();
    if (prng_.chance(1, 5)) commit();
  }
}

void RunningLoad::commit() {
  const int fd = ::open((root_ / "synced").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const std::uint8_t byte = 1;
  if (::write(fd, &byte, 1) == 1) ::fsync(fd);
  ::close(fd);
}

}  // namespace powercut::testing
