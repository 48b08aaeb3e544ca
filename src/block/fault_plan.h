// Errors on purpose: which requests to a disk fail.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/prng.h"

namespace powercut {

enum class DiskOperation : std::uint8_t {
  kRead,
  kWrite,
  kFlush
};  // zeroing and discard are writes

struct Fault {
  DiskOperation on = DiskOperation::kWrite;
  std::uint64_t at = 1;    // the first of its kind is 1
  bool is_sticky = false;  // and all of its kind after it
};

struct FaultPlan {
  std::vector<Fault> faults = {};
  // Of a million of each kind, so many fail, by chance.
  std::uint32_t reads_per_million = 0;
  std::uint32_t writes_per_million = 0;
  std::uint32_t flushes_per_million = 0;
};

// Counts the requests against a plan.  Threads: one caller at a time.
class FaultCounter {
 public:
  explicit FaultCounter(FaultPlan plan) : plan_(std::move(plan)) {}
  // Counts one request; whether it fails.  `prng` is drawn from only if the plan has a chance.
  bool strikes(DiskOperation operation, Prng& prng);
  std::uint64_t struck_count() const { return struck_count_; }

 private:
  const FaultPlan plan_;
  std::array<std::uint64_t, 3> counts_{};  // by operation
  std::uint64_t struck_count_ = 0;
};

}  // namespace powercut
