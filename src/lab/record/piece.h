// Pieces: a range of the disk, cut at the multiples of the unit in which contents are kept.
#pragma once

#include <algorithm>

#include "base/units.h"
#include "lab/record/recording_format.h"

namespace powercut::lab {

// The number of a content in a recording; not a ContentId of a pool.
using ContentNumber = Unit<struct ContentNumberTag, std::uint32_t>;
inline constexpr ContentNumber kZeroes{0};  // all zeroes, of any length

// Calls visit(offset, length) for each piece of the range, in ascending order.
template <class Visit>
void for_each_piece(std::uint64_t offset, std::uint64_t length, Visit visit) {
  const std::uint64_t end = offset + length;
  while (offset < end) {
    const std::uint64_t count =
        std::min<std::uint64_t>(disk::kUnitBytes - offset % disk::kUnitBytes, end - offset);
    visit(offset, count);
    offset += count;
  }
}

inline std::uint64_t piece_count(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return 0;
  return (offset + length - 1) / disk::kUnitBytes - offset / disk::kUnitBytes + 1;
}

}  // namespace powercut::lab
