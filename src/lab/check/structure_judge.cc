#include "lab/check/structure_judge.h"

#include "lab/check/structure_state.h"

namespace powercut::lab {

StructureJudge::StructureJudge() = default;
StructureJudge::~StructureJudge() = default;

void StructureJudge::begin(const StateImage& image) {
  state_ = std::make_unique<StructureState>(image);
}

// What the block held is known; contents are compared when it is settled.
void StructureJudge::change(BlockNo block, ContentId /*from*/, ContentId /*to*/) {
  CHECK(state_ != nullptr, "a judge that has begun");
  state_->change(block);
}

bool StructureJudge::settle() {
  CHECK(state_ != nullptr, "a judge that has begun");
  return state_->settle();
}

std::vector<CheckFinding> StructureJudge::findings(std::size_t max) const {
  CHECK(state_ != nullptr, "a judge that has begun");
  return state_->findings(max);
}

}  // namespace powercut::lab
