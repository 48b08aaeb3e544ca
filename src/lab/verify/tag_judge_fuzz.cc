// Hostile streams: a disk with a small file system whose writes come from the fuzzer.  The judge
// must take every one of them, in bounded time and memory, and never fall over.
//
// Input: records of { kind, log block (le16), fill } after the first byte, which chooses the
// journal's format.  Kind 0 to 5 write a block of that kind made well, then damaged by `fill`;
// others write raw bytes of the input, zero, discard, flush, or cycle the power.
#include <memory>

#include "block/memory_device.h"
#include "lab/record/recorded_disk.h"
#include "lab/verify/tag_judge.h"
#include "lab/verify/transaction_check.h"
#include "tests/support/journal_builder.h"

namespace {

using namespace powercut;

constexpr std::uint32_t kBlockBytes = 1024;
constexpr std::uint32_t kLogBlocks = 64;
constexpr std::uint64_t kDeviceBlocks = 256;
constexpr std::size_t kRecordsMax = 500;

// The walk over one ring, without a file system around it: headers and sums from the fuzzer's
// writes.
class Target {
 public:
  explicit Target(std::uint8_t choice)
      : disk_(kDeviceBlocks * kBlockBytes),
        map_(map_in_one_run(BlockNo(64), kLogBlocks, kBlockBytes, kDeviceBlocks)),
        builder_(spec(choice)),
        ring_(lab::JournalRing::make(disk_, map_, builder_.superblock()).value()) {}

  void put(LogBlock log, Bytes block) {
    ignore_error(disk_.write(map_.device_block(log).value() * kBlockBytes, block), "in range");
    ring_.note_written(log, block);
    const auto header = parse_journal_header(block);
    if (header) seen_.push_back({log, *header});
  }
  void check(Tid tid, std::optional<LogBlock> start, std::optional<LogBlock> commit) {
    const auto checked = lab::check_transaction(ring_, {tid, start, commit}, seen_);
    if (!checked) return;
    for (const lab::Finding& finding : checked->findings) {
      CHECK(!finding.describe().empty(), "a finding has a text");
    }
  }
  const JournalFormat& format() const { return builder_.format(); }
  LogBlock in_ring(std::uint32_t number) const { return LogBlock(1 + number % (kLogBlocks - 1)); }

 private:
  static JournalSpec spec(std::uint8_t choice) {
    JournalSpec spec;
    spec.block_bytes = kBlockBytes;
    spec.log_block_count = kLogBlocks;
    spec.checksum = static_cast<ChecksumKind>(choice % 4);
    spec.is_64bit = (choice & 4) != 0;
    return spec;
  }
  MemoryDevice disk_;
  JournalMap map_;
  JournalBuilder builder_;
  lab::JournalRing ring_;
  std::vector<lab::SeenHeader> seen_;
};

class Input {
 public:
  explicit Input(Bytes bytes) : bytes_(bytes) {}
  bool is_empty() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  std::uint32_t number() { return byte() | (std::uint32_t{byte()} << 8); }
  Bytes take(std::size_t count) {
    const Bytes taken = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }

 private:
  Bytes bytes_;
};

void one_record(Target& target, Input& input) {
  const std::uint8_t kind = input.byte();
  const LogBlock log = target.in_ring(input.number());
  const Tid tid(input.byte() % 4);
  std::vector<std::uint8_t> block(kBlockBytes);
  switch (kind % 6) {
    case 0: {
      std::vector<Tag> tags(1 + input.byte() % target.format().tags_per_descriptor());
      for (Tag& tag : tags) tag.block = BlockNo(input.byte());
      encode_descriptor(block, target.format(), tid, tags);
      break;
    }
    case 1: encode_revoke(block, target.format(), tid, {BlockNo(input.byte())}); break;
    case 2: encode_commit(block, target.format(), {.tid = tid}); break;
    case 3: std::ranges::copy(input.take(64), block.begin()); break;
    case 4: return target.check(tid, log, target.in_ring(input.number()));
    default: return target.check(tid, std::nullopt, log);
  }
  const std::uint32_t damage = input.number();
  if ((damage & 1) != 0) block[(damage >> 1) % block.size()] ^= input.byte();
  target.put(log, block);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(Bytes(data, size));
  Target target(input.byte());
  for (std::size_t i = 0; i < kRecordsMax && !input.is_empty(); ++i) one_record(target, input);
  return 0;
}
