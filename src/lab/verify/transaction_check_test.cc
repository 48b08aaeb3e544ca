#include "lab/verify/transaction_check.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "block/memory_device.h"
#include "tests/support/journal_builder.h"

namespace powercut::lab {
namespace {

constexpr BlockNo kJournalAt{64};
constexpr std::uint64_t kDeviceBlocks = 512;

// A journal on a disk to which log writes are sent, as the judge would see them.
class Stream {
 public:
  explicit Stream(const JournalSpec& spec)
      : builder(spec),
        disk_(kDeviceBlocks * spec.block_bytes),
        map_(map_in_one_run(kJournalAt, spec.log_block_count, spec.block_bytes, kDeviceBlocks)),
        ring(make_ring(spec)) {}

  void send(const BuiltWrite& write) {
    ASSERT_TRUE(
        disk_.write(map_.device_block(write.log).value() * map_.block_bytes(), write.bytes));
    ring.note_written(write.log, write.bytes);
    const auto header = parse_journal_header(write.bytes);
    if (header) seen.push_back({write.log, *header});
  }
  void send_all(const std::vector<BuiltWrite>& writes) {
    for (const BuiltWrite& write : writes) send(write);
  }
  CheckedTransaction check(Tid tid, std::optional<LogBlock> start, std::optional<LogBlock> commit) {
    return check_transaction(ring, {tid, start, commit}, seen).value();
  }

  JournalBuilder builder;

 private:
  JournalRing make_ring(const JournalSpec& spec) {
    JournalBuilder empty(spec);
    JournalSuperblock superblock = empty.superblock();
    return JournalRing::make(disk_, map_, superblock).value();
  }
  MemoryDevice disk_;
  JournalMap map_;

