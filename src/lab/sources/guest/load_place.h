// What the threads of a workload share, and what each has of its own: a folder, random numbers, a
// way to put marks.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.h"
#include "lab/promise/promise.h"
#include "lab/sources/guest/load_system.h"
#include "lab/sources/guest/load_words.h"
#include "lab/sources/guest/workload.h"

namespace powercut::lab {

struct LoadShared {
  const WorkloadOptions& options;
  const Clock& clock;
  const WordCode code;
  LoadSystem& system;
  Nanoseconds deadline{0};
  std::atomic<std::uint32_t> next_file{0};
  std::atomic<std::uint64_t> operations{0}, syncs{0}, mark_count{0}, words_checked{0};
  std::atomic<bool> is_over{false};
};

// One thread's folder, open.  Not to be used by another thread.
class LoadPlace {
 public:
  // Makes the folder `name` in `parent`.  Errors: kExists, kIo, kNoSpace.
  static Result<LoadPlace> make(LoadShared& shared, const std::string& parent,
                                const std::string& name, const Prng& prng);
  LoadPlace(LoadPlace&& other) noexcept;
  LoadPlace& operator=(LoadPlace&&) = delete;
  ~LoadPlace();

  LoadShared& shared() const { return *shared_; }
  LoadSystem& system() const { return shared_->system; }
  int fd() const { return fd_; }
  InodeNo inode() const { return inode_; }
  const std::string& path() const { return path_; }
  Prng& prng() { return prng_; }
  // Whether an operation is to be followed by a sync.
  bool wants_sync() { return prng_.chance(shared_->options.sync_percent, 100); }
  // Whether there is time for one more operation, which it counts.
  bool goes_on();
  // fsync() of the folder itself: its names.
  Result<void> sync_names();

  // One mark with these clauses, which fit (CHECK).
  Result<void> mark(std::vector<Clause> clauses);
  // As many marks as it takes.
  Result<void> mark_all(const std::vector<Clause>& clauses);

  // Clauses that speak of this folder.
  NameClause name_is(const std::string& name, std::optional<std::uint32_t> file) const {
    return {inode_, file, name, false, false};
  }
  NameClause name_may_be(const std::string& name, std::optional<std::uint32_t> file) const {
    return {inode_, file, name, true, false};
  }
  NameClause name_may_be_anything(const std::string& name) const {
    return {inode_, std::nullopt, name, true, true};
  }

 private:
  LoadPlace(LoadShared& shared, std::string path, int fd, InodeNo inode, const Prng& prng)
      : shared_(&shared), path_(std::move(path)), fd_(fd), inode_(inode), prng_(prng) {}
  LoadShared* shared_;
  std::string path_;
  int fd_;
  InodeNo inode_;
  Prng prng_;
  std::uint64_t operation_count_ = 0;
};

// How the file system that holds `directory` treats data, by /proc.
DataMode find_data_mode(const std::string& directory);

}  // namespace powercut::lab
