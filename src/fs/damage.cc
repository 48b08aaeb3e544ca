#include "fs/damage.h"

namespace powercut::fs {

void DamageNotes::note(const Error& error) {
  if (!is_damage(error)) return;
  Lock lock(mutex_);
  ++summary_.count;
  if (!summary_.first) summary_.first = error;
  summary_.last = error;
}

DamageNotes::Summary DamageNotes::summary() const {
  Lock lock(mutex_);
  return summary_;
}

}  // namespace powercut::fs
