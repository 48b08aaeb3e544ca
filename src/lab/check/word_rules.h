// Which words a file may hold: the table of promises.
//
// Of a word whose floor is above 0 (its version was fsynced) every mode promises the same: it is
// there, of that version or a later one.  Of a word that nothing was promised of:
//
//                      journal   ordered   writeback
//   an earlier version    yes       yes       yes
//   zero                  unless solid   yes   yes
//   of another place      no        no        yes      (of another file, or of another offset)
//   no word of the run    no        no        yes      (what the block held before)
//   torn                  no        if overwritten     (a store or write came while it was sent)
//
// Under data=writeback the blocks of a file that is being unlinked are given to other files before
// the unlink is durable: once a file may be held by no name, nothing is promised of its words.  And
// a hole in which one word is written becomes a block of which all words are as they were before.
//
// `journal`: data and metadata of one handle are one transaction, so a size without its words is
// never seen.  `ordered`: data reaches the disk before the transaction that makes it reachable.
// docs/workloads.md says what was seen of each.
#pragma once

#include "lab/check/promise_book.h"
#include "lab/check/word_facts.h"

namespace powercut::lab {

enum class WordProblem : std::uint8_t {
  kNone,
  kLost,     // zero, where a version was promised, or a size without its words
  kStale,    // a version below the floor
  kForeign,  // a word of the run, of another place
  kGarbage,  // no word of the run
  kTorn,     // half of one version, half of another
  kNotZero,  // where zero was promised
  kNoCut,    // stored upwards, but not held as a front of new words before old ones
};
std::string_view rule_of(WordProblem problem);

// One file's words in one block, as much as its size covers.
struct WordPlace {
  const PromisedFile* file = nullptr;
  std::uint32_t first_unit = 0;  // of the block, in the file
  std::uint64_t word_count = 0;  // below the file's size, from there on
  DataMode mode = DataMode::kUnknown;
};

struct WordVerdict {
  WordProblem problem = WordProblem::kNone;
  std::uint32_t index = 0;   // of the first word that is wrong, in the file
  std::uint64_t stored = 0;  // that word
};

// Looks at every word of a block's bytes; empty bytes: a hole.
WordVerdict judge_words(Bytes bytes, std::uint32_t block_bytes, const WordPlace& place);
// The same in a few comparisons, from what is remembered of the content; false: the words have to
// be looked at.
bool is_plainly_right(const WordFacts& facts, const BlockFact& block, const WordPlace& place,
                      std::uint32_t units_per_block);

}  // namespace powercut::lab
