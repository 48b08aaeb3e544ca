// The `differential` judge: others recover the same state, and must come to the same end.
//
//   kernel   the kernel we run on mounts the state read-only, which replays its log, and unmounts
//   e2fsck   `e2fsck -fn` then looks at what the kernel left
//
// Compared are whether it mounts at all; and, where no orphans are to be cleaned up (which a mount
// does and our recovery leaves alone), every block outside the journal.  Of the superblock only
// what a mount does not change by itself is compared.
#pragma once

#include "lab/check/state_examiner.h"
#include "lab/check/state_stage.h"

namespace powercut::lab {

struct DifferentialCounts {
  std::uint64_t mount_count = 0;     // states that both recover
  std::uint64_t refusal_count = 0;   // states that both refuse
  std::uint64_t compared_count = 0;  // of the mounted ones, compared block by block
  std::uint64_t check_count = 0;     // given to e2fsck -fn
};

class DifferentialJudge final : public StateExaminer {
 public:
  struct Options {
    bool asks_e2fsck = true;
    Nanoseconds limit = std::chrono::seconds(60);  // for e2fsck
  };
  // `stage` must outlive the judge.
  explicit DifferentialJudge(StateStage& stage) : DifferentialJudge(stage, Options()) {}
  DifferentialJudge(StateStage& stage, const Options& options) : stage_(stage), options_(options) {}

  JudgeName name() const override { return JudgeName::kDifferential; }
  // Rules: "kernel-refuses" (we do not), "kernel-mounts" (we do not), "recovered-otherwise" (the
  // first block that differs), "e2fsck-objects".
  Result<std::vector<CheckFinding>> examine(const ExaminedState& state) override;
  const DifferentialCounts& counts() const { return counts_; }

 private:
  Result<void> compare(const ExaminedState& state, std::vector<CheckFinding>& findings);
  Result<void> ask_e2fsck(std::vector<CheckFinding>& findings);

  StateStage& stage_;
  const Options options_;
  DifferentialCounts counts_;
};

}  // namespace powercut::lab
