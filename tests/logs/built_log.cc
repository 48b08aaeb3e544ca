#include "tests/logs/built_log.h"

#include <algorithm>
#include <array>

#include "base/prng.h"
#include "base/stored_int.h"
#include "format/jbd2_disk.h"

namespace powercut::testing {
namespace {

using Kind = BuiltWrite::Kind;

constexpr std::array kTailNames = {"nothing",   "uncommitted",  "newer-tid",         "older-tid",
                                   "full-ring", "earlier-life", "earlier-same-uuid", "ahead-clock"};
static_assert(kTailNames.size() == kTailCount);

constexpr std::array kHarmNames = {"sound",
                                   "data-flip",
                                   "data-revoked",
                                   "data-zeroed",
                                   "descriptor-magic",
                                   "descriptor-type",
                                   "descriptor-tid",
                                   "tag-block",
                                   "tag-flags",
                                   "descriptor-tail",
                                   "descriptor-zeroed",
                                   "revoke-magic",
                                   "revoke-count",
                                   "revoke-record",
                                   "revoke-tail",
                                   "commit-magic",
                                   "commit-type",
                                   "commit-tid",
                                   "commit-checksum",
                                   "commit-zeroed",
                                   "commit-torn",
                                   "commit-older",
                                   "descriptor-older",
                                   "revoke-older",
                                   "commit-bad-and-older",
                                   "two-commits",
                                   "commit-then-descriptor",
                                   "journal-error",
                                   "no-last-tag",
                                   "uuid-flag",
                                   "revoke-odd",
                                   "revoke-huge",
                                   "home-outside",
                                   "home-in-log",
                                   "home-old-log",
                                   "home-journal"};
static_assert(kHarmNames.size() == kHarmCount);

constexpr std::array kPositionNames = {"first", "middle", "last"};
constexpr std::array kChecksumNames = {"none", "v1", "v2", "v3"};

// Few homes, so that they meet again in later transactions.
constexpr std::uint64_t kWindow = 10;
constexpr std::uint32_t kRingBlocks = 1023;
// In a descriptor.
constexpr std::size_t kFirstTag = 12, kUuidBytes = 16;
// In a tag: the lowest byte of its flags.
constexpr std::size_t kTagFlagsByte = 7;
constexpr std::uint8_t kEscapedFlag = 1, kSameUuidFlag = 2, kLastFlag = 8;
// An earlier life of the journal: years before.
constexpr std::uint64_t kNow = 1'700'000'000, kEarlier = 1'500'000'000, kAhead = 1'800'000'000;

// Makes the transactions of one log.
class Maker {
 public:
  Maker(const BuiltLogSpec& spec, const BaseImage& base)
      : spec_(spec), base_(base), prng_(Prng(spec.seed).child(spec.name())) {
    journal_.block_bytes = base.options.block_bytes;
    journal_.checksum = spec.checksum;
    journal_.is_64bit = base.options.is_64bit;
    journal_.is_async = spec.is_async;
    journal_.log_block_count = kRingBlocks + 1;
    journal_.commit_seconds = kNow;
    const std::array starts = {std::uint64_t{1}, 1 + prng_.below(kRingBlocks),
                               kRingBlocks - prng_.below(12)};
    journal_.start = LogBlock(static_cast<std::uint32_t>(starts[prng_.below(starts.size())]));
    // In a quarter of the logs the tids pass 2^32.
    const std::uint64_t sequence =
        prng_.chance(1, 4) ? 0xFFFFFFFF - prng_.below(4) : 2 + prng_.below(100000);
    journal_.sequence = spec.first_tid.value_or(Tid(static_cast<std::uint32_t>(sequence)));
    for (std::uint64_t count = 3 + prng_.below(4); count != 0; --count) {
      transactions_.push_back(transaction());
    }
    add_changes();
  }

  LogImage make();

