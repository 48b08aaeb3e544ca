#include "lab/sources/guest/hot_store.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lab/sources/guest/load_words.h"

namespace powercut::lab {
namespace {

constexpr std::size_t kHotPageBytes = 4096;
constexpr std::size_t kStoresBetweenLooks = 64;  // at the clock, while dwelling
using Word = std::uint64_t;

// One file of the load, mapped shared and writable; unmapped at the end.
class HotFile {
 public:
  static Result<HotFile> make(const std::string& path, std::uint32_t page_count);
  HotFile(HotFile&& other) noexcept
      : words_(std::exchange(other.words_, nullptr)), page_count_(other.page_count_) {}
  HotFile& operator=(HotFile&&) = delete;
  ~HotFile() {
    if (words_ != nullptr) ::munmap(words_, std::size_t{page_count_} * kHotPageBytes);
  }
  std::uint32_t page_count() const { return page_count_; }
  volatile Word* page(std::uint32_t index) const {
    return words_ + std::size_t{index} * (kHotPageBytes / sizeof(Word));
  }

 private:
  HotFile(Word* words, std::uint32_t page_count) : words_(words), page_count_(page_count) {}
  Word* words_;
  std::uint32_t page_count_;
};

// Gives every page its blocks, and waits until they are on the disk.
Result<void> allocate(int fd, const std::string& path, std::uint32_t page_count) {
  const std::vector<std::uint8_t> page(kHotPageBytes, 0x5A);
  for (std::uint32_t i = 0; i < page_count; ++i) {
    const ssize_t written = ::write(fd, page.data(), page.size());
    if (written < 0) return load_failure("hot-store: write", path, errno);
    if (static_cast<std::size_t>(written) != page.size()) {
      return load_failure("hot-store: short write", path, ENOSPC);
    }
  }
  if (::fsync(fd) != 0) return load_failure("hot-store: fsync", path, errno);
  return {};
}

Result<HotFile> HotFile::make(const std::string& path, std::uint32_t page_count) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return load_failure("hot-store: create", path, errno);
  const auto allocated = allocate(fd, path, page_count);
  void* memory = MAP_FAILED;
  int os_error = 0;
  if (allocated) {
    memory = ::mmap(nullptr, std::size_t{page_count} * kHotPageBytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED, fd, 0);
    os_error = errno;
  }
  ::close(fd);
  if (!allocated) return Failure{allocated.error()};
  if (memory == MAP_FAILED) return load_failure("hot-store: mmap", path, os_error);
  return HotFile(static_cast<Word*>(memory), page_count);
}

struct Shared {
  const HotStoreOptions& options;
  const Clock& clock;
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> page_visits{0};
  std::atomic<std::uint64_t> syncs{0};
};

void dwell_on(volatile Word* page, Word& value, Shared& shared) {
  constexpr std::size_t kStride = kHotPageBytes / sizeof(Word) / kStoresBetweenLooks;
  const Nanoseconds end = shared.clock.now() + shared.options.dwell;
  do {
    for (std::size_t i = 0; i < kStoresBetweenLooks; ++i) page[i * kStride] = ++value;
  } while (shared.clock.now() < end && !shared.is_over.load(std::memory_order_relaxed));
}

void store_along(const HotFile& file, Word value, Shared& shared) {
  while (!shared.is_over.load(std::memory_order_relaxed)) {
    for (std::uint32_t i = 0; i < file.page_count(); ++i) {
      if (shared.is_over.load(std::memory_order_relaxed)) return;
      dwell_on(file.page(i), value, shared);
      shared.page_visits.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

void sync_along(Shared& shared) {
  while (!shared.is_over.load(std::memory_order_relaxed)) {
    ::sync();
    shared.syncs.fetch_add(1, std::memory_order_relaxed);
  }
}

Result<void> take_number(const std::string& option, const std::string& word,
                         HotStoreOptions& options) {
  if (option == "--files") {
    options.file_count = static_cast<unsigned>(
        TRY(parse_count("hot-store: not a number of its range", word, 1, 256)));
  } else if (option == "--pages") {
    options.page_count = static_cast<std::uint32_t>(
        TRY(parse_count("hot-store: not a number of its range", word, 1, 1U << 20)));
  } else if (option == "--dwell-us") {
    const std::uint64_t count =
        TRY(parse_count("hot-store: not a number of its range", word, 0, 10'000'000));
    options.dwell = std::chrono::microseconds(static_cast<std::int64_t>(count));
  } else if (option == "--seconds") {
    const std::uint64_t count =
        TRY(parse_count("hot-store: not a number of its range", word, 1, 86'400));
    options.duration = std::chrono::seconds(static_cast<std::int64_t>(count));
  } else {
    return fail_with(Errc::kInvalid, "hot-store: unknown option", option);
  }
  return {};
}

}  // namespace

Result<HotStoreOptions> parse_hot_store(const std::vector<std::string>& words) {
  HotStoreOptions options;
  std::vector<std::string> directories;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--sync" || word == "--no-sync") {
      options.does_sync = word == "--sync";
    } else if (word.starts_with("--")) {
      if (i + 1 == words.size()) return fail_with(Errc::kInvalid, "hot-store: no value for", word);
      TRY(take_number(word, words[++i], options));
    } else {
      directories.push_back(word);
    }
  }
  if (directories.size() != 1 || directories.front().empty()) {
    return fail_with(Errc::kInvalid, "hot-store: exactly one directory is wanted", kHotStoreUsage);
  }
  options.directory = directories.front();
  return options;
}

Result<HotStoreTally> run_hot_store(const HotStoreOptions& options, const Clock& clock) {
  std::vector<HotFile> files;
  files.reserve(options.file_count);
  for (unsigned i = 0; i < options.file_count; ++i) {
    const std::string path = options.directory + "/hot-" + std::to_string(i);
    files.push_back(TRY(HotFile::make(path, options.page_count)));
  }
  // fsync left the pages dirty towards their home blocks; the race wants them without a mark.
  ::sync();

  Shared shared{.options = options, .clock = clock};
  {
    std::vector<std::jthread> threads;
    threads.reserve(files.size() + 1);
    for (std::size_t i = 0; i < files.size(); ++i) {
      threads.emplace_back(
          [&shared, &file = files[i], i] { store_along(file, Word{i} << 56, shared); });
    }
    if (options.does_sync) threads.emplace_back([&shared] { sync_along(shared); });
    const Nanoseconds end = clock.now() + options.duration;
    for (Nanoseconds now = clock.now(); now < end; now = clock.now()) {
      std::this_thread::sleep_for(std::min<Nanoseconds>(end - now, std::chrono::milliseconds(50)));
    }
    shared.is_over.store(true);
  }
  return HotStoreTally{.page_visits = shared.page_visits.load(), .syncs = shared.syncs.load()};
}

int hot_store_main(const std::vector<std::string>& words) {
  const auto options = parse_hot_store(words);
  if (!options) {
    say(STDERR_FILENO,
        error_words(options.error()) + "\nusage: " + std::string(kHotStoreUsage) + "\n");
    return 2;
  }
  const SteadyClock clock;
  const auto tally = run_hot_store(*options, clock);
  if (!tally) {
    say(STDERR_FILENO, error_words(tally.error()) + "\n");
    return 3;
  }
  say(STDOUT_FILENO, "hot-store: " + std::to_string(tally->page_visits) + " pages stored to, " +
                         std::to_string(tally->syncs) + " syncs\n");
  return 0;
}

}  // namespace powercut::lab
