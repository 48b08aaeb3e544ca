#include "lab/check/word_facts.h"

#include <algorithm>

namespace powercut::lab {

void WordFacts::add_run(std::uint32_t run) {
  codes_.emplace_back(run);
  place_of_.clear();
  blocks_.clear();
  units_.clear();
}

const BlockFact& WordFacts::block(const ContentPool& pool, ContentId content) {
  if (content.value() >= place_of_.size()) place_of_.resize(pool.size(), kUnknown);
  std::uint32_t& place = place_of_[content.value()];
  if (place != kUnknown) return blocks_[place];
  const Bytes bytes = pool.bytes(content);
  place = static_cast<std::uint32_t>(blocks_.size());
  BlockFact fact;
  fact.first_unit = static_cast<std::uint32_t>(units_.size());
  for (std::uint32_t i = 0; i < units_per_block_; ++i) {
    units_.push_back(read_unit(bytes.subspan(std::size_t{i} * kUnitBytes, kUnitBytes)));
  }
  fact.is_cut = is_cut(bytes, units_, fact.first_unit);
  blocks_.push_back(fact);
  return blocks_.back();
}

UnitFact WordFacts::read_unit(Bytes bytes) const {
  if (all_zero(bytes)) return {.kind = UnitFact::Kind::kZero};
  const std::uint64_t first_stored = word_at(bytes, 0);
  const SelfWord first = WordCode::decode(first_stored);
  const auto code =
      std::ranges::find_if(codes_, [&](const WordCode& one) { return one.is_own(first_stored); });
  if (code == codes_.end() || first.index % kUnitWords != 0) return {};
  UnitFact fact{UnitFact::Kind::kWords, code->run(), first.file, first.index / kUnitWords,
                first.version};
  for (std::uint32_t i = 1; i < kUnitWords; ++i) {
    const std::uint64_t stored = word_at(bytes, std::size_t{i} * kWordBytes);
    const SelfWord word = WordCode::decode(stored);
    if (word.file != first.file || word.index != first.index + i || !code->is_own(stored)) {
      return {};
    }
    fact.version_min = std::min(fact.version_min, word.version);
  }
  return fact;
}

bool WordFacts::is_cut(Bytes bytes, const std::vector<UnitFact>& units, std::size_t first) const {
  for (std::uint32_t i = 0; i < units_per_block_; ++i) {
    const UnitFact& unit = units[first + i];
    if (unit.kind != UnitFact::Kind::kWords || unit.run != units[first].run ||
        unit.file != units[first].file || unit.unit != units[first].unit + i) {
      return false;
    }
  }
  const std::uint32_t highest = WordCode::decode(word_at(bytes, 0)).version;
  std::uint32_t before = highest;
  for (std::size_t at = 0; at < bytes.size(); at += kWordBytes) {
    const std::uint32_t version = WordCode::decode(word_at(bytes, at)).version;
    if (version > before) return false;
    before = version;
  }
  return highest - before <= 1;
}

}  // namespace powercut::lab
