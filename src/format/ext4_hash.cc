#include "format/ext4_hash.h"

#include <algorithm>
#include <bit>
#include <span>

namespace powercut {
namespace {

constexpr HashSeed kMd4Start = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};
constexpr std::uint32_t kMajorMax = 0xFFFFFFFC;  // the one above it stands for the end

struct Bytewise {
  bool is_signed = true;
  std::uint32_t operator()(char byte) const {
    const auto value = static_cast<std::uint8_t>(byte);
    return is_signed ? static_cast<std::uint32_t>(static_cast<std::int8_t>(value)) : value;
  }
};

// The first words of what is left of a name.  A word that the name fills in part is shifted in
// below the filling.
template <std::size_t kWords>
std::array<std::uint32_t, kWords> words_of(std::string_view rest, Bytewise value_of) {
  const auto length = static_cast<std::uint32_t>(rest.size()) & 0xFF;
  std::array<std::uint32_t, kWords> words;
  words.fill(length * 0x01010101u);
  const std::size_t count = std::min(rest.size(), 4 * kWords);
  for (std::size_t i = 0; i < count; ++i) {
    words[i / 4] = (words[i / 4] << 8) + value_of(rest[i]);
  }
  return words;
}

std::uint32_t legacy(std::string_view name, Bytewise value_of) {
  std::uint32_t last = 0x12A3FE2D, before = 0x37ABE8F9;
  for (const char byte : name) {
    std::uint32_t next = before + (last ^ (value_of(byte) * 7152373u));
    if ((next & 0x80000000u) != 0) next -= 0x7FFFFFFFu;
    before = last;
    last = next;
  }
  return last << 1;
}

// One round of MD4, of its first half: eight steps with the words in `order`.
struct Md4Round {
  std::uint32_t (*mix)(std::uint32_t, std::uint32_t, std::uint32_t);
  std::uint32_t constant;
  std::array<std::uint8_t, 8> order;
  std::array<std::uint8_t, 4> rotations;
};

constexpr Md4Round kMd4Rounds[] = {
    {[](std::uint32_t x, std::uint32_t y, std::uint32_t z) { return (x & y) | (~x & z); },
     0,
     {0, 1, 2, 3, 4, 5, 6, 7},
     {3, 7, 11, 19}},
    {[](std::uint32_t x, std::uint32_t y, std::uint32_t z) { return (x & y) | (x & z) | (y & z); },
     0x5A827999,
     {1, 3, 5, 7, 0, 2, 4, 6},
     {3, 5, 9, 13}},
    {[](std::uint32_t x, std::uint32_t y, std::uint32_t z) { return x ^ y ^ z; },
     0x6ED9EBA1,
     {3, 7, 2, 6, 1, 5, 0, 4},
     {3, 9, 11, 15}},
};

void half_md4(HashSeed& state, std::span<const std::uint32_t, 8> words) {
  auto [a, b, c, d] = state;
  for (const Md4Round& round : kMd4Rounds) {
    for (std::size_t step = 0; step < round.order.size(); ++step) {
      const std::uint32_t sum = a + round.mix(b, c, d) + words[round.order[step]] + round.constant;
      a = d;
      d = c;
      c = b;
      b = std::rotl(sum, round.rotations[step % 4]);
    }
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

void tea(HashSeed& state, std::span<const std::uint32_t, 4> key) {
  constexpr std::uint32_t kDelta = 0x9E3779B9;
  std::uint32_t left = state[0], right = state[1], sum = 0;
  for (int round = 0; round < 16; ++round) {
    sum += kDelta;
    left += ((right << 4) + key[0]) ^ (right + sum) ^ ((right >> 5) + key[1]);
    right += ((left << 4) + key[2]) ^ (left + sum) ^ ((left >> 5) + key[3]);
  }
  state[0] += left;
  state[1] += right;
}

template <std::size_t kWords, class Mix>
HashSeed in_pieces(std::string_view name, const HashSeed& seed, Bytewise value_of, Mix mix) {
  const bool has_seed = std::ranges::any_of(seed, [](std::uint32_t word) { return word != 0; });
  HashSeed state = has_seed ? seed : kMd4Start;
  for (std::size_t at = 0; at < name.size(); at += 4 * kWords) {
    mix(state, words_of<kWords>(name.substr(at), value_of));
  }
  return state;
}

NameHash with_clear_bit(std::uint32_t major, std::uint32_t minor) {
  return {std::min(major & ~1u, kMajorMax), minor};
}

bool is_signed(DirectoryHash hash) {
  return static_cast<std::uint8_t>(hash) <
         static_cast<std::uint8_t>(DirectoryHash::kLegacyUnsigned);
}

}  // namespace

std::string_view directory_hash_name(DirectoryHash hash) {
  switch (hash) {
    case DirectoryHash::kLegacy: return "legacy";
    case DirectoryHash::kHalfMd4: return "half_md4";
    case DirectoryHash::kTea: return "tea";
    case DirectoryHash::kLegacyUnsigned: return "legacy_unsigned";
    case DirectoryHash::kHalfMd4Unsigned: return "half_md4_unsigned";
    case DirectoryHash::kTeaUnsigned: return "tea_unsigned";
    case DirectoryHash::kSipHash: return "siphash";
  }
  return "unknown hash";
}

DirectoryHash directory_hash_of(std::uint8_t stored_version, const Superblock& superblock) {
  constexpr std::uint32_t kUnsignedHash = 2;  // in s_flags
  constexpr std::uint8_t kToUnsigned = 3;
  const bool has_both = stored_version <= static_cast<std::uint8_t>(DirectoryHash::kTea);
  const bool is_unsigned = has_both && (superblock.flags & kUnsignedHash) != 0;
  return static_cast<DirectoryHash>(stored_version + (is_unsigned ? kToUnsigned : 0));
}

Result<NameHash> hash_name(std::string_view name, DirectoryHash hash, const HashSeed& seed) {
  const Bytewise value_of{is_signed(hash)};
  switch (hash) {
    case DirectoryHash::kLegacy:
    case DirectoryHash::kLegacyUnsigned: return with_clear_bit(legacy(name, value_of), 0);
    case DirectoryHash::kHalfMd4:
    case DirectoryHash::kHalfMd4Unsigned: {
      const HashSeed state = in_pieces<8>(name, seed, value_of, half_md4);
      return with_clear_bit(state[1], state[2]);
    }
    case DirectoryHash::kTea:
    case DirectoryHash::kTeaUnsigned: {
      const HashSeed state = in_pieces<4>(name, seed, value_of, tea);
      return with_clear_bit(state[0], state[1]);
    }
    case DirectoryHash::kSipHash: break;
  }
  return fail_with(Errc::kUnsupported, "directory hash", directory_hash_name(hash),
                   static_cast<std::uint8_t>(hash));
}

}  // namespace powercut
