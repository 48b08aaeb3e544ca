// Sums that identify a set of (block, content) pairs, whatever the order in which it was made:
// equal sets have equal sums, different ones the same sum with probability 2^-64.
#pragma once

#include <vector>

#include "lab/record/content_pool.h"

namespace powercut::lab {

// A number that looks random: every bit depends on every bit.
constexpr std::uint64_t mixed(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

// What `block` adds to a sum while it holds `content`.
constexpr std::uint64_t part_of_sum(BlockNo block, ContentId content) {
  return mixed(mixed(block.value()) + content.value());
}

// Which sums were met, with a number for each.  Memory: 16 to 32 bytes for each.
class SumTable {
 public:
  std::size_t size() const { return count_; }
  // The number of `sum`; 0 if it was not met.  What is put there stays.
  std::uint32_t& of(std::uint64_t sum);

 private:
  struct Entry {
    std::uint64_t sum = 0;
    std::uint32_t number = 0;
    bool is_used = false;
  };
  Entry& place_of(std::uint64_t sum);
  void grow();

  std::vector<Entry> entries_;  // a power of two, at most half of them used
  std::size_t count_ = 0;
};

}  // namespace powercut::lab
