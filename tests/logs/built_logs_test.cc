// Logs of our own generator (built_log.h): every tail, and every harm in the first, a middle and
// the last transaction, with every kind of checksum.
#include <gtest/gtest.h>

#include "tests/logs/built_log.h"
#include "tests/logs/hearing.h"
#include "tests/support/e2fs_image.h"

namespace powercut::testing {
namespace {

struct JournalKind {
  const char* name;
  ChecksumKind checksum;
  bool is_async;
};

void PrintTo(const JournalKind& kind, std::ostream* out) {
  *out << kind.name;
}

class BuiltLogs : public ::testing::TestWithParam<JournalKind> {};

// All combinations of harm and position come in turn; the rest is spread over them.
BuiltLogSpec spec_of(const JournalKind& kind, std::uint64_t index) {
  BuiltLogSpec spec;
  spec.checksum = kind.checksum;
  spec.is_async = kind.is_async;
  spec.seed = index;
  spec.harm = static_cast<Harm>(index % kHarmCount);
  // Each kind begins with another position, so that few logs see all of them.
  const std::uint64_t lap = index / kHarmCount + static_cast<std::uint64_t>(kind.checksum) +
                            (kind.is_async ? 1 : 0) + index % kHarmCount;
  spec.position = static_cast<Position>(lap % 3);
  spec.tail = static_cast<Tail>((index + index / kHarmCount) % kTailCount);
  // Tags without an end name block 0: it must not be the superblock's.
  const bool may_be_large = spec.harm != Harm::kNoLastTag && spec.harm != Harm::kUuidFlag;
  spec.base.block_bytes = index % 4 == 1 && may_be_large ? 4096 : 1024;
  spec.base.is_64bit = (index / 2 + index / kHarmCount) % 2 == 0;
  spec.base.has_checksums = (index / 3) % 2 == 0;
  return spec;
}

// Undamaged, once with each tail.
BuiltLogSpec sound_spec_of(const JournalKind& kind, std::uint64_t index) {
  BuiltLogSpec spec = spec_of(kind, index);
  spec.harm = Harm::kNone;
  spec.tail = static_cast<Tail>(index % kTailCount);
  return spec;
}

TEST_P(BuiltLogs, AreRecoveredAsOthersDo) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  Hearing hearing;
  if (!hearing.has_witnesses()) GTEST_SKIP() << "needs e2fsck, debugfs, or root";
  for (std::uint64_t i = 0; i < log_count(kTailCount); ++i) {
    const BuiltLogSpec spec = sound_spec_of(GetParam(), i);
    if (is_wanted(spec.name())) hearing.hear(build_log(spec));
  }
  for (std::uint64_t i = 0; i < log_count(kHarmCount); ++i) {
    const BuiltLogSpec spec = spec_of(GetParam(), i);
    if (is_wanted(spec.name())) hearing.hear(build_log(spec));
  }
  if (hearing.figures().logs < kTailCount + kHarmCount) return;
  EXPECT_GT(hearing.figures().wrapped, 3u);
  EXPECT_GT(hearing.figures().escaped, 30u);
  EXPECT_GT(hearing.figures().revoked, 30u);
  if (GetParam().checksum != ChecksumKind::kNone) {
    EXPECT_GT(hearing.figures().refused, 3u);
  }
}

INSTANTIATE_TEST_SUITE_P(, BuiltLogs,
                         ::testing::Values(JournalKind{"none", ChecksumKind::kNone, false},
                                           JournalKind{"none_async", ChecksumKind::kNone, true},
                                           JournalKind{"v1", ChecksumKind::kV1, false},
                                           JournalKind{"v1_async", ChecksumKind::kV1, true},
                                           JournalKind{"v2", ChecksumKind::kV2, false},
                                           JournalKind{"v2_async", ChecksumKind::kV2, true},
                                           JournalKind{"v3", ChecksumKind::kV3, false},
                                           JournalKind{"v3_async", ChecksumKind::kV3, true}),
                         [](const auto& named) { return std::string(named.param.name); });

}  // namespace
}  // namespace powercut::testing
