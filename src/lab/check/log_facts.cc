#include "lab/check/log_facts.h"

#include "base/stored_int.h"

namespace powercut::lab {
namespace {

bool is_same(const JournalFormat& a, const JournalFormat& b) {
  return a.block_bytes == b.block_bytes && a.checksum == b.checksum && a.is_64bit == b.is_64bit &&
         a.seed == b.seed;
}

std::uint32_t part_of(Tid tid, std::uint32_t seed, const ZeroStep& over_block) {
  const Be32 sequence = tid.value();
  return over_block(crc32c(seed, bytes_of(sequence)));
}

}  // namespace

void LogFacts::set_format(const JournalFormat& format) {
  if (has_format_ && is_same(format, format_)) return;
  has_format_ = true;
  format_ = format;
  places_.clear();
  facts_.clear();
  tid_part_ = part_of(tid_, format_.seed, over_block_);
}

const LogBlockFacts& LogFacts::of(ContentId content) {
  if (content.value() >= places_.size()) places_.resize(pool_.size(), kUnknown);
  std::uint32_t& place = places_[content.value()];
  if (place == kNoHeader) return no_header_;
  if (place != kUnknown) return facts_[place - 2];
  LogBlockFacts facts = facts_of(pool_.bytes(content), format_);
  if (!facts.header) {
    place = kNoHeader;
    return no_header_;
  }
  facts_.push_back(std::move(facts));
  place = static_cast<std::uint32_t>(facts_.size()) + 1;
  return facts_.back();
}

std::uint32_t LogFacts::data_checksum(ContentId content, Tid tid) {
  if (format_.tail_bytes() == 0) return 0;
  if (tid != tid_) {
    tid_ = tid;
    tid_part_ = part_of(tid, format_.seed, over_block_);
  }
  if (content.value() >= sums_.size()) sums_.resize(pool_.size());
  Sum& sum = sums_[content.value()];
  if (!sum.is_known) sum = {crc32c(0, pool_.bytes(content)), true};
  const std::uint32_t whole = sum.sum ^ tid_part_;
  return format_.checksum == ChecksumKind::kV2 ? whole & 0xFFFF : whole;
}

Result<ContentId> LogFacts::unescaped(ContentId content) {
  const auto found = unescaped_.find(content.value());
  if (found != unescaped_.end()) return found->second;
  const Bytes logged = pool_.bytes(content);
  std::vector<std::uint8_t> block(logged.begin(), logged.end());
  store(MutableBytes(block), 0, Be32(kJournalMagic));
  const ContentId id = TRY(pool_.add(block));
  unescaped_.emplace(content.value(), id);
  return id;
}

}  // namespace powercut::lab
