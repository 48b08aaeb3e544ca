#include <gtest/gtest.h>

#include "recovery/recovery.h"

namespace powercut {
namespace {

TEST(RecoverAs, NamesAreReadBack) {
  for (const RecoverAs rules : kAllRecoverAs) {
    EXPECT_EQ(recover_as_of(recover_as_name(rules)), rules);
  }
  EXPECT_EQ(recover_as_of("linux-5.4"), std::nullopt);
  EXPECT_EQ(recover_as_of(""), std::nullopt);
}

TEST(RecoverAs, FollowsTheReleaseOfALinux) {
  using enum RecoverAs;
  const struct {
    const char* release;
    RecoverAs rules;
  } kCases[] = {{"5.10.0-28-amd64", kLinux61},
                {"6.1.0-56-cloud-amd64", kLinux61},
                {"6.10.11+bpo-amd64", kLinux61},
                {"6.11", kLinux612},
                {"6.12.117", kLinux612},
                {"6.13-rc1", kLinux},
                {"6.18.44-fc-v595", kLinux},
                {"7.0", kLinux},
                {"10.1", kLinux},
                {"", kLinux},
                {"6", kLinux},
                {"6.", kLinux},
                {"six.one", kLinux},
                {"99999999999.1", kLinux}};
  for (const auto& each : kCases) {
    EXPECT_EQ(recover_as_of_release(each.release), each.rules) << each.release;
  }
}

}  // namespace
}  // namespace powercut
