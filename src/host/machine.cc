#include "host/machine.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <vector>

#include <pwd.h>
#include <sched.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace powercut {
namespace {

constexpr std::uint64_t kSmallFileBytes = 64 << 10;

std::atomic<int> interrupt_count{0};  // SIGINTs so far
std::atomic<bool> is_interrupted{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

// Async-signal-safe: two lock-free atomics, sigaction, raise.
extern "C" void note_interrupt(int signal) {
  is_interrupted.store(true, std::memory_order_relaxed);
  if (signal != SIGINT || interrupt_count.fetch_add(1, std::memory_order_relaxed) == 0) return;
  struct sigaction hard {};
  hard.sa_handler = SIG_DFL;
  ::sigaction(SIGINT, &hard, nullptr);
  ::raise(SIGINT);  // blocked here; ends us when the handler returns
}

std::optional<std::uint64_t> number_in(const std::filesystem::path& file) {
  const Result<std::string> text = read_text_file(file, kSmallFileBytes);
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  static_cast<void>(end);
  if (error != std::errc{}) return std::nullopt;  // "max": no limit
  return value;
}

// The path of our cgroup (v2) below /sys/fs/cgroup, without the leading slash.
std::optional<std::filesystem::path> own_cgroup() {
  const Result<std::string> text = read_text_file("/proc/self/cgroup", kSmallFileBytes);
  if (!text) return std::nullopt;
  const std::size_t line = text->rfind("0::/");
  if (line == std::string::npos || (line != 0 && (*text)[line - 1] != '\n')) return std::nullopt;
  const std::size_t first = line + 4;
  return std::filesystem::path(text->substr(first, text->find('\n', first) - first));
}

// The lowest memory limit on the way from our cgroup up to the root.
std::optional<std::uint64_t> cgroup_memory_max() {
  const auto group = own_cgroup();
  if (!group) return std::nullopt;
  std::filesystem::path folder = "/sys/fs/cgroup";
  std::optional<std::uint64_t> lowest = number_in(folder / "memory.max");
  for (const std::filesystem::path& part : *group) {
    folder /= part;
    const auto limit = number_in(folder / "memory.max");
    if (limit && (!lowest || *limit < *lowest)) lowest = limit;
  }
  return lowest;
}

// An absolute path from the environment; empty if unset or relative.
std::filesystem::path path_from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || value[0] != '/') return {};
  return value;
}

std::filesystem::path home_directory() {
  const std::filesystem::path home = path_from_environment("HOME");
  if (!home.empty()) return home;
  std::vector<char> buffer(std::size_t{16} << 10);
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0) return {};
  return found == nullptr ? std::filesystem::path{} : std::filesystem::path(found->pw_dir);
}

}  // namespace

std::uint64_t memory_bytes() {
  struct sysinfo info {};
  std::uint64_t total = 0;
  if (::sysinfo(&info) == 0) total = std::uint64_t{info.totalram} * info.mem_unit;
  const auto limit = cgroup_memory_max();
  return limit && *limit < total ? *limit : total;
}

unsigned processor_count() {
  cpu_set_t ours;
  CPU_ZERO(&ours);
  if (::sched_getaffinity(0, sizeof ours, &ours) == 0) {
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&ours)));
  }
  // More processors than the set has bits.
  return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

std::string architecture() {
  struct utsname names {};
  return ::uname(&names) == 0 ? names.machine : "unknown";
}

bool is_root() {
  return ::geteuid() == 0;
}

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

std::uint64_t free_disk_bytes(const std::filesystem::path& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0) return 0;
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

Result<std::filesystem::path> cache_directory() {
  std::filesystem::path base = path_from_environment("XDG_CACHE_HOME");
  if (base.empty()) {
    const std::filesystem::path home = home_directory();
    if (home.empty()) {
      return fail(Errc::kNotFound, "no folder for the cache: set HOME or XDG_CACHE_HOME");
    }
    base = home / ".cache";
  }
  const std::filesystem::path cache = base / "powercut";
  TRY(make_directories(cache));
  return cache;
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = &note_interrupt;
  action.sa_flags = SA_RESTART;  // poll() ends all the same, and it is where we wait
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    // What was ignored when we were started (nohup) stays ignored.
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
  }
}

bool was_interrupted() noexcept {
  return is_interrupted.load(std::memory_order_relaxed);
}

std::string environment_value(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::filesystem::path program_directory() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

}  // namespace powercut
