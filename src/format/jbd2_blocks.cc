#include "format/jbd2_blocks.h"

#include <algorithm>

#include "base/crc32c.h"
#include "format/jbd2_disk.h"

namespace powercut {

Result<void> check_journal_header(Bytes block, const JournalFormat& format, JournalBlockType type,
                                  Tid expected, const HeaderWords& words) {
  if (block.size() != format.block_bytes) {
    return fail(Errc::kCorrupt, "journal: not one whole log block", block.size());
  }
  const auto header = parse_journal_header(block);
  if (!header) return fail(Errc::kCorrupt, words.magic);
  if (!header->is(type)) return fail(Errc::kCorrupt, words.type, header->type);
  if (header->tid != expected) return fail(Errc::kCorrupt, words.tid, header->tid.value());
  return {};
}

void begin_journal_block(MutableBytes block, const JournalFormat& format, JournalBlockType type,
                         Tid tid) {
  CHECK(block.size() == format.block_bytes, "a log block is encoded whole");
  std::ranges::fill(block, std::uint8_t{0});
  disk::JournalHeader header;
  header.magic = kJournalMagic;
  header.type = static_cast<std::uint32_t>(type);
  header.sequence = tid.value();
  store(block, 0, header);
}

void seal_tail(MutableBytes block, const JournalFormat& format) {
  if (format.tail_bytes() == 0) return;
  const std::size_t offset = block.size() - sizeof(disk::BlockTail);
  disk::BlockTail tail{};
  store(block, offset, tail);
  tail.checksum = crc32c(format.seed, block);
  store(block, offset, tail);
}

}  // namespace powercut
