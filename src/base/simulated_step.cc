#include "base/simulated_step.h"

#include <cstring>

namespace powercut::detail {

const char* step_kind_name(StepKind kind) noexcept {
  switch (kind) {
    case StepKind::kBegin: return "begin";
    case StepKind::kEnd: return "end";
    case StepKind::kLock: return "lock";
    case StepKind::kQueue: return "queue";
    case StepKind::kLockShared: return "lock_shared";
    case StepKind::kUnlock: return "unlock";
    case StepKind::kUnlockShared: return "unlock_shared";
    case StepKind::kWait: return "wait";
    case StepKind::kWake: return "wake";
    case StepKind::kNotifyAll: return "notify_all";
    case StepKind::kNotifyOne: return "notify_one";
    case StepKind::kSpawn: return "spawn";
    case StepKind::kJoin: return "join";
    case StepKind::kPoint: return "point";
    case StepKind::kChoice: return "choice";
    case StepKind::kSleep: return "sleep";
    case StepKind::kTime: return "time";
  }
  return "no step";
}

std::uint64_t mixed(std::uint64_t hash, const char* text) noexcept {
  std::size_t left = std::strlen(text);
  hash ^= left;
  while (left > 0) {
    std::uint64_t word = 0;
    const std::size_t count = left < sizeof(word) ? left : sizeof(word);
    std::memcpy(&word, text, count);
    hash = mixed(hash, word);
    text += count;
    left -= count;
  }
  return hash;
}

std::uint64_t step_hash(const Step& step) noexcept {
  std::uint64_t hash = static_cast<std::uint64_t>(step.kind);
  if (step.kind == StepKind::kPoint || step.kind == StepKind::kChoice) {
    hash = mixed(hash, step.name);
    for (const std::uint64_t argument : step.arguments) hash = mixed(hash, argument);
  }
  return hash;
}

void StepTrace::add(const StepTaken& taken) {
  ++count_;
  const std::uint64_t who = std::uint64_t{taken.step.object} << 32 | taken.step.second;
  hash_ = mixed(mixed(mixed(hash_, step_hash(taken.step)), who),
                static_cast<std::uint64_t>(taken.when.count()) << 16 ^ taken.task);
  if (kept_.size() < kept_max_) {
    kept_.push_back(taken);
  } else if (kept_max_ > 0) {
    kept_[oldest_] = taken;
    oldest_ = (oldest_ + 1) % kept_max_;
  }
}

}  // namespace powercut::detail
