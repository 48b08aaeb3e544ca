// Integers as they lie on disk: a byte array with a fixed order, so alignment 1 and no padding.
// The only ways in and out convert, so a stored number cannot be used unconverted.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace powercut {

template <std::unsigned_integral T, std::endian kOrder>
class StoredInt {
 public:
  constexpr StoredInt() = default;
  constexpr StoredInt(T value) noexcept {  // implicit on purpose: header.sequence = tid
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      const std::size_t shift = 8 * (kOrder == std::endian::little ? i : sizeof(T) - 1 - i);
      bytes_[i] = static_cast<std::uint8_t>(value >> shift);
    }
  }
  constexpr operator T() const noexcept {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      const std::size_t shift = 8 * (kOrder == std::endian::little ? i : sizeof(T) - 1 - i);
      value = static_cast<T>(value | static_cast<T>(static_cast<T>(bytes_[i]) << shift));
    }
    return value;
  }
  constexpr T value() const noexcept { return *this; }
  friend constexpr bool operator==(StoredInt, StoredInt) = default;

 private:
  std::array<std::uint8_t, sizeof(T)> bytes_{};
};

using Be16 = StoredInt<std::uint16_t, std::endian::big>;
using Be32 = StoredInt<std::uint32_t, std::endian::big>;
using Be64 = StoredInt<std::uint64_t, std::endian::big>;
using Le16 = StoredInt<std::uint16_t, std::endian::little>;
using Le32 = StoredInt<std::uint32_t, std::endian::little>;
using Le64 = StoredInt<std::uint64_t, std::endian::little>;

// A number that is stored in two fields.
constexpr std::uint64_t joined(std::uint32_t low, std::uint32_t high) noexcept {
  return (std::uint64_t{high} << 32) | low;
}

// Asserts where a field lies.  One line a field, right below its structure.
#define STORED_AT(Struct, field, offset_bytes) \
  static_assert(offsetof(Struct, field) == (offset_bytes), #Struct "::" #field " moved")

}  // namespace powercut
