// Random sequences of all operations against the model (model_run.h), drawn and made smaller by
// RapidCheck.
//
// POWERCUT_OPERATIONS=N: how many in all, in place of 10,000.  POWERCUT_SEED=N: others than those
// of ./test.  What fails is printed with its seed and as the shortest sequence that was found.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <iostream>

#include "tests/filesystem/model_run.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/long_form.h"

namespace powercut::fs {

// For RapidCheck's messages.
void showValue(const std::vector<Operation>& operations, std::ostream& out) {
  for (const Operation& operation : operations) out << "\n  " << words_of(operation);
}

namespace {

constexpr std::size_t kSequence = 250;

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

rc::Seq<Operation> smaller(const Operation& operation) {
  std::vector<Operation> found;
  for (std::size_t i = 0; i < operation.numbers.size(); ++i) {
    for (const std::uint32_t number : {0u, operation.numbers[i] / 2}) {
      if (operation.numbers[i] == number) continue;
      found.push_back(operation);
      found.back().numbers[i] = number;
    }
  }
  return rc::seq::fromContainer(found);
}

rc::Gen<std::vector<Operation>> sequences() {
  return [](const rc::Random& random, int) {
    rc::Random drawn = random;
    Prng prng(drawn.next());
    return rc::shrinkable::shrinkRecur(
        draw_operations(prng, kSequence, whole_mix()), [](const std::vector<Operation>& all) {
          return rc::seq::concat(rc::shrink::removeChunks(all),
                                 rc::shrink::eachElement(all, smaller));
        });
  };
}

// A disk with sectors of 512 bytes could tear the superblock, whose checksum, if it has one, then
// is wrong: Linux refuses such a mount, too, and e2fsck goes on with a backup.
constexpr std::array kForms = {
    Form{"Blocks4k", "-b 4096 -N 256", "12M", 1024, 500'000},
    Form{"Blocks1k", "-b 1024 -N 128 -J size=1", "6M", 1024},
    Form{"OrphanFile", "-b 1024 -N 256 -J size=1 -O orphan_file,metadata_csum_seed", "8M"},
    Form{"NoChecksums", "-b 2048 -N 256 -J size=2 -I 128 -O ^metadata_csum,^64bit", "8M", 1024},
    Form{"Plain", "-b 1024 -N 256 -J size=1 -O ^dir_index,^metadata_csum,^64bit,^flex_bg,uninit_bg",
         "8M"},
    Form{"Full", "-b 1024 -N 48 -J size=1", "2100K", 4096, 300'000, 40},
    Form{"SingleWait", "-b 1024 -N 256 -J size=1 -O ^metadata_csum", "8M", 512, 150'000, 0, true},
};

// So that no two see the same sequences.
std::uint64_t seed_of(const Form& form, std::uint64_t seed) {
  return seed * kForms.size() +
         static_cast<std::uint64_t>(std::ranges::find(kForms, std::string(form.name), &Form::name) -
                                    kForms.begin());
}

class Models : public ::testing::TestWithParam<Form> {};

TEST_P(Models, Agree) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const std::uint64_t operations = number_from("POWERCUT_OPERATIONS", 10'000);
  const std::uint64_t seed = number_from("POWERCUT_SEED", 1);
  rc::detail::TestParams parameters;
  parameters.seed = seed_of(GetParam(), seed);
  parameters.maxSuccess = static_cast<int>(std::max<std::uint64_t>(
      1, (operations + kSequence * kForms.size() - 1) / (kSequence * kForms.size())));
  RunCounters counters;
  bool is_told = false;
  const auto property = rc::detail::toProperty([&] {
    const auto sequence = *sequences();
    ModelRun run(GetParam(), {.seed = seed});
    for (std::size_t i = 0; i < sequence.size(); ++i) {
      try {
        run.carry_out(sequence[i]);
      } catch (const Differs& differs) {
        const std::string words = "operation " + std::to_string(i + 1) + ", " +
                                  words_of(sequence[i]) + ": " + differs.what();
        if (!std::exchange(is_told, true)) {
          std::cerr << "it is made smaller now; first: " << words << "\n";
        }
        throw Differs(words);
      }
    }
    run.end();
    counters.add(run.counters());
  });
  const auto result = rc::detail::checkProperty(property, {}, parameters);
  std::ostringstream words;
  rc::detail::printResultMessage(result, words);
  EXPECT_TRUE(result.is<rc::detail::SuccessResult>()) << "POWERCUT_SEED=" << seed << "\n"
                                                      << words.str();
  std::cout << counters.operations << " operations, " << counters.changes << " changes, "
            << counters.refused << " refused, " << counters.without_space << " without space, "
            << counters.sections << " sections, " << counters.cuts << " cuts, " << counters.moments
            << " recoveries, " << counters.fscks << " e2fsck\n";
}

// The judge is one: a disk that loses flushes is found.
TEST(ModelRuns, FindADiskThatLies) {
  SKIP_WITHOUT_TOOL("mke2fs");
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Prng random(seed);
    ModelRun run(kForms[1], {.seed = seed, .loses_flushes = true});
    try {
      for (const auto& operation : draw_operations(random, kSequence, whole_mix())) {
        run.carry_out(operation);
      }
    } catch (const Differs&) {
      ++found;
    }
  }
  EXPECT_GE(found, 5);
}

INSTANTIATE_TEST_SUITE_P(Of, Models, ::testing::ValuesIn(kForms),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace powercut::fs
