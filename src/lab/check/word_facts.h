// What a block's content says of itself in self-describing words (lab/promise), remembered by
// content: a content is read once, however many states hold it.
// Threads: one caller at a time.
#pragma once

#include <vector>

#include "lab/promise/self_words.h"
#include "lab/record/content_pool.h"

namespace powercut::lab {

struct UnitFact {
  enum class Kind : std::uint8_t {
    kZero,   // all zero
    kWords,  // 128 words of one unit of one file of one run
    kOther,  // anything else, mixtures included: look at its words
  };
  Kind kind = Kind::kOther;
  // kWords:
  std::uint32_t run = 0;
  std::uint32_t file = 0;
  std::uint32_t unit = 0;         // of the file
  std::uint32_t version_min = 0;  // over the words
};

struct BlockFact {
  std::uint32_t first_unit = 0;  // of its units, one after another
  // All words are of one file, in order; versions do not rise from word to word, and fall by at
  // most one in all: what a cut in the middle of one pass upwards leaves.
  bool is_cut = false;
};

class WordFacts {
 public:
  explicit WordFacts(std::uint32_t block_bytes) : units_per_block_(block_bytes / kUnitBytes) {}
  // Words of one more run are known from now on; what was said of contents is forgotten.
  void add_run(std::uint32_t run);
  const BlockFact& block(const ContentPool& pool, ContentId content);
  // `index` < units per block.
  const UnitFact& unit(const BlockFact& block, std::uint32_t index) const {
    return units_[block.first_unit + index];
  }

 private:
  static constexpr std::uint32_t kUnknown = ~std::uint32_t{0};
  UnitFact read_unit(Bytes bytes) const;
  bool is_cut(Bytes bytes, const std::vector<UnitFact>& units, std::size_t first) const;

  const std::uint32_t units_per_block_;
  std::vector<WordCode> codes_;
  std::vector<std::uint32_t> place_of_;  // by content: in blocks_
  std::vector<BlockFact> blocks_;
  std::vector<UnitFact> units_;
};

}  // namespace powercut::lab
