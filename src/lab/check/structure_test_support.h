// Images as the tests of the structure judge need them: a file's blocks as contents, and what a
// judge says of them in one text.
#pragma once

#include "lab/check/structure_judge.h"

namespace powercut::lab::structure_testing {

// The contents of an image's blocks, added to `pool`.
inline std::vector<ContentId> contents_of(ContentPool& pool, Bytes bytes) {
  std::vector<ContentId> contents;
  for (std::size_t at = 0; at + pool.block_bytes() <= bytes.size(); at += pool.block_bytes()) {
    contents.push_back(pool.add(bytes.subspan(at, pool.block_bytes())).value());
  }
  return contents;
}

// The verdict and all findings, a line each.
inline std::string words_of(const StructureJudge& judge, bool is_clean) {
  std::string text = is_clean ? "clean\n" : "wrong\n";
  for (const CheckFinding& finding : judge.findings(10'000)) {
    text += finding.rule + ": " + finding.words + "\n";
  }
  return text;
}

inline std::string words_of_new_judge(const StateImage& image) {
  StructureJudge judge;
  judge.begin(image);
  const bool is_clean = judge.settle();
  return words_of(judge, is_clean);
}

inline std::string words_of_image(Bytes bytes, std::uint32_t block_bytes) {
  ContentPool pool(block_bytes, std::uint64_t{1} << 32);
  return words_of_new_judge(StateImage(pool, contents_of(pool, bytes)));
}

}  // namespace powercut::lab::structure_testing