 private:
  std::uint64_t window_home(std::uint64_t index) const {
    // From an even number on: a flipped lowest bit stays inside.
    const std::uint64_t first = base_.pool.back().value() - 1 - kWindow;
    return (first & ~std::uint64_t{1}) + index;
  }
  Contents content() {
    return prng_.chance(1, 4) ? magic_block(journal_.block_bytes, prng_.next())
                              : patterned_block(journal_.block_bytes, prng_.next());
  }
  TransactionSpec transaction();
  void add_changes();
  void fill_ring(JournalBuilder& builder);
  void add_tail(JournalBuilder& builder);
  void write_earlier_life(BlockDevice& device);
  void harm(JournalBuilder& builder);
  void harm_sealed(JournalBuilder& builder);
  void name_home(BuiltWrite& descriptor, BlockNo home) const {
    store(descriptor.bytes, kFirstTag, Be32(static_cast<std::uint32_t>(home.value())));
  }
  void make_older(JournalBuilder& builder);
  Tid harmed_tid() const;
  // So many blocks back in the ring.
  static LogBlock before(LogBlock block, std::uint32_t count) {
    return LogBlock(1 + (block.value() - 1 + kRingBlocks - count) % kRingBlocks);
  }
  Tid tid_of(std::size_t index) const {
    return Tid(journal_.sequence.value() + static_cast<std::uint32_t>(index));
  }

