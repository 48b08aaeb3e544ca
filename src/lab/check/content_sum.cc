#include "lab/check/content_sum.h"

namespace powercut::lab {
namespace {

constexpr std::size_t kSizeAtFirst = 1024;

}  // namespace

SumTable::Entry& SumTable::place_of(std::uint64_t sum) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t at = sum & mask;
  while (entries_[at].is_used && entries_[at].sum != sum) at = (at + 1) & mask;
  return entries_[at];
}

void SumTable::grow() {
  std::vector<Entry> before(entries_.empty() ? kSizeAtFirst : entries_.size() * 2);
  before.swap(entries_);
  for (const Entry& entry : before) {
    if (entry.is_used) place_of(entry.sum) = entry;
  }
}

std::uint32_t& SumTable::of(std::uint64_t sum) {
  if (count_ * 2 >= entries_.size()) grow();
  Entry& entry = place_of(sum);
  if (!entry.is_used) {
    entry = {sum, 0, true};
    ++count_;
  }
  return entry.number;
}

}  // namespace powercut::lab
