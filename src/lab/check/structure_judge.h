// The `structure` judge: does a recovered file system agree with itself?
//
// It objects to what e2fsck -fn would after the kernel has mounted and unmounted the state:
// metadata that does not parse or has another checksum, blocks with no owner or several, bitmaps,
// counts, names and links that contradict each other (docs/judges.md lists the rules).  What a
// mount would still do is allowed: orphans, and a truncate that an orphan's entry tells of.  The
// superblock's own free counts are not looked at: no transaction carries them.
//
// It sees nothing of the log, of the journal's superblock, and of copies of superblock and
// descriptors: nothing recovers from them.  bigalloc, encrypt and shared_blocks are refused by
// name.
#pragma once

#include <memory>

#include "lab/check/state_judge.h"

namespace powercut::lab {

class StructureState;

class StructureJudge final : public StateJudge {
 public:
  StructureJudge();
  ~StructureJudge() override;

  JudgeName name() const override { return JudgeName::kStructure; }
  void begin(const StateImage& image) override;
  void change(BlockNo block, ContentId from, ContentId to) override;
  bool settle() override;
  std::vector<CheckFinding> findings(std::size_t max) const override;

 private:
  std::unique_ptr<StructureState> state_;
};

}  // namespace powercut::lab
