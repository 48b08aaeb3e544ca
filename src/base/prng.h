// Random numbers from a seed: xoshiro256** filled by splitmix64, the same on every machine.
// Sub-generators are derived by name, so that one more draw in one place shifts no other.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace powercut {

class Prng {
 public:
  explicit Prng(std::uint64_t seed) noexcept;
  std::uint64_t next() noexcept;
  // A number in [0, bound); bound 0 is a mistake of the caller.
  std::uint64_t below(std::uint64_t bound) noexcept;
  bool chance(std::uint64_t numerator, std::uint64_t denominator) noexcept {
    return below(denominator) < numerator;
  }
  void fill(MutableBytes into) noexcept;
  // The generator of that name: depends on the seed and the name, not on what was drawn.
  Prng child(std::string_view name) const noexcept;

 private:
  std::uint64_t seed_;
  std::array<std::uint64_t, 4> state_;
};

}  // namespace powercut
