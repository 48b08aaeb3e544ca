#include "format/jbd2_fast_commit.h"

#include <algorithm>
#include <iterator>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

constexpr std::size_t kHeaderBytes = sizeof(disk::FastCommitTagHeader);

// Too short for its tag, or of no known tag: `where` is its offset.
Failure bad_record(const char* what, const FastCommitRecord& record) {
  return fail(Errc::kCorrupt, what, record.offset);
}

Result<void> take_add_range(Bytes value, FastCommitRecord& record) {
  const auto stored = load<disk::FastCommitAddRange>(value, 0);
  if (!stored) return bad_record("fast commit: range too short", record);
  record.inode = InodeNo(stored->inode);
  record.file = FileBlock(stored->file_block);
  record.device = BlockNo(std::uint64_t{stored->device_high} << 32 | stored->device_low);
  record.is_unwritten = stored->count > disk::kFastCommitUnwrittenBase;
  record.count = std::uint32_t{stored->count} -
                 (record.is_unwritten ? disk::kFastCommitUnwrittenBase : std::uint32_t{0});
  return {};
}

Result<void> take_delete_range(Bytes value, FastCommitRecord& record) {
  const auto stored = load<disk::FastCommitDeleteRange>(value, 0);
  if (!stored) return bad_record("fast commit: deleted range too short", record);
  record.inode = InodeNo(stored->inode);
  record.file = FileBlock(stored->file_block);
  record.count = stored->count;
  return {};
}

Result<void> take_name(Bytes value, FastCommitRecord& record) {
  const auto stored = load<disk::FastCommitName>(value, 0);
  if (!stored) return bad_record("fast commit: name too short", record);
  record.inode = InodeNo(stored->inode);
  record.parent = InodeNo(stored->parent);
  const Bytes name = value.subspan(sizeof(*stored));
  record.name.assign(name.begin(), name.end());
  return {};
}

Result<void> take_inode(Bytes value, FastCommitRecord& record) {
  const auto stored = load<Le32>(value, 0);
  if (!stored) return bad_record("fast commit: inode too short", record);
  record.inode = InodeNo(*stored);
  return {};
}

// `value` is what follows the record's header.
Result<void> take_value(Bytes value, FastCommitRecord& record) {
  switch (record.tag) {
    case FastCommitTag::kAddRange: return take_add_range(value, record);
    case FastCommitTag::kDeleteRange: return take_delete_range(value, record);
    case FastCommitTag::kCreate:
    case FastCommitTag::kLink:
    case FastCommitTag::kUnlink: return take_name(value, record);
    case FastCommitTag::kInode: return take_inode(value, record);
    case FastCommitTag::kPad:
    case FastCommitTag::kTail:
    case FastCommitTag::kHead: return {};
  }
  return bad_record("fast commit: unknown tag", record);
}

class Walker {
 public:
  Walker(Bytes area, std::uint32_t block_bytes, Tid expected)
      : area_(area), block_bytes_(block_bytes), expected_(expected) {}

  Result<std::optional<FastCommits>> run() {
    const std::size_t whole = area_.size() - area_.size() % block_bytes_;
    for (std::size_t block = 0; block < whole && !is_at_end_; block += block_bytes_) {
      TRY(walk_block(block));
    }
    if (commits_.commit_count == 0) return std::optional<FastCommits>();
    commits_.tid = expected_;
    return std::optional(std::move(commits_));
  }

 private:
  // Each turn moves at least a header forward.
  Result<void> walk_block(std::size_t block) {
    const std::size_t end = block + block_bytes_;
    for (std::size_t offset = block; end - offset >= kHeaderBytes && !is_at_end_;) {
      const auto header = *load<disk::FastCommitTagHeader>(area_, offset);
      const std::size_t length = header.length;
      const bool begins_rightly = offset != 0 || is_head(header, area_.subspan(kHeaderBytes));
      if (header.tag.value() == 0 || length > end - offset - kHeaderBytes || !begins_rightly) {
        is_at_end_ = true;
        break;
      }
      TRY(take(header, offset));
      offset += kHeaderBytes + length;
    }
    return {};
  }

  bool is_head(const disk::FastCommitTagHeader& header, Bytes value) const {
    const auto tid = load<Le32>(value, offsetof(disk::FastCommitHead, tid) - kHeaderBytes);
    return header.tag.value() == disk::kFastCommitHeadTag &&
           header.length >= sizeof(disk::FastCommitHead) - kHeaderBytes && tid &&
           Tid(*tid) == expected_;
  }

  Result<void> take(const disk::FastCommitTagHeader& header, std::size_t offset) {
    FastCommitRecord record;
    record.tag = static_cast<FastCommitTag>(header.tag.value());
    record.offset = offset;
    const Bytes value = area_.subspan(offset + kHeaderBytes, header.length);
    if (record.tag == FastCommitTag::kTail) return take_tail(value, record);
    const Result<void> outcome = take_value(value, record);
    // It counts only if the commit turns out to be whole.
    if (!outcome && !trouble_) trouble_ = outcome.error();
    sum_ = crc32c(sum_, area_.subspan(offset, kHeaderBytes + header.length));
    if (record.tag != FastCommitTag::kPad) pending_.push_back(std::move(record));
    return {};
  }

  Result<void> take_tail(Bytes value, const FastCommitRecord& record) {
    const auto stored = load<disk::FastCommitTail>(value, 0);
    constexpr std::size_t kSummed = kHeaderBytes + offsetof(disk::FastCommitTail, checksum);
    const bool is_expected = stored && Tid(stored->tid) == expected_;
    if (is_expected) sum_ = crc32c(sum_, area_.subspan(record.offset, kSummed));
    if (!is_expected || (!kFuzzing && stored->checksum.value() != sum_)) {
      is_at_end_ = true;
      return {};
    }
    if (trouble_) return Failure{*trouble_};
    pending_.push_back(record);
    std::ranges::move(pending_, std::back_inserter(commits_.records));
    pending_.clear();
    ++commits_.commit_count;
    sum_ = 0;
    return {};
  }

  const Bytes area_;
  const std::uint32_t block_bytes_;
  const Tid expected_;
  FastCommits commits_;
  std::vector<FastCommitRecord> pending_;  // of the commit that is being read
  std::optional<Error> trouble_;           // in it
  std::uint32_t sum_ = 0;                  // of it so far
  bool is_at_end_ = false;
};

}  // namespace

std::string_view fast_commit_tag_name(FastCommitTag tag) {
  switch (tag) {
    case FastCommitTag::kAddRange: return "add range";
    case FastCommitTag::kDeleteRange: return "delete range";
    case FastCommitTag::kCreate: return "create";
    case FastCommitTag::kLink: return "link";
    case FastCommitTag::kUnlink: return "unlink";
    case FastCommitTag::kInode: return "inode";
    case FastCommitTag::kPad: return "pad";
    case FastCommitTag::kTail: return "tail";
    case FastCommitTag::kHead: return "head";
  }
  return "?";
}

FastCommitArea fast_commit_area(const JournalSuperblock& superblock) {
  if (!superblock.has(JournalIncompat::kFastCommit)) return {};
  const LogBlock first = superblock.ring_end() + 1;
  const std::uint32_t end = superblock.log_block_count;
  return {first, first.value() < end ? end - first.value() : 0};
}

Result<std::optional<FastCommits>> parse_fast_commits(Bytes area, std::uint32_t block_bytes,
                                                      Tid expected) {
  CHECK(block_bytes >= kHeaderBytes, "a block holds a record");
  return Walker(area, block_bytes, expected).run();
}

}  // namespace powercut
