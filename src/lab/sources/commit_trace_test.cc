#include "lab/sources/commit_trace.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

using std::chrono::milliseconds;

Finding finding_of(std::uint32_t tid, std::uint32_t inode, std::uint64_t file_block) {
  Finding finding;
  finding.tid = Tid(tid);
  finding.owner = Owner();
  finding.owner->kind = OwnerKind::kFileData;
  finding.owner->inode = InodeNo(inode);
  finding.owner->file_block = FileBlock(file_block);
  return finding;
}

PageTouch touch_at(std::uint64_t page, Nanoseconds when) {
  return {.inode = 12, .page = page, .when = when, .process = 70, .thread = 71, .name = "mapper"};
}

TEST(CommitMemory, NamesThePageAndItsCommit) {
  CommitMemory memory;
  memory.note(touch_at(5, milliseconds(10)));
  memory.note(touch_at(5, milliseconds(30)));
  memory.note(Tid(9), CommitPhase::kStart, milliseconds(20));
  memory.note(Tid(9), CommitPhase::kLogging, milliseconds(28));
  EXPECT_EQ(memory.words_on(finding_of(9, 12, 5)),
            "page 5 of inode 12 dirtied by mapper (process 70, thread 71), 2.000 ms AFTER its "
            "commit was logged\ncommit of tid 9: start +0.000 ms logging +8.000 ms\n");
  EXPECT_EQ(memory.words_on(finding_of(9, 12, 6)),
            "commit of tid 9: start +0.000 ms logging +8.000 ms\n");
  EXPECT_EQ(memory.words_on(finding_of(8, 13, 5)), "");
}

TEST(CommitMemory, IsBounded) {
  CommitMemory memory;
  for (std::uint64_t page = 0; page <= CommitMemory::kTouchesMax; ++page) {
    memory.note(touch_at(page, milliseconds(1)));
  }
  EXPECT_EQ(memory.touch_of(12, 0), nullptr);
  EXPECT_NE(memory.touch_of(12, 1), nullptr);
  for (std::uint32_t tid = 0; tid <= CommitMemory::kCommitsMax; ++tid) {
    memory.note(Tid(tid), CommitPhase::kEnd, milliseconds(1));
  }
  EXPECT_EQ(memory.phases_of(Tid(0)), nullptr);
  EXPECT_NE(memory.phases_of(Tid(1)), nullptr);
}

}  // namespace
}  // namespace powercut::lab
