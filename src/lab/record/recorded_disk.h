// A disk that gives its requests one order and tells observers of each.
//
// Invariants
//   1. Submissions are numbered without a gap; a completion follows its submission.
//   2. Observers see one order: calls never overlap, and that order is the order in which the
//      content of the disk changes.
//   3. A request that fails is submitted and never completed; its effect on the content is
//      undefined.
// Threads: any number of callers; the order is kept by one lock.
#pragma once

#include <vector>

#include "base/sync.h"
#include "lab/record/request.h"

namespace powercut::lab {

class RecordedDisk {
 public:
  // References must outlive the disk; observers are called in the order given.
  RecordedDisk(BlockDevice& disk, const Clock& clock, std::vector<DiskObserver*> observers)
      : disk_(disk),
        size_bytes_(disk.size_bytes()),
        clock_(clock),
        observers_(std::move(observers)) {}

  std::uint64_t size_bytes() const { return size_bytes_; }
  Result<void> read(std::uint64_t offset, MutableBytes into) const EXCLUDES(mutex_);
  Result<void> write(std::uint64_t offset, Bytes from, Durability durability) EXCLUDES(mutex_);
  Result<void> write_zeroes(std::uint64_t offset, std::uint64_t length, Durability durability)
      EXCLUDES(mutex_);
  Result<void> discard(std::uint64_t offset, std::uint64_t length) EXCLUDES(mutex_);
  Result<void> flush() EXCLUDES(mutex_);
  // The two moments of a request apart, for who has several under way at once: submit() numbers it
  // and tells the observers, complete() does it and tells them.  The data is the caller's until
  // then.
  void submit(Request& request) EXCLUDES(mutex_);
  Result<void> complete(const Request& request) EXCLUDES(mutex_);
  void power_cycle() EXCLUDES(mutex_);
  // Puts a mark behind all requests that were completed by now.  Errors: kInvalid: longer than
  // kMarkBytesMax.
  Result<void> mark(std::string_view text) EXCLUDES(mutex_);
  // Requests that failed, and the error of the first.
  struct Failures {
    std::uint64_t count = 0;
    Error first;
  };
  Failures failures() const EXCLUDES(mutex_) {
    const Lock lock(mutex_);
    return failures_;
  }
  // Runs `look` while no request is under way: what observers keep can be read then.
  template <class Look>
  void while_still(Look look) const EXCLUDES(mutex_) {
    const Lock lock(mutex_);
    look();
  }

 private:
  Result<void> pass(Request request) EXCLUDES(mutex_);
  Result<void> apply(const Request& request) REQUIRES(mutex_);

  mutable Mutex mutex_{LockRank::kRecorder};
  BlockDevice& disk_ GUARDED_BY(mutex_);
  const std::uint64_t size_bytes_;
  const Clock& clock_;
  const std::vector<DiskObserver*> observers_;
  std::uint64_t submitted_count_ GUARDED_BY(mutex_) = 0;
  Failures failures_ GUARDED_BY(mutex_);
};

}  // namespace powercut::lab
