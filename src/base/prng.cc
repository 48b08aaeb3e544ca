#include "base/prng.h"

#include <bit>

namespace powercut {
namespace {

std::uint64_t splitmix(std::uint64_t& state) noexcept {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

}  // namespace

Prng::Prng(std::uint64_t seed) noexcept : seed_(seed) {
  std::uint64_t state = seed;
  for (std::uint64_t& word : state_) word = splitmix(state);
}

std::uint64_t Prng::next() noexcept {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Prng::below(std::uint64_t bound) noexcept {
  CHECK(bound != 0, "a draw below 0");
  // Rejects the short last part, so that every number is equally likely; under two draws on
  // average.
  const std::uint64_t first_good = (0 - bound) % bound;
  for (;;) {
    const std::uint64_t draw = next();
    if (draw >= first_good) return draw % bound;
  }
}

void Prng::fill(MutableBytes into) noexcept {
  std::size_t done = 0;
  while (done < into.size()) {
    const std::uint64_t word = next();
    const std::size_t count = into.size() - done < 8 ? into.size() - done : 8;
    std::memcpy(into.data() + done, &word, count);
    done += count;
  }
}

Prng Prng::child(std::string_view name) const noexcept {
  std::uint64_t hash = 0xCBF29CE484222325 ^ seed_;  // FNV-1a
  for (const char letter : name) {
    hash ^= static_cast<std::uint8_t>(letter);
    hash *= 0x100000001B3;
  }
  return Prng(hash);
}

}  // namespace powercut
