// Every fuzz target over its corpus (tests/corpus/NAME, which keeps every crasher), and over inputs
// made of that at random.  The search that is led by coverage is the fuzz preset's.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/fuzzing.h"
#include "base/prng.h"
#include "tests/support/files.h"

#define FUZZ_TARGET(NAME) extern "C" int NAME(const std::uint8_t* data, std::size_t size);
#include "fuzz_targets.inc"
#undef FUZZ_TARGET

namespace powercut {
namespace {

using Input = std::vector<std::uint8_t>;

struct Target {
  const char* name;
  int (*run)(const std::uint8_t*, std::size_t);
};

constexpr Target kTargets[] = {
#define FUZZ_TARGET(NAME) {#NAME, NAME},
#include "fuzz_targets.inc"
#undef FUZZ_TARGET
};

constexpr std::size_t kMadeInputs = 300;
constexpr std::size_t kLargeInput = std::size_t{1} << 14;  // bytes; of such fewer are made

std::vector<Input> corpus_of(const char* name) {
  std::vector<std::filesystem::path> paths;
  const auto folder = std::filesystem::path(POWERCUT_SOURCE_DIR "/tests/corpus") / name;
  if (!std::filesystem::exists(folder)) return {};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);  // so that what is made of them is the same in each run
  std::vector<Input> inputs;
  for (const auto& path : paths) inputs.push_back(testing::read_file(path));
  return inputs;
}

// Some bytes changed, cut off, or put in again elsewhere.
Input changed(Input input, Prng& prng) {
  for (std::uint64_t i = 0, count = 1 + prng.below(8); i < count && !input.empty(); ++i) {
    input[prng.below(input.size())] = static_cast<std::uint8_t>(prng.next());
  }
  if (prng.chance(1, 4)) input.resize(prng.below(input.size() + 1));
  if (prng.chance(1, 4) && !input.empty()) {
    const std::size_t length = 1 + prng.below(std::min<std::size_t>(input.size(), 64));
    const std::size_t from = prng.below(input.size() - length + 1);
    const Input piece(input.begin() + static_cast<std::ptrdiff_t>(from),
                      input.begin() + static_cast<std::ptrdiff_t>(from + length));
    const std::size_t at = prng.below(input.size() - length + 1);
    std::ranges::copy(piece, input.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return input;
}

class FuzzTargets : public ::testing::TestWithParam<Target> {
 protected:
  void SetUp() override { set_fuzzing(true); }
  void TearDown() override { set_fuzzing(false); }
};

TEST_P(FuzzTargets, TakeTheirCorpusAndInputsMadeOfIt) {
  std::vector<Input> inputs = corpus_of(GetParam().name);
  for (const Input& input : inputs) GetParam().run(input.data(), input.size());
  if (inputs.empty()) inputs.push_back(Input(256));
  Prng prng(1);
  for (std::size_t made = 0; made < kMadeInputs; ++made) {
    const Input input = changed(inputs[prng.below(inputs.size())], prng);
    GetParam().run(input.data(), input.size());
    if (input.size() > kLargeInput) made += 9;
  }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzTargets, ::testing::ValuesIn(kTargets),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace powercut
