// The `command` judge: a program of the user's looks at the recovered tree.
//
// Each state is mounted for writing by the kernel we run on, which recovers it, and thrown away
// afterwards (a database cannot open its files read-only before it has recovered them).  The
// command runs there in a shell and says with its exit status whether the tree is as it should be.
//
// What the command finds in its environment
//   POWERCUT_DIR     the tree; also its working directory
//   POWERCUT_MARKS_SEEN   a file with all marks that the load had put into the stream by then, a
//                    line each, oldest first: what must be there
#pragma once

#include "lab/check/state_examiner.h"
#include "lab/check/state_stage.h"

namespace powercut::lab {

class CommandJudge final : public StateExaminer {
 public:
  struct Options {
    std::string command;  // for sh -c
    std::string mount_options;
    Nanoseconds limit = std::chrono::seconds(60);  // for one state; then it is killed: a finding
  };
  // `stage` must outlive the judge.
  CommandJudge(StateStage& stage, Options options) : stage_(stage), options_(std::move(options)) {}

  JudgeName name() const override { return JudgeName::kCommand; }
  // Rules: "mount-refused", "command-failed", "command-hung".
  Result<std::vector<CheckFinding>> examine(const ExaminedState& state) override;

 private:
  Result<std::filesystem::path> write_marks(std::span<const std::string> marks);

  StateStage& stage_;
  const Options options_;
  std::optional<File> marks_file_;
  std::size_t marks_written_ = 0;  // of the marks, which only grow from state to state
};

}  // namespace powercut::lab
