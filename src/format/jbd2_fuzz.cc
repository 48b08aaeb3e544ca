// Every jbd2 parser on any bytes.  Byte 0 chooses the format, byte 1 the parser; the rest is one
// log block (cut off or filled with zeroes), or an area of fast commits.  What parses is written
// and must parse to the same again.
#include <algorithm>

#include "format/jbd2_fast_commit.h"

namespace {

using namespace powercut;
using Block = std::vector<std::uint8_t>;

JournalFormat format_of(std::uint8_t choice) {
  JournalFormat format;
  format.checksum = static_cast<ChecksumKind>(choice & 3);
  format.is_64bit = (choice & 4) != 0;
  format.block_bytes = (choice & 8) != 0 ? 4096 : 1024;
  format.seed = choice;
  return format;
}

Tid tid_of(Bytes block) {
  const auto header = parse_journal_header(block);
  return header ? header->tid : Tid(0);
}

void fuzz_descriptor(Bytes block, const JournalFormat& format) {
  const Tid tid = tid_of(block);
  const auto tags = parse_descriptor(block, format, tid);
  const std::uint32_t count = count_tags(block, format);
  CHECK(tags_that_fit(block, format).size() == count, "tags that fit are counted");
  CHECK(count * format.tag_bytes() < format.block_bytes, "tags lie inside the block");
  if (!tags) return;
  CHECK(tags->size() == count, "both count the same tags");
  // A hostile block leaves out every UUID and so has room for more tags than we write.
  if (tags->size() > format.tags_per_descriptor()) return;
  Block written(format.block_bytes);
  encode_descriptor(written, format, tid, *tags);
  CHECK(tail_checksum_matches(written, format), "a descriptor is sealed");
  const auto again = parse_descriptor(written, format, tid);
  CHECK(again && again->size() == count, "a descriptor that was written can be read");
  for (std::size_t i = 0; i < tags->size(); ++i) {
    const Tag &a = (*tags)[i], &b = (*again)[i];
    CHECK(a.block == b.block && a.checksum == b.checksum && a.is_escaped == b.is_escaped &&
              a.is_deleted == b.is_deleted,
          "a tag comes back as it was");
  }
}

void fuzz_revoke(Bytes block, const JournalFormat& format) {
  const Tid tid = tid_of(block);
  const auto revokes = parse_revoke(block, format, tid);
  const auto fitting = revokes_that_fit(block, format);
  CHECK(!revokes || (fitting && *fitting == *revokes), "what can be read fits");
  if (!revokes) return;
  Block written(format.block_bytes);
  encode_revoke(written, format, tid, *revokes);
  CHECK(tail_checksum_matches(written, format), "a revoke block is sealed");
  const auto again = parse_revoke(written, format, tid);
  CHECK(again && *again == *revokes, "a revoke block comes back as it was");
}

void fuzz_commit(Bytes block, const JournalFormat& format) {
  const Tid tid = tid_of(block);
  const auto commit = parse_commit(block, format, tid);
  if (!commit) return;
  Block written(format.block_bytes);
  encode_commit(written, format, *commit);
  CHECK(commit_checksum_matches(written, format), "a commit block is sealed");
  CHECK(commit_head_checksum(written, format).matches(), "and zero behind its header");
  const auto again = parse_commit(written, format, tid);
  CHECK(again && again->seconds == commit->seconds && again->nanoseconds == commit->nanoseconds,
        "a commit block comes back as it was");
}

// `area` begins with a head, whatever its tid is.
void fuzz_fast_commits(Bytes area, const JournalFormat& format) {
  const auto tid = parse_fast_commit_head(area);
  const auto commits = parse_fast_commits(area, format.block_bytes, tid.value_or(Tid(0)));
  if (!commits) return;
  CHECK(tid == commits->tid && !commits->records.empty(), "fast commits begin with their head");
  std::uint32_t tails = 0;
  std::uint64_t end = 0;
  for (const FastCommitRecord& record : commits->records) {
    CHECK(record.offset >= end && record.offset + 4 <= area.size(), "records follow each other");
    end = record.offset + 4;
    tails += record.tag == FastCommitTag::kTail ? 1 : 0;
  }
  CHECK(tails == commits->commit_count, "each commit has its tail");
  CHECK(commits->records.back().tag == FastCommitTag::kTail, "the last record is a tail");
}

void fuzz_superblock(Bytes block) {
  ignore_error(JournalSuperblock::parse_unverified(block), "only that it ends");
  const auto superblock = JournalSuperblock::parse(block);
  if (!superblock) return;
  CHECK(superblock->first < superblock->ring_end(), "the ring has a block");
  Block written(1024);
  superblock->encode(written);
  const auto again = JournalSuperblock::parse(written);
  CHECK(again, "a superblock that was written can be read");
  Block twice(1024);
  again->encode(twice);
  CHECK(written == twice, "a superblock comes back as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const JournalFormat format = format_of(data[0]);
  Block block(format.block_bytes);
  const Bytes rest = Bytes(data, size).subspan(2);
  std::copy_n(rest.begin(), std::min(rest.size(), block.size()), block.begin());
  switch (data[1] % 6) {
    case 0: fuzz_descriptor(block, format); break;
    case 1: fuzz_revoke(block, format); break;
    case 2: fuzz_commit(block, format); break;
    case 3: fuzz_superblock(block); break;
    case 5: fuzz_fast_commits(rest, format); break;
    case 4: ignore_error(parse_descriptor(rest, format, Tid(0)), "a block of any size"); break;
  }
  return 0;
}
