#include "lab/sources/guest/hot_cut.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "base/prng.h"
#include "lab/sources/guest/load_words.h"

namespace powercut::lab {
namespace {

constexpr std::uint32_t kCutPageBytes = 4096;

struct CutShared {
  explicit CutShared(const HotCutOptions& asked) : options(asked) {}

  const HotCutOptions& options;
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> cuts{0}, syncs{0};
};

class CutFile {
 public:
  static Result<CutFile> open(std::string path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return load_failure("hot-cut: create", path, errno);
    return CutFile(fd, std::move(path));
  }
  CutFile(CutFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  CutFile& operator=(CutFile&&) = delete;
  ~CutFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  Result<void> write(const std::vector<std::uint8_t>& bytes) const {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), 0);
    if (written < 0) return load_failure("hot-cut: write", path_, errno);
    if (static_cast<std::size_t>(written) != bytes.size()) {
      return load_failure("hot-cut: short write", path_, ENOSPC);
    }
    return {};
  }
  Result<void> cut(std::uint64_t size) const {
    if (::ftruncate(fd_, static_cast<off_t>(size)) == 0) return {};
    return load_failure("hot-cut: ftruncate", path_, errno);
  }
  Result<void> sync() const {
    if (::fsync(fd_) == 0) return {};
    return load_failure("hot-cut: fsync", path_, errno);
  }

 private:
  CutFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
};

// A size in the middle of one of the file's pages.
std::uint64_t cut_size(Prng& prng, std::uint32_t page_count) {
  return prng.below(page_count) * kCutPageBytes + 1 + prng.below(kCutPageBytes - 1);
}

Result<void> cut_along(unsigned number, CutShared& shared) {
  const HotCutOptions& options = shared.options;
  const CutFile file = TRY(CutFile::open(options.directory + "/cut-" + std::to_string(number)));
  std::vector<std::uint8_t> bytes(std::size_t{options.page_count} * kCutPageBytes);
  Prng prng(number);
  while (!shared.is_over.load(std::memory_order_relaxed)) {
    std::ranges::fill(bytes, static_cast<std::uint8_t>(1 + prng.below(255)));
    TRY(file.write(bytes));
    const auto most = static_cast<std::uint64_t>(options.wait.count());
    if (most != 0) {
      std::this_thread::sleep_for(Nanoseconds(static_cast<std::int64_t>(prng.below(most))));
    }
    TRY(file.cut(cut_size(prng, options.page_count)));
    shared.cuts.fetch_add(1, std::memory_order_relaxed);
  }
  return {};
}

Result<void> commit_along(CutShared& shared) {
  const CutFile file = TRY(CutFile::open(shared.options.directory + "/cut-sync"));
  std::vector<std::uint8_t> byte(1);
  while (!shared.is_over.load(std::memory_order_relaxed)) {
    ++byte[0];
    TRY(file.write(byte));
    TRY(file.sync());
    shared.syncs.fetch_add(1, std::memory_order_relaxed);
  }
  return {};
}

Result<void> take_cut_number(const std::string& option, const std::string& word,
                             HotCutOptions& options) {
  constexpr const char* kRule = "hot-cut: not a number of its range";
  if (option == "--files") {
    options.file_count = static_cast<unsigned>(TRY(parse_count(kRule, word, 1, 256)));
  } else if (option == "--pages") {
    options.page_count = static_cast<std::uint32_t>(TRY(parse_count(kRule, word, 1, 4096)));
  } else if (option == "--wait-us") {
    const std::uint64_t count = TRY(parse_count(kRule, word, 0, 10'000'000));
    options.wait = std::chrono::microseconds(static_cast<std::int64_t>(count));
  } else if (option == "--seconds") {
    const std::uint64_t count = TRY(parse_count(kRule, word, 1, 86'400));
    options.duration = std::chrono::seconds(static_cast<std::int64_t>(count));
  } else {
    return fail_with(Errc::kInvalid, "hot-cut: unknown option", option);
  }
  return {};
}

}  // namespace

Result<HotCutOptions> parse_hot_cut(const std::vector<std::string>& words) {
  HotCutOptions options;
  std::vector<std::string> directories;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with("--")) {
      directories.push_back(word);
      continue;
    }
    if (i + 1 == words.size()) return fail_with(Errc::kInvalid, "hot-cut: no value for", word);
    TRY(take_cut_number(word, words[++i], options));
  }
  if (directories.size() != 1 || directories.front().empty()) {
    return fail_with(Errc::kInvalid, "hot-cut: exactly one directory is wanted", kHotCutUsage);
  }
  options.directory = directories.front();
  return options;
}

Result<HotCutTally> run_hot_cut(const HotCutOptions& options, const Clock& clock) {
  CutShared shared(options);
  std::vector<std::optional<Error>> errors(options.file_count + 1);  // one a thread
  const auto guard = [&shared](std::optional<Error>& error, const Result<void>& done) {
    if (done) return;
    error = done.error();
    shared.is_over.store(true);
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < options.file_count; ++i) {
      threads.emplace_back([&, i] { guard(errors[i], cut_along(i, shared)); });
    }
    threads.emplace_back([&] { guard(errors.back(), commit_along(shared)); });
    const Nanoseconds end = clock.now() + options.duration;
    for (Nanoseconds now = clock.now(); now < end && !shared.is_over.load(); now = clock.now()) {
      std::this_thread::sleep_for(std::min<Nanoseconds>(end - now, std::chrono::milliseconds(50)));
    }
    shared.is_over.store(true);
  }
  for (const std::optional<Error>& error : errors) {
    if (error) return Failure{*error};
  }
  return HotCutTally{.cuts = shared.cuts.load(), .syncs = shared.syncs.load()};
}

int hot_cut_main(const std::vector<std::string>& words) {
  const auto options = parse_hot_cut(words);
  if (!options) {
    say(STDERR_FILENO,
        error_words(options.error()) + "\nusage: " + std::string(kHotCutUsage) + "\n");
    return 2;
  }
  const SteadyClock clock;
  const auto tally = run_hot_cut(*options, clock);
  if (!tally) {
    say(STDERR_FILENO, error_words(tally.error()) + "\n");
    return 3;
  }
  say(STDOUT_FILENO, "hot-cut: " + std::to_string(tally->cuts) + " cuts, " +
                         std::to_string(tally->syncs) + " syncs\n");
  return 0;
}

}  // namespace powercut::lab
