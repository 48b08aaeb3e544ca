#include "lab/promise/self_words.h"

#include "base/stored_int.h"

namespace powercut::lab {

void WordCode::fill(MutableBytes into, const SelfWord& first) const {
  CHECK(into.size() % kWordBytes == 0, "self-describing data: whole words");
  SelfWord word = first;
  for (std::size_t at = 0; at < into.size(); at += kWordBytes, ++word.index) {
    store(into, at, Le64(encode(word)));
  }
}

std::uint64_t word_at(Bytes bytes, std::size_t at) {
  Le64 stored;
  std::memcpy(&stored, bytes.data() + at, sizeof stored);
  return stored;
}

}  // namespace powercut::lab
