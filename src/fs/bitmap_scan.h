// Free runs in a group's block bitmap.  A bit is free if it is clear in the bitmap and not held by
// a window.  Pure.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace powercut::fs {

struct BitRun {
  std::uint32_t first = 0, count = 0;
};

class FreeBits {
 public:
  // `bitmap`: a whole number of 8 bytes.  `held`: a word for each 64 bits, or empty: none is held.
  // Bits from `bits` on are not looked at.
  FreeBits(Bytes bitmap, std::span<const std::uint64_t> held, std::uint32_t bits)
      : bitmap_(bitmap), held_(held), bits_(bits) {}

  // The first free bit from `from` on; the number of bits if there is none.
  std::uint32_t next_free(std::uint32_t from) const { return next(from, ~std::uint64_t{0}); }
  // The first that is not.
  std::uint32_t next_used(std::uint32_t from) const { return next(from, 0); }
  // The free bits from `at` on, at most `most`.
  BitRun run_at(std::uint32_t at, std::uint32_t most) const {
    if (at >= bits_) return {at, 0};
    return {at, std::min(next_used(at) - at, most)};
  }
  // The first run of at least `ask` from `from` on; if there is none, the longest one.
  BitRun first_run(std::uint32_t from, std::uint32_t ask) const {
    BitRun longest{from, 0};
    for (std::uint32_t at = next_free(from); at < bits_; at = next_free(at)) {
      const BitRun run{at, next_used(at) - at};
      if (run.count > longest.count) longest = run;
      if (longest.count >= ask) break;
      at += run.count;
    }
    return longest;
  }
  std::uint32_t count_free() const {
    std::uint32_t count = 0;
    for (std::uint32_t at = next_free(0); at < bits_;) {
      const std::uint32_t end = next_used(at);
      count += end - at;
      at = next_free(end);
    }
    return count;
  }

 private:
  std::uint64_t word(std::uint32_t index) const {
    std::uint64_t value;  // bit 0 first: as stored, on a machine that is little-endian
    std::memcpy(&value, bitmap_.data() + std::size_t{index} * 8, 8);
    if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
    return held_.empty() ? value : value | held_[index];
  }
  // The first bit from `from` on that is 1 in (used bits xor `flip`).
  std::uint32_t next(std::uint32_t from, std::uint64_t flip) const {
    if (from >= bits_) return bits_;
    std::uint32_t index = from / 64;
    std::uint64_t found = (word(index) ^ flip) & (~std::uint64_t{0} << (from % 64));
    while (found == 0) {
      if (++index * std::uint64_t{64} >= bits_) return bits_;
      found = word(index) ^ flip;
    }
    return std::min(bits_, index * 64 + static_cast<std::uint32_t>(std::countr_zero(found)));
  }

  Bytes bitmap_;
  std::span<const std::uint64_t> held_;
  std::uint32_t bits_;
};

// Sets or clears the bits of a range, which lies inside.
inline void put_bits(MutableBytes bitmap, BitRun range, bool is_used) {
  for (std::uint32_t i = range.first; i < range.first + range.count;) {
    if (i % 8 == 0 && range.first + range.count - i >= 8) {
      bitmap[i / 8] = is_used ? 0xFF : 0;
      i += 8;
      continue;
    }
    const auto bit = static_cast<std::uint8_t>(1u << (i % 8));
    bitmap[i / 8] = static_cast<std::uint8_t>(is_used ? bitmap[i / 8] | bit : bitmap[i / 8] & ~bit);
    ++i;
  }
}

// The same for the words of what is held.
inline void put_bits(std::span<std::uint64_t> held, BitRun range, bool is_held) {
  for (std::uint32_t i = range.first; i < range.first + range.count; ++i) {
    const std::uint64_t bit = std::uint64_t{1} << (i % 64);
    held[i / 64] = is_held ? held[i / 64] | bit : held[i / 64] & ~bit;
  }
}

}  // namespace powercut::fs
