// Commit blocks: with one on disk a transaction is whole.
#include "base/crc32c.h"
#include "format/jbd2_blocks.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

constexpr HeaderWords kCommitWords = {"commit block: magic", "commit block: block type",
                                      "commit block: tid"};

}  // namespace

Result<CommitBlock> parse_commit(Bytes block, const JournalFormat& format, Tid expected) {
  TRY(check_journal_header(block, format, JournalBlockType::kCommit, expected, kCommitWords));
  const auto stored = TRY(load<disk::CommitBlock>(block, 0));
  CommitBlock result;
  result.tid = expected;
  result.checksum_type = stored.checksum_type;
  result.checksum_size = stored.checksum_size;
  result.checksum = stored.checksums[0];
  result.seconds = stored.seconds;
  result.nanoseconds = stored.nanoseconds;
  return result;
}

void encode_commit(MutableBytes block, const JournalFormat& format, const CommitBlock& commit) {
  begin_journal_block(block, format, JournalBlockType::kCommit, commit.tid);
  const bool sums_itself = format.tail_bytes() != 0;
  disk::CommitBlock stored = *load<disk::CommitBlock>(block, 0);
  stored.checksum_type = sums_itself ? std::uint8_t{0} : commit.checksum_type;
  stored.checksum_size = sums_itself ? std::uint8_t{0} : commit.checksum_size;
  stored.checksums[0] = sums_itself ? 0 : commit.checksum;
  stored.seconds = commit.seconds;
  stored.nanoseconds = commit.nanoseconds;
  store(block, 0, stored);
  if (!sums_itself) return;
  stored.checksums[0] = crc32c(format.seed, block);
  store(block, 0, stored);
}

}  // namespace powercut
