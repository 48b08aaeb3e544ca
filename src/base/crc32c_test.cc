#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/prng.h"

namespace powercut {
namespace {

Bytes bytes_of_text(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Checksums, KnownValues) {
  // CRC-32C of "123456789" is 0xE3069283 with inversions at both ends.
  EXPECT_EQ(~crc32c(~0u, bytes_of_text("123456789")), 0xE3069283u);
  // CRC-32/MPEG-2 and CRC-16/ARC of the same text.
  EXPECT_EQ(crc32_be(~0u, bytes_of_text("123456789")), 0x0376E6E7u);
  EXPECT_EQ(crc16(0, bytes_of_text("123456789")), 0xBB3Du);
}

// By the definition, bit by bit.
std::uint32_t plain_crc32_be(std::uint32_t start, Bytes data) {
  std::uint32_t crc = start;
  for (const std::uint8_t byte : data) {
    crc ^= std::uint32_t{byte} << 24;
    for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc >> 31) != 0 ? 0x04C11DB7u : 0u);
  }
  return crc;
}

TEST(Checksums, BigEndianCrcIsThatOfItsDefinition) {
  Prng prng(2);
  std::vector<std::uint8_t> data(3000);
  prng.fill(data);
  for (std::size_t length = 0; length < data.size(); length += 1 + length / 3) {
    const auto start = static_cast<std::uint32_t>(prng.next());
    const Bytes some = Bytes(data).subspan(length % 7, length - std::min(length, length % 7));
    EXPECT_EQ(crc32_be(start, some), plain_crc32_be(start, some)) << length;
  }
}

TEST(Checksums, RunningValueIsAResult) {
  Prng prng(1);
  std::vector<std::uint8_t> data(5000);
  prng.fill(data);
  const Bytes all(data);
  for (const std::size_t cut : {0u, 1u, 7u, 255u, 256u, 4096u, 5000u}) {
    EXPECT_EQ(crc32c(crc32c(7, all.first(cut)), all.subspan(cut)), crc32c(7, all)) << cut;
  }
}

TEST(Checksums, StartValueOnlyAddsItsPart) {
  Prng prng(2);
  for (const std::size_t length : {0u, 1u, 4u, 12u, 1024u, 4096u, 4097u}) {
    std::vector<std::uint8_t> data(length);
    prng.fill(data);
    const auto start = static_cast<std::uint32_t>(prng.next());
    EXPECT_EQ(crc32c(start, data), crc32c(0, data) ^ crc32c_of_zeroes(start, length)) << length;
    EXPECT_EQ(crc32c_of_zeroes(start, length), crc32c(start, std::vector<std::uint8_t>(length)));
    EXPECT_EQ(ZeroStep(length)(start), crc32c_of_zeroes(start, length));
  }
}

}  // namespace
}  // namespace powercut
