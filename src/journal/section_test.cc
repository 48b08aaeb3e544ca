#include "journal/section.h"

#include <gtest/gtest.h>

#include "journal/test_bench.h"

namespace powercut {
namespace {

class SectionTest : public ::testing::Test {
 protected:
  void open(Nanoseconds age_max = std::chrono::seconds(60)) {
    bench_.options.section_age_max = age_max;
    journal_ = bench_.open(bench_.device);
  }
  Result<Tid> set(std::uint64_t block, std::uint8_t value) {
    Handle handle = TRY(journal_->start(Credits(1)));
    const BufferRef buffer = TRY(cache_.get(BlockNo(block)));
    handle.change(buffer, [value](MutableBytes bytes) { bytes[0] = value; });
    return handle.tid();
  }
  std::uint8_t recovered(std::uint64_t block) const {
    const std::vector<std::uint8_t> image(bench_.device.bytes().begin(),
                                          bench_.device.bytes().end());
    return recovered_home(bench_, image).at(block)[0];
  }

  JournalBench bench_;
  BufferCache cache_{bench_.device, kBenchBlockBytes, 1000};
  std::unique_ptr<Journal> journal_;
};

TEST_F(SectionTest, OperationsOfOthersCommitOnlyWithItsEnd) {
  open();
  Section section = journal_->begin_section(Credits(4)).value();
  const Tid first = set(1, 11).value();
  Task other = Task::start("other", [&] {
    const Tid tid = set(2, 22).value();
    EXPECT_EQ(tid, first);
    EXPECT_TRUE(journal_->wait_durable(tid));
  });
  EXPECT_EQ(set(3, 33).value(), first);
  EXPECT_FALSE(journal_->is_durable(first));
  ASSERT_TRUE(section.end());
  other.join();
  EXPECT_EQ(recovered(1), 11);
  EXPECT_EQ(recovered(2), 22);
  EXPECT_EQ(recovered(3), 33);
}

TEST_F(SectionTest, ItsOperationsLiveOnItsReserve) {
  open();
  Section section = journal_->begin_section(Credits(2)).value();
  EXPECT_TRUE(set(1, 1));
  EXPECT_TRUE(set(1, 2)) << "the block is the transaction's already";
  EXPECT_TRUE(set(2, 2));
  const auto refused = set(3, 3);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimit);
  EXPECT_TRUE(section.end());
  EXPECT_TRUE(set(3, 3));
}

TEST_F(SectionTest, WaitsForNoCommitAndHoldsNoOther) {
  open();
  Section section = journal_->begin_section(Credits(2)).value();
  const Tid tid = set(1, 1).value();
  EXPECT_EQ(journal_->wait_durable(tid).error().code, Errc::kInvalid);
  EXPECT_EQ(journal_->commit().error().code, Errc::kInvalid);
  EXPECT_EQ(journal_->begin_section(Credits(1)).error().code, Errc::kInvalid);
  ASSERT_TRUE(section.end());
  EXPECT_TRUE(journal_->wait_durable(tid));
}

TEST_F(SectionTest, IsSplitByACommitWhenItLastsTooLong) {
  open(std::chrono::milliseconds(1));
  Section section = journal_->begin_section(Credits(4)).value();
  const Tid tid = set(1, 11).value();
  Task other = Task::start("other", [&] { EXPECT_TRUE(journal_->wait_durable(tid)); });
  other.join();
  EXPECT_EQ(recovered(1), 11);
  EXPECT_EQ(set(2, 22).error().code, Errc::kTimeout);
  EXPECT_EQ(section.end().error().code, Errc::kTimeout);
  EXPECT_TRUE(set(2, 22));
}

}  // namespace
}  // namespace powercut