 public:
  JournalRing ring;
  std::vector<SeenHeader> seen;
};

TransactionSpec mixed_transaction(std::uint32_t block_bytes, std::uint32_t block_count,
                                  std::uint32_t tags_per_descriptor) {
  TransactionSpec spec;
  for (std::uint32_t i = 0; i < block_count; ++i) {
    spec.blocks.push_back({BlockNo(200 + i), i % 3 == 1 ? magic_block(block_bytes, i)
                                                        : patterned_block(block_bytes, i)});
  }
  spec.revokes = {BlockNo(300), BlockNo(301)};
  spec.tags_per_descriptor = tags_per_descriptor;
  return spec;
}

LogBlock commit_of(const std::vector<BuiltWrite>& writes) {
  return writes.back().log;
}

TEST(CheckTransaction, FindsNothingInGoodOnes) {
  for (const ChecksumKind kind :
       {ChecksumKind::kNone, ChecksumKind::kV1, ChecksumKind::kV2, ChecksumKind::kV3}) {
    for (const bool is_64bit : {false, true}) {
      for (const std::uint32_t block_bytes : {1024u, 4096u}) {
        JournalSpec spec;
        spec.block_bytes = block_bytes;
        spec.checksum = kind;
        spec.is_64bit = is_64bit;
        spec.log_block_count = 40;
        spec.start = LogBlock(30);  // wraps
        spec.sequence = Tid(0xFFFFFFFF);
        Stream stream(spec);
        const auto writes = stream.builder.add_transaction(mixed_transaction(block_bytes, 13, 5));
        stream.send_all(writes);
        const auto checked = stream.check(spec.sequence, std::nullopt, commit_of(writes));
        EXPECT_TRUE(checked.findings.empty()) << checked.findings.front().describe();
        EXPECT_EQ(checked.block_count, 13u);
        EXPECT_EQ(checked.verified_count, kind == ChecksumKind::kNone ? 0u : 13u);
        EXPECT_EQ(checked.escaped_count, 4u);
        EXPECT_EQ(checked.revoke_count, 2u);
        EXPECT_EQ(checked.descriptor_count, 3u);
      }
    }
  }
}

TEST(CheckTransaction, PiecesMayComeInAnyOrder) {
  Prng prng(11);
  for (int turn = 0; turn < 50; ++turn) {
    JournalSpec spec;
    spec.log_block_count = 64;
    spec.start = LogBlock(50);
    Stream stream(spec);
    auto writes = stream.builder.add_transaction(mixed_transaction(4096, 20, 7));
    const LogBlock commit = commit_of(writes);
    for (std::size_t i = writes.size() - 2; i > 0; --i) {
      std::swap(writes[i], writes[prng.below(i + 1)]);
    }
    stream.send_all(writes);
    EXPECT_TRUE(stream.check(Tid(1), std::nullopt, commit).findings.empty());
    EXPECT_TRUE(stream.check(Tid(1), LogBlock(50), commit).findings.empty());
  }
}

// One flipped bit anywhere in a protected journal is one finding, of the block that it is in.
TEST(CheckTransaction, OneFlippedBitIsOneFinding) {
  using Kind = BuiltWrite::Kind;
  Prng prng(12);
  for (const ChecksumKind kind : {ChecksumKind::kV2, ChecksumKind::kV3}) {
    for (int turn = 0; turn < 200; ++turn) {
      JournalSpec spec;
      spec.checksum = kind;
      spec.log_block_count = 64;
      Stream stream(spec);
      auto writes = stream.builder.add_transaction(mixed_transaction(4096, 20, 7));
      const LogBlock commit = commit_of(writes);
      BuiltWrite& hit = writes[prng.below(writes.size())];
      const auto bit = prng.below(hit.bytes.size() * 8);
      hit.bytes[bit / 8] = static_cast<std::uint8_t>(hit.bytes[bit / 8] ^ (1u << (bit % 8)));
      stream.send_all(writes);
      const auto checked = stream.check(Tid(1), LogBlock(1), commit);
      ASSERT_EQ(checked.findings.size(), 1u) << "bit " << bit << " of log " << hit.log.value();
      const Finding& finding = checked.findings.front();
      EXPECT_EQ(finding.log_block, hit.log);
      switch (hit.kind) {
        case Kind::kData: EXPECT_EQ(finding.kind, FindingKind::kDataChecksum); break;
        case Kind::kDescriptor:
          EXPECT_TRUE(finding.kind == FindingKind::kDescriptorChecksum ||
                      finding.kind == FindingKind::kDescriptorFormat);
          break;
        case Kind::kRevoke:
          EXPECT_TRUE(finding.kind == FindingKind::kRevokeChecksum ||
                      finding.kind == FindingKind::kDescriptorFormat);
          break;
        case Kind::kCommit:
          EXPECT_TRUE(finding.kind == FindingKind::kCommitChecksum ||
                      finding.kind == FindingKind::kCommitMissing);
          break;
        case Kind::kSuperblock: break;
      }
      if (finding.kind == FindingKind::kDataChecksum) {
        EXPECT_EQ(finding.home, hit.home);
        EXPECT_EQ(finding.count, 20u);
        EXPECT_NE(finding.stored, finding.computed);
      }
    }
  }
}

TEST(CheckTransaction, BlockNumbersMayNeedMoreThan32Bits) {
  Stream stream(JournalSpec{});
  TransactionSpec spec;
  const BlockNo far(0x7'0000'1234);
  spec.blocks.push_back({far, patterned_block(4096, 1)});
  spec.revokes = {BlockNo(0xFFFF'0000'0001)};
  auto writes = stream.builder.add_transaction(spec);
  for (BuiltWrite& write : writes) {
    if (write.kind == BuiltWrite::Kind::kData) write.bytes[5] ^= 1;
  }
  stream.send_all(writes);
  const auto checked = stream.check(Tid(1), std::nullopt, commit_of(writes));
  ASSERT_EQ(checked.findings.size(), 1u);
  EXPECT_EQ(checked.findings.front().home, far);
  EXPECT_EQ(checked.revoke_count, 1u);
}

TEST(CheckTransaction, AWholeTransactionsSumNamesTheTransaction) {
  JournalSpec spec;
  spec.checksum = ChecksumKind::kV1;
  Stream stream(spec);
  auto writes = stream.builder.add_transaction(mixed_transaction(4096, 9, 0));
  for (BuiltWrite& write : writes) {
    if (write.kind == BuiltWrite::Kind::kData) {
      write.bytes[77] ^= 1;
      break;
    }
  }
  stream.send_all(writes);
  const auto checked = stream.check(Tid(1), std::nullopt, commit_of(writes));
  ASSERT_EQ(checked.findings.size(), 1u);
  EXPECT_EQ(checked.findings.front().kind, FindingKind::kTransactionChecksum);
}

TEST(CheckTransaction, AMissingCommitBlockIsNamedWhereItMustBe) {
  JournalSpec spec;
  Stream stream(spec);
  auto writes = stream.builder.add_transaction(mixed_transaction(4096, 9, 4));
  const LogBlock commit = commit_of(writes);
  writes.pop_back();
  stream.send_all(writes);
  stream.send_all(stream.builder.add_transaction(mixed_transaction(4096, 3, 0)));
  const auto checked = stream.check(Tid(1), LogBlock(1), std::nullopt);
  ASSERT_EQ(checked.findings.size(), 1u);
  EXPECT_EQ(checked.findings.front().kind, FindingKind::kCommitMissing);
  EXPECT_EQ(checked.findings.front().log_block, commit);
  EXPECT_EQ(checked.commit, commit);
}

}  // namespace
}  // namespace powercut::lab
