// Data that says of itself what it is: the content of a workload's files.
//
// Words
//   word      8 bytes of a file, at an offset that is a multiple of 8; the unit of a store
//   index     a word's place in its file, in words
//   version   how often the load has written that word, as it counts: 1 and up
//   unit      128 words, 1 KiB: what promises are made of (promise.h)
//   run       one load from start to end; its number enters each word's check
//
// The file is its words:
//   bit 63..58   57..40   39..20   19..0
//       check    file     index    version          stored little-endian
// So a block of any size says of each of its words to which file, place and version it belongs,
// whatever mixture a cut in the middle of an update has left.  A version is never 0, so no word is:
// eight zero bytes are a hole, or were never written.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace powercut::lab {

inline constexpr std::size_t kWordBytes = 8;
inline constexpr std::uint32_t kUnitWords = 128;
inline constexpr std::uint32_t kUnitBytes = kUnitWords * kWordBytes;
inline constexpr std::uint32_t kVersionMax = (1u << 20) - 1;
inline constexpr std::uint32_t kIndexMax = (1u << 20) - 1;  // files of at most 8 MiB
inline constexpr std::uint32_t kFileMax = (1u << 18) - 1;

struct SelfWord {
  std::uint32_t file = 0;     // 0 to kFileMax
  std::uint32_t index = 0;    // 0 to kIndexMax
  std::uint32_t version = 0;  // 1 to kVersionMax
  friend bool operator==(const SelfWord&, const SelfWord&) = default;
};

// The words of one run.
class WordCode {
 public:
  explicit constexpr WordCode(std::uint32_t run) : run_(run) {}
  constexpr std::uint32_t run() const { return run_; }

  // `word` within the bounds above: the caller's to know.
  constexpr std::uint64_t encode(const SelfWord& word) const {
    const std::uint64_t said = std::uint64_t{word.file} << 40 | std::uint64_t{word.index} << 20 |
                               std::uint64_t{word.version};
    return said | std::uint64_t{check(said)} << 58;
  }
  // Whether `stored` is a word of this run.
  constexpr bool is_own(std::uint64_t stored) const {
    return (stored & kVersionMax) != 0 && check(stored & kSaid) == stored >> 58;
  }
  // What a word says, whether it is one or not.
  static constexpr SelfWord decode(std::uint64_t stored) {
    return {static_cast<std::uint32_t>(stored >> 40) & kFileMax,
            static_cast<std::uint32_t>(stored >> 20) & kIndexMax,
            static_cast<std::uint32_t>(stored) & kVersionMax};
  }
  // Fills `into`, a multiple of 8 bytes, with the words from `first` on, all of one version.
  void fill(MutableBytes into, const SelfWord& first) const;

 private:
  static constexpr std::uint64_t kSaid = (std::uint64_t{1} << 58) - 1;
  constexpr std::uint32_t check(std::uint64_t said) const {
    std::uint64_t mixed = (said ^ (std::uint64_t{run_} << 26)) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9u;
    return static_cast<std::uint32_t>(mixed >> 58);
  }

  std::uint32_t run_;
};

// The word at `at` (bytes), which the caller knows to be there.
std::uint64_t word_at(Bytes bytes, std::size_t at);

}  // namespace powercut::lab
