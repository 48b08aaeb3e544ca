#include "recovery/fast_commit.h"

#include <vector>

#include "base/stored_int.h"

namespace powercut {
namespace {

constexpr std::uint16_t kHeadTag = 9;  // stored

struct FastCommitHead {
  Le16 tag;       // fc_tag
  Le16 length;    // fc_len: bytes of what follows
  Le32 features;  // fc_features
  Le32 tid;       // fc_tid
};
static_assert(sizeof(FastCommitHead) == 12 && alignof(FastCommitHead) == 1);
STORED_AT(FastCommitHead, tag, 0x0);
STORED_AT(FastCommitHead, length, 0x2);
STORED_AT(FastCommitHead, features, 0x4);
STORED_AT(FastCommitHead, tid, 0x8);

}  // namespace

Result<void> refuse_fast_commits(const LogReader& reader, const JournalSuperblock& superblock,
                                 Tid next_tid) {
  if (!superblock.has(JournalIncompat::kFastCommit)) return {};
  std::vector<std::uint8_t> block(reader.block_bytes());
  TRY(reader.read(superblock.ring_end(), block));
  const auto head = TRY(load<FastCommitHead>(block, 0));
  if (head.tag.value() == kHeadTag && Tid(head.tid) == next_tid) {
    return fail(Errc::kUnsupported, "journal: fast commits are not replayed", next_tid.value());
  }
  return {};
}

}  // namespace powercut
