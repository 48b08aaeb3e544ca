// Revoke blocks: file-system blocks whose copies in this and older transactions are not replayed.
#include "format/jbd2_blocks.h"
#include "format/jbd2_disk.h"

namespace powercut {
namespace {

constexpr HeaderWords kRevokeWords = {"revoke block: magic", "revoke block: block type",
                                      "revoke block: tid"};

std::size_t record_bytes(const JournalFormat& format) {
  return format.is_64bit ? sizeof(Be64) : sizeof(Be32);
}

}  // namespace

Result<std::vector<BlockNo>> parse_revoke(Bytes block, const JournalFormat& format, Tid expected) {
  TRY(check_journal_header(block, format, JournalBlockType::kRevoke, expected, kRevokeWords));
  const auto header = TRY(load<disk::RevokeHeader>(block, 0));
  const std::uint32_t used = header.used_bytes;
  if (used < sizeof(header) || (used - sizeof(header)) % record_bytes(format) != 0) {
    return fail(Errc::kCorrupt, "revoke block: no whole number of records", used);
  }
  auto records = revokes_that_fit(block, format);
  if (!records) return fail(Errc::kCorrupt, "revoke block: records past the end", used);
  return *std::move(records);
}

std::optional<std::vector<BlockNo>> revokes_that_fit(Bytes block, const JournalFormat& format) {
  if (block.size() != format.block_bytes) return std::nullopt;
  const std::uint32_t used = load<disk::RevokeHeader>(block, 0)->used_bytes;
  if (used > block.size() - format.tail_bytes()) return std::nullopt;
  const std::size_t step = record_bytes(format);
  std::vector<BlockNo> result;
  for (std::size_t end = sizeof(disk::RevokeHeader) + step; end <= used; end += step) {
    result.push_back(format.is_64bit ? BlockNo(*load<Be64>(block, end - step))
                                     : BlockNo(*load<Be32>(block, end - step)));
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
