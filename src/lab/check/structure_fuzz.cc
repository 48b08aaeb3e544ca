// The structure judge on any image of 256 KiB, and on changes of it.  The input is a list of
// records:
//   1 byte   block of 1 KiB; 0: what follows are changes, each settled
//   2 bytes  length (little-endian; at most 1024 count)
//   bytes    the beginning of the block
// At the end the judge that followed must say what one says that begins with the image.
#include <algorithm>

#include "lab/check/structure_test_support.h"

namespace {

using namespace powercut;
using namespace powercut::lab;

constexpr std::size_t kBlocks = 256, kBlockBytes = 1024;
constexpr std::uint64_t kPoolMost = std::uint64_t{64} << 20;

class Records {
 public:
  explicit Records(Bytes input) : input_(input) {}
  // The next block and its content; false at the end.
  bool next(std::size_t& block, std::vector<std::uint8_t>& content) {
    if (input_.size() <= 3) return false;
    block = input_[0];
    const std::size_t wanted = std::min(input_[1] + input_[2] * std::size_t{256}, kBlockBytes);
    input_ = input_.subspan(3);
    const std::size_t length = std::min(wanted, input_.size());
    content.assign(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(length));
    content.resize(kBlockBytes);
    input_ = input_.subspan(length);
    return true;
  }

 private:
  Bytes input_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ContentPool pool(kBlockBytes, kPoolMost);
  Records records({data, size});
  std::size_t block = 0;
  std::vector<std::uint8_t> content;
  std::vector<ContentId> contents(kBlocks);
  while (records.next(block, content) && block != 0) contents[block] = pool.add(content).value();

  StateImage image(pool, std::move(contents));
  StructureJudge judge;
  judge.begin(image);
  bool is_clean = judge.settle();
  while (records.next(block, content)) {
    const BlockNo place(block);
    const ContentId before = image.at(place);
    const auto after = pool.add(content);
    if (!after) break;
    image.set(place, *after);
    judge.change(place, before, *after);
    is_clean = judge.settle();
  }
  CHECK(
      structure_testing::words_of(judge, is_clean) == structure_testing::words_of_new_judge(image),
      "what is followed is what is begun with");
  return 0;
}
