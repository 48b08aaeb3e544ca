#include "lab/explore/state_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "lab/explore/state_name.h"
#include "lab/explore/test_stream.h"

namespace powercut::lab {
namespace {

using Digits = std::vector<std::uint32_t>;

Digits digits_of(const StateWalk& walk) {
  return Digits(walk.digits().begin(), walk.digits().end());
}

// All states in the order of the walk; the changes told are checked.
std::vector<Digits> walked(StateWalk& walk, std::size_t changes_max) {
  std::vector<Digits> states{digits_of(walk)};
  std::vector<Choice> changes;
  while (walk.next(changes)) {
    Digits now = states.back();
    EXPECT_LE(changes.size(), changes_max);
    for (const Choice& change : changes) now[change.slot] = change.digit;
    EXPECT_EQ(now, digits_of(walk));
    states.push_back(now);
  }
  return states;
}

std::vector<Choice> one_write_each(std::uint32_t slots) {
  std::vector<Choice> steps;
  for (std::uint32_t slot = 0; slot < slots; ++slot) steps.push_back({slot, 1});
  return steps;
}

TEST(StateWalk, WalksAllStatesOnceInStepsOfOne) {
  for (const Digits& radices : {Digits{}, Digits{2}, Digits{2, 2, 2}, Digits{3, 1, 4, 2}}) {
    StateWalk walk(radices, {}, {}, Prng(1));
    EXPECT_TRUE(walk.is_whole());
    const auto states = walked(walk, 1);
    std::size_t product = 1;
    for (const std::uint32_t radix : radices) product *= radix;
    EXPECT_EQ(states.size(), product);
    EXPECT_EQ(std::set<Digits>(states.begin(), states.end()).size(), product);
  }
}

TEST(StateWalk, SamplesTheNamedStatesFirst) {
  constexpr std::uint32_t kSlots = 20;
  StateWalk walk(Digits(kSlots, 2), one_write_each(kSlots), {.all_max = 100, .some_max = 1000},
                 Prng(1));
  EXPECT_FALSE(walk.is_whole());
  const auto states = walked(walk, 2 * kSlots + 2);
  EXPECT_EQ(states.size(), 1000u);
  const std::set<Digits> distinct(states.begin(), states.end());
  EXPECT_GT(distinct.size(), 900u);
  for (std::uint32_t count = 0; count <= kSlots; ++count) {
    Digits prefix(kSlots);
    std::fill_n(prefix.begin(), count, 1u);
    EXPECT_TRUE(distinct.contains(prefix)) << count;
  }
  for (std::uint32_t one = 0; one < kSlots; ++one) {
    Digits alone(kSlots), missing(kSlots, 1);
    alone[one] = 1;
    missing[one] = 0;
    EXPECT_TRUE(distinct.contains(alone)) << one;
    EXPECT_TRUE(distinct.contains(missing)) << one;
  }
}

TEST(StateWalk, TakesNoneAndAllEvenWhereTheNamedAreTooMany) {
  constexpr std::uint32_t kSlots = 500;
  StateWalk walk(Digits(kSlots, 2), one_write_each(kSlots), {.all_max = 16, .some_max = 16},
                 Prng(3));
  const auto states = walked(walk, 2 * kSlots + 2);
  EXPECT_EQ(states.size(), 16u);
  EXPECT_EQ(states.front(), Digits(kSlots, 0));
  EXPECT_TRUE(std::ranges::find(states, Digits(kSlots, 1)) != states.end());
}

TEST(StateWalk, RandomStatesHoldEachDigitAboutEquallyOften) {
  StateWalk walk(Digits(30, 3), {}, {.all_max = 1, .some_max = 60'000}, Prng(5));
  std::vector<Digits> states = walked(walk, 31);
  std::array<std::size_t, 3> counts{};
  for (const Digits& state : states) ++counts[state[7]];
  for (const std::size_t count : counts) EXPECT_NEAR(static_cast<double>(count), 20'000, 2'000);
}

TEST(StateName, GoesThereAndBack) {
  BlockStream stream = testing::TestStream("0a F 1b 0c 2d 0e 3f 2d 4g").make();
  CrashWindow window(stream, {.atomic_bytes = 1024});
  while (window.advance().value()) {
  }
  std::vector<std::uint32_t> radices;
  for (const PendingBlock& pending : window.pending()) radices.push_back(pending.count);
  StateWalk walk(radices, {}, {.all_max = 1u << 20}, Prng(1));
  EXPECT_TRUE(walk.is_whole());
  std::set<std::string> names;
  std::vector<Choice> changes;
  do {
    const std::string name = state_name(window, walk.digits());
    EXPECT_TRUE(names.insert(name).second) << name;
    const auto digits = parse_state_name(window, name);
    ASSERT_TRUE(digits) << name;
    EXPECT_EQ(*digits, digits_of(walk)) << name;
  } while (walk.next(changes));
  EXPECT_TRUE(names.contains("none"));
  EXPECT_TRUE(names.contains("all"));
  EXPECT_TRUE(names.contains("1-2"));
  EXPECT_TRUE(names.contains("1,7.3"));
}

TEST(StateName, RefusesWhatIsNoName) {
  BlockStream stream = testing::TestStream("0a 1b").make();
  CrashWindow window(stream, {});
  ASSERT_TRUE(window.advance().value());
  for (const std::string_view name : {"3", "0", "1-", "2-1", "x", "1.1", "1,,2", "-1", "1 2"}) {
    EXPECT_EQ(parse_state_name(window, name).error().code, Errc::kInvalid) << name;
  }
}

}  // namespace
}  // namespace powercut::lab
