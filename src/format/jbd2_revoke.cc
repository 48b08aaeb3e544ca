// Revoke blocks: file-system blocks whose copies in this and older transactions are not replayed.
#include "format/jbd2_blocks.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

constexpr HeaderWords kWords = {"revoke block: magic", "revoke block: block type",
                                "revoke block: tid"};

}  // namespace

Result<std::vector<BlockNo>> parse_revoke(Bytes block, const JournalFormat& format, Tid expected) {
  TRY(check_journal_header(block, format, JournalBlockType::kRevoke, expected, kWords));
  const auto header = TRY(load<disk::RevokeHeader>(block, 0));
  const std::uint32_t record_bytes = format.is_64bit ? sizeof(Be64) : sizeof(Be32);
  const std::uint32_t used = header.used_bytes;
  if (used < sizeof(header) || (used - sizeof(header)) % record_bytes != 0) {
    return fail(Errc::kCorrupt, "revoke block: no whole number of records", used);
  }
  if (used > block.size() - format.tail_bytes()) {
    return fail(Errc::kCorrupt, "revoke block: records past the end", used);
  }
  std::vector<BlockNo> result;
  result.reserve((used - sizeof(header)) / record_bytes);
  for (std::size_t offset = sizeof(header); offset < used; offset += record_bytes) {
    const std::uint64_t number = format.is_64bit ? TRY(load<Be64>(block, offset)).value()
                                                 : TRY(load<Be32>(block, offset)).value();
    result.push_back(BlockNo(number));
  }
  return result;
}

void encode_revoke(MutableBytes block, const JournalFormat& format, Tid tid,
                   const std::vector<BlockNo>& blocks) {
  CHECK(blocks.size() <= format.revokes_per_block(), "revoke block: more records than fit");
  begin_journal_block(block, format, JournalBlockType::kRevoke, tid);
  std::size_t offset = sizeof(disk::RevokeHeader);
  for (const BlockNo number : blocks) {
    if (format.is_64bit) {
      store(block, offset, Be64(number.value()));
      offset += sizeof(Be64);
      continue;
    }
    CHECK(number.value() >> 32 == 0, "revoke block: block number needs the 64-bit feature");
    store(block, offset, Be32(static_cast<std::uint32_t>(number.value())));
    offset += sizeof(Be32);
  }
  store(block, offsetof(disk::RevokeHeader, used_bytes), Be32(static_cast<std::uint32_t>(offset)));
  seal_tail(block, format);
}

}  // namespace powercut
