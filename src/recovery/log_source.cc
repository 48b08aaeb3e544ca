#include "recovery/log_source.h"

#include "base/crc32c.h"

namespace powercut {

LogBlockFacts facts_of(Bytes block, const JournalFormat& format) {
  LogBlockFacts facts;
  facts.header = parse_journal_header(block);
  if (!facts.header) return facts;
  if (facts.header->is(JournalBlockType::kDescriptor)) {
    facts.checksum = tail_checksum(block, format);
    facts.tags = tags_that_fit(block, format);
  }
  if (facts.header->is(JournalBlockType::kRevoke)) {
    facts.checksum = tail_checksum(block, format);
    facts.revokes = revokes_that_fit(block, format);
  }
  if (facts.header->is(JournalBlockType::kCommit)) {
    const auto commit = parse_commit(block, format, facts.header->tid);
    CHECK(commit, "header and size of the commit block were looked at");
    facts.commit = *commit;
    facts.checksum = commit_checksum(block, format);
    facts.head_matches = format.tail_bytes() != 0 && commit_head_checksum(block, format).matches();
  }
  return facts;
}

void DeviceLog::begin(const JournalFormat& format, LogBlock ring_end, bool reads_data) {
  format_ = format;
  window_.emplace(reader_, ring_end, reads_data);
}

Result<const LogBlockFacts*> DeviceLog::facts(LogBlock log) {
  facts_ = facts_of(TRY(window_->block(log)), format_);
  return &facts_;
}

Result<std::uint32_t> DeviceLog::data_checksum(LogBlock log, Tid tid) {
  return tag_checksum(TRY(window_->block(log)), format_, tid);
}

Result<std::uint32_t> DeviceLog::crc32_over(std::uint32_t start, LogBlock log) {
  return crc32_be(start, TRY(window_->block(log)));
}

}  // namespace powercut
