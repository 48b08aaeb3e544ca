// What must not compile, one case for each macro; without any of them this file compiles.
#include "base/result.h"
#include "base/sync.h"
#include "base/units.h"

namespace powercut {

class Counter {
 public:
  int count() {
#ifndef READ_WITHOUT_LOCK
    const Lock lock(mutex_);
#endif
    return count_;
  }

 private:
  Mutex mutex_{LockRank::kDevice};
  int count_ GUARDED_BY(mutex_) = 0;
};

Result<void> fallible();

void caller() {
  Counter counter;
  ignore_error(Result<int>(counter.count()), "only compiled, never run");
#ifdef DROPPED_RESULT
  fallible();
#endif
#ifdef MIXED_UNITS
  const BlockNo block = FileBlock(1);
#else
  const BlockNo block = BlockNo(1);
#endif
  static_cast<void>(block);
}

}  // namespace powercut
