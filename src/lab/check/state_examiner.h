// A judge that looks at single crash states with the eyes of somebody else: the kernel's, e2fsck's,
// a program's of the user.  Milliseconds a state, so whoever explores gives it a sample and says
// how large a part that was.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "block/block_device.h"
#include "lab/check/check_finding.h"

namespace powercut::lab {

struct ExaminedState {
  const BlockView& crashed;            // the disk as the power cut left it
  const BlockView* recovered;          // as our recovery leaves it; null if that refuses
  std::span<const std::string> marks;  // all that the load had said by then
  // The blocks in which `recovered` may differ from `crashed`, ascending; without it, any may.
  std::optional<std::span<const BlockNo>> changed{};
};

class StateExaminer {
 public:
  virtual ~StateExaminer() = default;
  virtual JudgeName name() const = 0;
  // What is wrong with the state.  Errors: the environment's: kIo, kNoSpace, kTimeout, kNotFound,
  // kAborted (interrupted).
  virtual Result<std::vector<CheckFinding>> examine(const ExaminedState& state) = 0;
};

}  // namespace powercut::lab
