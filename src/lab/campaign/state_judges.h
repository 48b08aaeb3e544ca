// The judges of recovered states, by their names.
#pragma once

#include <memory>
#include <vector>

#include "lab/check/state_judge.h"

namespace powercut::lab {

class StateJudges {
 public:
  // Names of judges that look at something else than recovered states are passed over.
  explicit StateJudges(const std::vector<JudgeName>& names);
  std::vector<StateJudge*> all() const;

 private:
  std::vector<std::unique_ptr<StateJudge>> judges_;
};

}  // namespace powercut::lab
