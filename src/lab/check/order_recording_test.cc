#include "lab/check/order_recording.h"

#include <gtest/gtest.h>

namespace powercut::lab {
namespace {

// The writes of Debian's Linux 6.1 under `hunt`.  It does not hold mapped pages still while they
// are written home: three of them go ahead of their transaction.
TEST(OrderRecording, TheShippedStreamOfLinux61WritesPagesHomeThatAreStoredTo) {
  const auto file =
      File::open(std::string(POWERCUT_SOURCE_DIR) + "/share/first-find.pcrec", File::Access::kRead);
  ASSERT_TRUE(file);
  const auto recording = read_recording(*file, std::uint64_t{256} << 20);
  ASSERT_TRUE(recording) << recording.error().what;
  const OrderVerification verification = verify_order(*recording);
  EXPECT_EQ(verification.trouble, "");
  EXPECT_GT(verification.counters.transaction_count, 80u);
  std::string found;
  for (const CheckFinding& finding : verification.findings) {
    found += finding.rule + "@" + std::to_string(finding.sequence.value_or(0)) + " ";
  }
  EXPECT_EQ(found, "home-ahead@410 home-ahead@524 home-ahead@563 ");
}

}  // namespace
}  // namespace powercut::lab
