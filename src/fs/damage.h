// Damage that is met while a file system is mounted: what is stored is not what it should be.
//
// Whoever finds it refuses what was asked, with the error that names the thing, and notes it here
// on the way; the mount marks the file system as in need of a check (EXT4_ERROR_FS), with the first
// and the last of it, in the next transaction and at the end (mount.h), as Linux does with
// errors=continue.
//
// Threads: any.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/sync.h"

namespace powercut::fs {

class DamageNotes {
 public:
  // Errors that are no damage are not noted.
  void note(const Error& error) EXCLUDES(mutex_);
  struct Summary {
    std::uint64_t count = 0;
    std::optional<Error> first, last;
  };
  Summary summary() const EXCLUDES(mutex_);

 private:
  mutable Mutex mutex_{LockRank::kDamage};
  Summary summary_ GUARDED_BY(mutex_);
};

inline bool is_damage(const Error& error) {
  return error.code == Errc::kCorrupt || error.code == Errc::kChecksum;
}

}  // namespace powercut::fs
