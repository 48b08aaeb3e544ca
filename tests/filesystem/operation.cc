#include "tests/filesystem/operation.h"

#include <numeric>

namespace powercut::fs {
namespace {

struct VerbWords {
  const char* name;
  std::uint16_t weight;
};
// In the order of Verb.
constexpr std::array<VerbWords, kVerbCount> kVerbs = {{
    {"make_file", 70},
    {"make_directory", 35},
    {"make_symlink", 20},
    {"make_special", 15},
    {"link", 30},
    {"remove", 45},
    {"remove_directory", 25},
    {"rename", 60},
    {"rename_noreplace", 15},
    {"exchange", 25},
    {"write", 90},
    {"append", 25},
    {"truncate", 40},
    {"allocate", 20},
    {"punch", 25},
    {"zero", 20},
    {"seek", 10},
    {"read", 20},
    {"list", 10},
    {"set_mode", 15},
    {"set_owner", 15},
    {"set_times", 15},
    {"set_attribute", 35},
    {"remove_attribute", 20},
    {"set_acl", 15},
    {"set_flags", 10},
    {"open", 20},
    {"close", 12},
    {"begin_section", 8},
    {"sync", 12},
    {"sync_file", 12},
    {"remount", 3},
    {"peek", 9},
    {"cut", 9},
}};

}  // namespace

std::string words_of(const Operation& operation) {
  std::string words = kVerbs[static_cast<std::size_t>(operation.verb)].name;
  for (const std::uint32_t number : operation.numbers) words += " " + std::to_string(number);
  return words;
}

Mix whole_mix() {
  Mix mix{};
  for (std::size_t i = 0; i < kVerbCount; ++i) mix[i] = kVerbs[i].weight;
  return mix;
}

Mix plain_mix() {
  Mix mix = whole_mix();
  for (const Verb verb : {Verb::kRemount, Verb::kPeek, Verb::kCut}) {
    mix[static_cast<std::size_t>(verb)] = 0;
  }
  return mix;
}

std::vector<Operation> draw_operations(Prng& random, std::size_t count, const Mix& mix) {
  const auto sum = std::accumulate(mix.begin(), mix.end(), std::uint64_t{0});
  std::vector<Operation> operations(count);
  for (Operation& operation : operations) {
    std::uint64_t left = random.below(sum);
    std::size_t verb = 0;
    while (left >= mix[verb]) left -= mix[verb++];
    operation.verb = static_cast<Verb>(verb);
    for (std::uint32_t& number : operation.numbers) {
      number = static_cast<std::uint32_t>(random.next());
    }
  }
  return operations;
}

}  // namespace powercut::fs
