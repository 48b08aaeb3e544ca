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
