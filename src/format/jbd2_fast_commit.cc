#include "format/jbd2_fast_commit.h"

#include <algorithm>
#include <iterator>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

constexpr std::size_t kTagHeaderBytes = sizeof(disk::FastCommitTagHeader);

// Each false if `value` is too short.
bool take_add_range(Bytes value, FastCommitRecord& record) {
  const auto stored = load<disk::FastCommitAddRange>(value, 0);
  if (!stored) return false;
  record.inode = InodeNo(stored->inode);
  record.file = FileBlock(stored->file_block);
  record.device = BlockNo(joined(stored->device_low, stored->device_high));
  record.is_unwritten = stored->count > disk::kFastCommitUnwrittenBase;
  record.count = std::uint32_t{stored->count} -
                 (record.is_unwritten ? disk::kFastCommitUnwrittenBase : std::uint32_t{0});
  return true;
}

bool take_delete_range(Bytes value, FastCommitRecord& record) {
  const auto stored = load<disk::FastCommitDeleteRange>(value, 0);
  if (!stored) return false;
  record.inode = InodeNo(stored->inode);
  record.file = FileBlock(stored->file_block);
  record.count = stored->count;
  return true;
}

bool take_name(Bytes value, FastCommitRecord& record) {
  const auto stored = load<disk::FastCommitName>(value, 0);
  if (!stored) return false;
  record.inode = InodeNo(stored->inode);
  record.parent = InodeNo(stored->parent);
  const Bytes name = value.subspan(sizeof(*stored));
  record.name.assign(name.begin(), name.end());
  return true;
}

bool take_inode(Bytes value, FastCommitRecord& record) {
  const auto stored = load<Le32>(value, 0);
  if (!stored) return false;
  record.inode = InodeNo(*stored);
  return true;
}

// `value` is what follows the record's header.  False if it cannot be read.
bool take_value(Bytes value, FastCommitRecord& record) {
  switch (record.tag) {
    case FastCommitTag::kAddRange: return take_add_range(value, record);
    case FastCommitTag::kDeleteRange: return take_delete_range(value, record);
    case FastCommitTag::kCreate:
    case FastCommitTag::kLink:
    case FastCommitTag::kUnlink: return take_name(value, record);
    case FastCommitTag::kInode: return take_inode(value, record);
    case FastCommitTag::kPad:
    case FastCommitTag::kTail:
    case FastCommitTag::kHead: return true;
  }
  return false;
}

class Walker {
 public:
  Walker(Bytes area, std::uint32_t block_bytes, Tid expected)
      : area_(area), block_bytes_(block_bytes), expected_(expected) {}

  std::optional<FastCommits> run() {
    const std::size_t whole = area_.size() - area_.size() % block_bytes_;
    bool goes_on = begins_rightly();
    for (std::size_t block = 0; block < whole && goes_on; block += block_bytes_) {
      goes_on = walk_block(block);
    }
    if (commits_.commit_count == 0) return std::nullopt;
    commits_.tid = expected_;
    return std::move(commits_);
  }

 private:
  bool begins_rightly() const {
    const auto head = load<disk::FastCommitHead>(area_, 0);
    return head && head->tag.value() == disk::kFastCommitHeadTag &&
           head->length >= sizeof(*head) - kTagHeaderBytes && head->features.value() == 0 &&
           Tid(head->tid) == expected_;
  }

  // Each turn moves at least a header forward.  False where the area ends.
  bool walk_block(std::size_t block) {
    const std::size_t end = block + block_bytes_;
    for (std::size_t offset = block; end - offset >= kTagHeaderBytes;) {
      const auto header = *load<disk::FastCommitTagHeader>(area_, offset);
      const std::size_t length = header.length;
      if (length > end - offset - kTagHeaderBytes) return false;
      FastCommitRecord record;
      record.tag = static_cast<FastCommitTag>(header.tag.value());
      record.offset = offset;
      if (!take(std::move(record), area_.subspan(offset + kTagHeaderBytes, length))) return false;
      offset += kTagHeaderBytes + length;
    }
    return true;
  }

  bool take(FastCommitRecord record, Bytes value) {
    if (!take_value(value, record)) return false;
    if (record.tag == FastCommitTag::kTail) return take_tail(value, std::move(record));
    sum_ = crc32c(sum_, area_.subspan(record.offset, kTagHeaderBytes + value.size()));
    if (record.tag != FastCommitTag::kPad) pending_.push_back(std::move(record));
    return true;
  }

  bool take_tail(Bytes value, FastCommitRecord record) {
    const auto stored = load<disk::FastCommitTail>(value, 0);
    if (!stored || Tid(stored->tid) != expected_) return false;
    constexpr std::size_t kSummed = kTagHeaderBytes + offsetof(disk::FastCommitTail, checksum);
    sum_ = crc32c(sum_, area_.subspan(record.offset, kSummed));
    if (!is_fuzzing() && stored->checksum.value() != sum_) return false;
    pending_.push_back(std::move(record));
    std::ranges::move(pending_, std::back_inserter(commits_.records));
    pending_.clear();
    ++commits_.commit_count;
    sum_ = 0;
    return true;
  }

  const Bytes area_;
  const std::uint32_t block_bytes_;
  const Tid expected_;
  FastCommits commits_;
  std::vector<FastCommitRecord> pending_;  // of the commit that is being read
  std::uint32_t sum_ = 0;                  // of it so far
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

std::optional<FastCommits> parse_fast_commits(Bytes area, std::uint32_t block_bytes, Tid expected) {
  CHECK(block_bytes >= kTagHeaderBytes, "a block holds a record");
  return Walker(area, block_bytes, expected).run();
}

}  // namespace powercut
