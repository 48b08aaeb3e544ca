#include "host/lock_holder.h"

#include <charconv>
#include <cstdio>
#include <vector>

#include <sys/sysmacros.h>
#include <unistd.h>

#include "host/file.h"

namespace powercut {
namespace {

constexpr std::uint64_t kLockTableMax = std::uint64_t{16} << 20;

// A line is "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; those that wait for a lock have "->"
// behind the number.
struct LockLine {
  char kind[16] = "", mode[16] = "";
  int process = 0;
  unsigned major = 0, minor = 0;
  unsigned long long inode = 0;
};

std::optional<LockLine> parsed(const std::string& line) {
  LockLine lock;
  const int count = std::sscanf(line.c_str(), "%*d: %15s %*s %15s %d %x:%x:%llu", lock.kind,
                                lock.mode, &lock.process, &lock.major, &lock.minor, &lock.inode);
  constexpr int kFields = 6;
  if (count != kFields) return std::nullopt;
  return lock;
}

std::string process_words(pid_t process, const SystemFolders& system) {
  if (process <= 0) return "a process of another container";
  if (process == ::getpid()) return "this process itself";
  const std::string number = std::to_string(process);
  auto name = read_text_file(system.proc / number / "comm", kLockTableMax);
  if (!name) return "a child of process " + number + ", which has ended";
  while (!name->empty() && name->back() == '\n') name->pop_back();
  return "process " + number + " (" + *name + ")";
}

}  // namespace

std::optional<LockHolder> lock_holder(const struct stat& file, const SystemFolders& system) {
  const auto table = read_text_file(system.proc / "locks", kLockTableMax);
  std::optional<LockHolder> holder;
  for (std::size_t at = 0; table && at < table->size();) {
    const std::size_t end = std::min(table->find('\n', at), table->size());
    const auto lock = parsed(table->substr(at, end - at));
    at = end + 1;
    if (!lock || std::string_view(lock->kind) != "FLOCK") continue;
    if (lock->major != major(file.st_dev) || lock->minor != minor(file.st_dev)) continue;
    if (lock->inode != file.st_ino) continue;
    const bool is_writer = std::string_view(lock->mode) == "WRITE";
    if (holder && !is_writer) continue;
    holder = LockHolder{lock->process, is_writer, process_words(lock->process, system)};
  }
  return holder;
}

}  // namespace powercut
