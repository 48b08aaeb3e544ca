#include "tests/support/journal_builder.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "base/crc32c.h"
#include "base/prng.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

using Kind = BuiltWrite::Kind;

JournalSuperblock superblock_of(const JournalSpec& spec) {
  JournalSuperblock result;
  result.block_bytes = spec.block_bytes;
  result.log_block_count = spec.log_block_count;
  result.first = spec.first;
  result.sequence = spec.sequence;
  result.uuid = spec.uuid;
  const auto add = [&result](JournalIncompat feature) {
    result.incompat |= static_cast<std::uint32_t>(feature);
  };
  add(JournalIncompat::kRevoke);
  if (spec.is_64bit) add(JournalIncompat::k64Bit);
  if (spec.is_async) add(JournalIncompat::kAsyncCommit);
  if (spec.checksum == ChecksumKind::kV1) {
    result.compat |= static_cast<std::uint32_t>(JournalCompat::kChecksum);
  }
  if (spec.checksum == ChecksumKind::kV2) add(JournalIncompat::kCsumV2);
  if (spec.checksum == ChecksumKind::kV3) add(JournalIncompat::kCsumV3);
  if (result.format().tail_bytes() != 0) result.checksum_type = disk::kChecksumTypeCrc32c;
  if (spec.fast_commit_block_count != 0) add(JournalIncompat::kFastCommit);
  result.fast_commit_block_count = spec.fast_commit_block_count;
  return result;
}

bool begins_with_magic(Bytes block) {
  return parse_journal_header(block).has_value();
}

}  // namespace

JournalBuilder::JournalBuilder(const JournalSpec& spec)
    : spec_(spec),
      format_(superblock_of(spec).format()),
      ring_end_(superblock_of(spec).ring_end()),
      head_(spec.start),
      next_tid_(spec.sequence),
      next_seconds_(spec.commit_seconds) {
  CHECK(spec.first.value() >= 1 && spec.first <= spec.start && spec.start < ring_end_,
        "the first transaction begins inside the ring");
}

BuiltWrite JournalBuilder::next_write(Kind kind, Tid tid) {
  CHECK(++used_ <= ring_end_ - spec_.first, "the transactions fit into the ring");
  BuiltWrite write;
  write.log = head_;
  write.bytes.resize(spec_.block_bytes);
  write.kind = kind;
  write.tid = tid;
  head_ = next_in_ring(head_, spec_.first, ring_end_);
  return write;
}

void JournalBuilder::add_revokes(const TransactionSpec& transaction, Tid tid,
                                 std::vector<BuiltWrite>& into) {
  const std::size_t most = format_.revokes_per_block();
  for (std::size_t i = 0; i < transaction.revokes.size(); i += most) {
    const auto first = transaction.revokes.begin() + static_cast<std::ptrdiff_t>(i);
    const std::size_t count = std::min(most, transaction.revokes.size() - i);
    BuiltWrite write = next_write(Kind::kRevoke, tid);
    encode_revoke(write.bytes, format_, tid, {first, first + static_cast<std::ptrdiff_t>(count)});
    into.push_back(std::move(write));
  }
}

void JournalBuilder::add_blocks(const TransactionSpec& transaction, Tid tid,
                                std::vector<BuiltWrite>& into) {
  const std::size_t most = transaction.tags_per_descriptor != 0 ? transaction.tags_per_descriptor
                                                                : format_.tags_per_descriptor();
  for (std::size_t i = 0; i < transaction.blocks.size(); i += most) {
    const std::size_t count = std::min(most, transaction.blocks.size() - i);
    BuiltWrite descriptor = next_write(Kind::kDescriptor, tid);
    std::vector<BuiltWrite> data;
    std::vector<Tag> tags;
    for (std::size_t k = i; k < i + count; ++k) {
      const DataSpec& spec = transaction.blocks[k];
      CHECK(spec.content.size() == spec_.block_bytes, "content is one block");
      BuiltWrite write = next_write(Kind::kData, tid);
      write.bytes = spec.content;
      write.home = spec.home;
      write.is_escaped = begins_with_magic(write.bytes);
      if (write.is_escaped) std::fill_n(write.bytes.begin(), 4, std::uint8_t{0});
      tags.push_back({spec.home, tag_checksum(write.bytes, format_, tid), write.is_escaped});
      data.push_back(std::move(write));
    }
    encode_descriptor(descriptor.bytes, format_, tid, tags, spec_.uuid);
    into.push_back(std::move(descriptor));
    std::ranges::move(data, std::back_inserter(into));
  }
}