  const BuiltLogSpec& spec_;
  const BaseImage& base_;
  Prng prng_;
  JournalSpec journal_;
  std::vector<TransactionSpec> transactions_;
};

TransactionSpec Maker::transaction() {
  TransactionSpec result;
  std::array<bool, kWindow> is_taken{};
  for (std::uint64_t count = 1 + prng_.below(6); count != 0; --count) {
    const std::uint64_t index = prng_.below(kWindow);
    if (std::exchange(is_taken[index], true)) continue;
    result.blocks.push_back({BlockNo(window_home(index)), content()});
  }
  // Every transaction has revoke records, so that each can be harmed in them; most revoke blocks
  // that it does not log itself.
  for (std::uint64_t count = 1 + prng_.below(3); count != 0; --count) {
    const std::uint64_t index = prng_.below(kWindow);
    if (is_taken[index] && !prng_.chance(1, 8)) continue;
    result.revokes.push_back(BlockNo(window_home(index)));
  }
  if (result.revokes.empty()) result.revokes.push_back(BlockNo(window_home(kWindow)));
  const std::array tags = {0U, 0U, 1U, 2U, 3U};
  result.tags_per_descriptor = tags[prng_.below(tags.size())];
  return result;
}

void Maker::add_changes() {
  const std::size_t first = prng_.below(transactions_.size());
  const auto add = [](TransactionSpec& to, const std::vector<DataSpec>& change) {
    to.blocks.insert(to.blocks.end(), change.begin(), change.end());
  };
  add(transactions_[first], base_.first_change);
  if (prng_.chance(1, 2)) transactions_[first].blocks.push_back(base_.first_superblock);
  if (first + 1 < transactions_.size() && prng_.chance(1, 2)) {
    add(transactions_[first + 1], base_.second_change);
  }
}

// A last transaction that leaves no block of the ring free.
void Maker::fill_ring(JournalBuilder& builder) {
  const auto left = static_cast<std::uint32_t>(kRingBlocks - builder.writes().size());
  const std::uint32_t most = builder.format().tags_per_descriptor();
  const auto used = [most](std::uint32_t count) { return count + (count + most - 1) / most + 1; };
  std::uint32_t count = left;
  while (used(count) > left) --count;
  TransactionSpec last;
  for (std::uint32_t i = 0; i < count; ++i) {
    last.blocks.push_back({base_.pool[i % base_.pool.size()], content()});
  }
  // One more data block may need one more descriptor: a revoke block fills the gap.
  if (used(count) < left) last.revokes.push_back(BlockNo(window_home(0)));
  builder.add_transaction(last);
}

void Maker::add_tail(JournalBuilder& builder) {
  TransactionSpec last = transaction();
  switch (spec_.tail) {
    case Tail::kNothing:
    case Tail::kEarlierLife:
    case Tail::kEarlierSameUuid:
    case Tail::kEarlierAheadClock: return;
    case Tail::kFullRing: fill_ring(builder); return;
    case Tail::kUncommitted: last.has_commit = false; break;
    case Tail::kNewerTid: last.tid = builder.next_tid().next(); break;
    case Tail::kOlderTid: last.tid = builder.next_tid().previous(); break;
  }
  builder.add_transaction(last);
}

// Transactions of the same sizes as those of this log, and two more: the first of these lies where
// this log ends and has the tid that is due there.
void Maker::write_earlier_life(BlockDevice& device) {
  const bool has_same_uuid = spec_.tail == Tail::kEarlierSameUuid;
  const bool is_ahead = spec_.tail == Tail::kEarlierAheadClock;
  if (spec_.tail != Tail::kEarlierLife && !has_same_uuid && !is_ahead) return;
  JournalSpec earlier = journal_;
  if (!has_same_uuid) earlier.uuid[0] ^= 0xFF;
  earlier.commit_seconds = is_ahead ? kAhead : kEarlier;
  JournalBuilder builder(earlier);
  for (const TransactionSpec& each : transactions_) {
    TransactionSpec old = each;
    for (DataSpec& block : old.blocks) {
      block = {BlockNo(window_home(prng_.below(kWindow))), content()};
    }
    builder.add_transaction(old);
  }
  for (int i = 0; i < 2; ++i) builder.add_transaction(transaction());
  CHECK(builder.write_to(device, base_.map), "the base has room for its journal");
}

Tid Maker::harmed_tid() const {
  switch (spec_.position) {
    case Position::kFirst: return tid_of(0);
    case Position::kMiddle: return tid_of(transactions_.size() / 2);
    case Position::kLast: return tid_of(transactions_.size() - 1);
  }
  CHECK(false, "no such position");
}

void Maker::make_older(JournalBuilder& builder) {
  BuiltWrite& commit = builder.write_of(harmed_tid(), Kind::kCommit);
  store(commit.bytes, offsetof(disk::CommitBlock, seconds), Be64(kEarlier));
  builder.reseal(commit);
}

void Maker::harm(JournalBuilder& builder) {
  const Tid tid = harmed_tid();
  const std::uint32_t size = journal_.block_bytes;
  const std::size_t checksum = offsetof(disk::CommitBlock, checksums);
  const auto flip = [&](Kind kind, std::size_t offset) { builder.damage(tid, kind, 0, offset); };
  const auto zero = [&](Kind kind) {
    std::ranges::fill(builder.write_of(tid, kind).bytes, std::uint8_t{0});
  };
  switch (spec_.harm) {
    case Harm::kNone:
    case Harm::kJournalError: return;
    case Harm::kDataFlip: return flip(Kind::kData, prng_.below(size));
    case Harm::kDataRevoked: return flip(Kind::kData, 4 + prng_.below(size - 4));
    case Harm::kDataZeroed: return zero(Kind::kData);
    case Harm::kDescriptorMagic: return flip(Kind::kDescriptor, 3);
    case Harm::kDescriptorType: return flip(Kind::kDescriptor, 7);
    case Harm::kDescriptorTid: return flip(Kind::kDescriptor, 11);
    case Harm::kTagBlock: return flip(Kind::kDescriptor, 15);
    case Harm::kTagFlags:
      builder.write_of(tid, Kind::kDescriptor).bytes[kFirstTag + kTagFlagsByte] ^= kEscapedFlag;
      return;
    case Harm::kDescriptorTail: return flip(Kind::kDescriptor, size - 1);
    case Harm::kDescriptorZeroed: return zero(Kind::kDescriptor);
    case Harm::kRevokeMagic: return flip(Kind::kRevoke, 3);
    case Harm::kRevokeCount: builder.write_of(tid, Kind::kRevoke).bytes.at(15) ^= 8; return;
    case Harm::kRevokeRecord: return flip(Kind::kRevoke, 16 + (journal_.is_64bit ? 7U : 3U));
    case Harm::kRevokeTail: return flip(Kind::kRevoke, size - 1);
    case Harm::kCommitMagic: return flip(Kind::kCommit, 3);
    case Harm::kCommitType: return flip(Kind::kCommit, 7);
    case Harm::kCommitTid: return flip(Kind::kCommit, 11);
    case Harm::kCommitChecksum: return flip(Kind::kCommit, checksum + 3);
    case Harm::kCommitZeroed: return zero(Kind::kCommit);
    case Harm::kCommitTorn:
      prng_.fill(MutableBytes(builder.write_of(tid, Kind::kCommit).bytes).subspan(512));
      return;
    case Harm::kCommitOlder: return make_older(builder);
    case Harm::kDescriptorOlder: make_older(builder); return flip(Kind::kDescriptor, size - 1);
    case Harm::kRevokeOlder: make_older(builder); return flip(Kind::kRevoke, size - 1);
    case Harm::kCommitBadAndOlder: make_older(builder); return flip(Kind::kCommit, checksum + 3);
    case Harm::kTwoCommits:
      flip(Kind::kCommit, checksum + 3);
      if (tid == tid_of(transactions_.size() - 1)) return;
      return builder.damage(tid.next(), Kind::kCommit, 0, checksum + 3);
    case Harm::kCommitThenDescriptor:
      flip(Kind::kCommit, checksum + 3);
      if (tid == tid_of(transactions_.size() - 1)) return;
      return builder.damage(tid.next(), Kind::kDescriptor, 0, size - 1);
    default: return harm_sealed(builder);
  }
}

void Maker::harm_sealed(JournalBuilder& builder) {
  const JournalFormat& format = builder.format();
  BuiltWrite& revoke = builder.write_of(harmed_tid(), Kind::kRevoke);
  BuiltWrite& descriptor = builder.write_of(harmed_tid(), Kind::kDescriptor);
  const std::uint32_t tags = count_tags(descriptor.bytes, format);
  const auto flags_of = [&](std::uint32_t tag) -> std::uint8_t& {
    const std::size_t uuid = tag == 0 ? 0 : kUuidBytes;
    return descriptor.bytes[kFirstTag + tag * format.tag_bytes() + uuid + kTagFlagsByte];
  };
  const std::size_t count = offsetof(disk::RevokeHeader, used_bytes);
  switch (spec_.harm) {
    case Harm::kNoLastTag: flags_of(tags - 1) ^= kLastFlag; break;
    case Harm::kUuidFlag: flags_of(tags / 2) ^= kSameUuidFlag; break;
    case Harm::kRevokeOdd: revoke.bytes[count + 3] ^= 2; break;
    case Harm::kRevokeHuge: store(revoke.bytes, count, Be32(journal_.block_bytes + 64)); break;
    case Harm::kHomeOutside:
      name_home(descriptor, BlockNo(base_.bytes.size() / journal_.block_bytes + 5));
      break;
    case Harm::kHomeInLog:
      name_home(descriptor,
                base_.map.device_block(builder.write_of(harmed_tid(), Kind::kData).log));
      break;
    case Harm::kHomeOldLog:
      name_home(descriptor, base_.map.device_block(before(journal_.start, 3)));
      break;
    case Harm::kHomeJournal: name_home(descriptor, base_.map.device_block(LogBlock(0))); break;
    default: CHECK(false, "no such harm");
  }
  builder.reseal(revoke);
  builder.reseal(descriptor);
}

LogImage Maker::make() {
  LogImage log{spec_.name(), base_.bytes, base_.map};
  BytesDevice device(log.bytes);
  write_earlier_life(device);
  // So that the harmed block is really revoked, and by a sound transaction.
  if (spec_.harm == Harm::kDataRevoked) {
    TransactionSpec last = transaction();
    last.revokes.push_back(transactions_[harmed_tid().since(journal_.sequence)].blocks[0].home);
    std::erase_if(last.blocks,
                  [&](const DataSpec& block) { return block.home == last.revokes.back(); });
    if (last.blocks.empty()) last.blocks.push_back({BlockNo(window_home(kWindow)), content()});
    transactions_.push_back(last);
  }
  JournalBuilder builder(journal_);
  for (const TransactionSpec& each : transactions_) builder.add_transaction(each);
  add_tail(builder);
  harm(builder);
  CHECK(builder.write_to(device, base_.map), "the base has room for its journal");
  if (spec_.harm == Harm::kJournalError) {
    JournalSuperblock superblock = builder.superblock();
    superblock.error = static_cast<std::uint32_t>(-5);
    Contents block(journal_.block_bytes);
    superblock.encode(block);
    CHECK(device.write(base_.map.device_block(LogBlock(0)).value() * block.size(), block),
          "the base has room for its journal");
  }
  return log;
}

}  // namespace

const char* harm_name(Harm harm) {
  return kHarmNames[static_cast<std::size_t>(harm)];
}

std::string BuiltLogSpec::name() const {
  return std::string(kChecksumNames[static_cast<std::size_t>(checksum)]) +
         (is_async ? "-async/" : "/") + base.name() + "/" +
         kTailNames[static_cast<std::size_t>(tail)] + "/" + harm_name(harm) + "/" +
         kPositionNames[static_cast<std::size_t>(position)] + "/" + std::to_string(seed);
}

LogImage build_log(const BuiltLogSpec& spec) {
  return Maker(spec, BaseImage::of(spec.base)).make();
}

}  // namespace powercut::testing
