#include "base/stored_int.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace powercut {
namespace {

template <class T>
std::string hex_of(const T& stored) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes_of(stored)) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

TEST(StoredInt, BytesLieInTheirOrder) {
  EXPECT_EQ(hex_of(Be16(0x1234)), "1234");
  EXPECT_EQ(hex_of(Le16(0x1234)), "3412");
  EXPECT_EQ(hex_of(Be32(0xC03B3998)), "c03b3998");  // the magic of a journal block
  EXPECT_EQ(hex_of(Le32(0xC03B3998)), "98393bc0");
  EXPECT_EQ(hex_of(Be64(0x0123456789ABCDEF)), "0123456789abcdef");
  EXPECT_EQ(hex_of(Le64(0x0123456789ABCDEF)), "efcdab8967452301");
}

template <class Stored, class T>
void expect_there_and_back(std::initializer_list<T> values) {
  for (const T value : values) EXPECT_EQ(Stored(value).value(), value) << value;
}

TEST(StoredInt, ThereAndBack) {
  expect_there_and_back<Be16, std::uint16_t>({0, 1, 0x00FF, 0x8000, 0xFFFF});
  expect_there_and_back<Le16, std::uint16_t>({0, 1, 0x00FF, 0x8000, 0xFFFF});
  expect_there_and_back<Be32, std::uint32_t>({0, 1, 0x80000000, 0xFFFFFFFF});
  expect_there_and_back<Le32, std::uint32_t>({0, 1, 0x80000000, 0xFFFFFFFF});
  expect_there_and_back<Be64, std::uint64_t>({0, 1, 1ull << 63, ~0ull});
  expect_there_and_back<Le64, std::uint64_t>({0, 1, 1ull << 63, ~0ull});
}

TEST(StoredInt, NoPaddingAnywhere) {
  struct Mixed {
    std::uint8_t one;
    Be64 eight;
    Le16 two;
  };
  STORED_AT(Mixed, eight, 1);
  STORED_AT(Mixed, two, 9);
  static_assert(sizeof(Mixed) == 11 && alignof(Mixed) == 1);
  static_assert(Be32(7) == Be32(7) && Be32(7).value() == 7);
}

}  // namespace
}  // namespace powercut