void JournalBuilder::add_commit(const TransactionSpec& transaction, Tid tid,
                                std::vector<BuiltWrite>& into) {
  CommitBlock commit;
  commit.tid = tid;
  commit.seconds = transaction.commit_seconds.value_or(next_seconds_);
  next_seconds_ = commit.seconds + 1;
  if (format_.checksum == ChecksumKind::kV1) {
    commit.checksum_type = disk::kChecksumTypeCrc32;
    commit.checksum_size = disk::kChecksumSizeCrc32;
    commit.checksum = ~std::uint32_t{0};
    for (const BuiltWrite& write : into) {
      if (write.kind != Kind::kRevoke) commit.checksum = crc32_be(commit.checksum, write.bytes);
    }
  }
  BuiltWrite write = next_write(Kind::kCommit, tid);
  write.is_preflush = write.is_fua = !spec_.is_async;
  encode_commit(write.bytes, format_, commit);
  into.push_back(std::move(write));
}

std::vector<BuiltWrite> JournalBuilder::add_transaction(const TransactionSpec& transaction) {
  const Tid tid = transaction.tid.value_or(next_tid_);
  std::vector<BuiltWrite> built;
  add_revokes(transaction, tid, built);
  add_blocks(transaction, tid, built);
  if (transaction.has_commit) add_commit(transaction, tid, built);
  next_tid_ = tid.next();
  transactions_.push_back({transaction, tid});
  writes_.insert(writes_.end(), built.begin(), built.end());
  return built;
}

BuiltWrite& JournalBuilder::write_of(Tid tid, Kind kind, std::size_t index) {
  for (BuiltWrite& write : writes_) {
    if (write.tid == tid && write.kind == kind && index-- == 0) return write;
  }
  CHECK(false, "no such write");
}

void JournalBuilder::damage(Tid tid, Kind kind, std::size_t index, std::size_t offset) {
  write_of(tid, kind, index).bytes.at(offset) ^= 1;
}

void JournalBuilder::reseal(BuiltWrite& write) const {
  CHECK(write.kind != Kind::kData && write.kind != Kind::kSuperblock, "a block with a checksum");
  if (format_.tail_bytes() == 0) return;
  const std::size_t offset = write.kind == Kind::kCommit
                                 ? offsetof(disk::CommitBlock, checksums)
                                 : write.bytes.size() - sizeof(disk::BlockTail);
  store(write.bytes, offset, Be32(0));
  store(write.bytes, offset, Be32(crc32c(format_.seed, write.bytes)));
}

JournalSuperblock JournalBuilder::superblock() const {
  JournalSuperblock result = superblock_of(spec_);
  if (!writes_.empty()) result.start = spec_.start;
  return result;
}

BuiltWrite JournalBuilder::superblock_write() const {
  BuiltWrite write;
  write.kind = Kind::kSuperblock;
  write.tid = spec_.sequence;
  write.is_fua = true;
  write.bytes.resize(spec_.block_bytes);
  superblock().encode(write.bytes);
  return write;
}

Result<void> JournalBuilder::write_to(BlockDevice& device, const JournalMap& map) const {
  CHECK(map.block_bytes() == spec_.block_bytes && map.block_count() >= spec_.log_block_count,
        "the map is of this journal");
  const auto put = [&](const BuiltWrite& write) {
    return device.write(map.device_block(write.log).value() * spec_.block_bytes, write.bytes);
  };
  TRY(put(superblock_write()));
  for (const BuiltWrite& write : writes_) TRY(put(write));
  return {};
}

JournalBuilder::HomeBlocks JournalBuilder::expected_home(std::optional<Tid> up_to) const {
  HomeBlocks home;
  // Backwards: what a later transaction wrote or revoked wins.
  std::set<std::uint64_t> settled;
  auto end = transactions_.begin();
  for (Tid due = spec_.sequence; end != transactions_.end(); ++end, due = due.next()) {
    const bool is_wanted = !up_to || !up_to->comes_before(due);
    if (!is_wanted || !end->spec.has_commit || end->tid != due) break;
  }
  for (auto built = end; built != transactions_.begin();) {
    --built;
    for (const BlockNo block : built->spec.revokes) settled.insert(block.value());
    for (auto data = built->spec.blocks.rbegin(); data != built->spec.blocks.rend(); ++data) {
      const bool is_news = settled.insert(data->home.value()).second;
      if (is_news) home[data->home.value()] = data->content;
    }
  }
  return home;
}

std::vector<std::uint8_t> patterned_block(std::uint32_t block_bytes, std::uint64_t seed) {
  std::vector<std::uint8_t> block(block_bytes);
  Prng(seed).fill(block);
  block[0] = 0x11;
  return block;
}

std::vector<std::uint8_t> magic_block(std::uint32_t block_bytes, std::uint64_t seed) {
  std::vector<std::uint8_t> block = patterned_block(block_bytes, seed);
  store(block, 0, Be32(kJournalMagic));
  return block;
}

JournalMap map_in_one_run(BlockNo at, std::uint32_t count, std::uint32_t block_bytes,
                          std::uint64_t device_blocks) {
  auto map = JournalMap::make({{LogBlock(0), at, count}}, block_bytes, device_blocks);
  CHECK(map, "the journal fits on the device");
  return *map;
}

}  // namespace powercut
