// The checksums of ext4 and jbd2.
//
// crc32c as Linux uses it: reflected, polynomial 0x1EDC6F41, no inversion at either end, so a
// running value is also a result: crc32c(crc32c(s, a), b) == crc32c(s, a ++ b), and ~0 is the usual
// start.  From 256 bytes up it is ISA-L's, which this processor runs at tens of GB/s.
//
// A start value only adds a part that depends on it and on the length:
//   crc32c(s, data) == crc32c(0, data) ^ crc32c_of_zeroes(s, length).
// So data can be summed once, when it passes by, and be compared later under any start.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace powercut {

std::uint32_t crc32c(std::uint32_t start, Bytes data) noexcept;

// crc32c(start, `length` zero bytes), in time logarithmic in length (bytes).
std::uint32_t crc32c_of_zeroes(std::uint32_t start, std::uint64_t length) noexcept;

// crc32c_of_zeroes() for one length, in four table look-ups a call.
class ZeroStep {
 public:
  explicit ZeroStep(std::uint64_t length);
  std::uint32_t operator()(std::uint32_t start) const noexcept {
    return tables_[0][start & 0xFF] ^ tables_[1][(start >> 8) & 0xFF] ^
           tables_[2][(start >> 16) & 0xFF] ^ tables_[3][start >> 24];
  }

 private:
  std::array<std::array<std::uint32_t, 256>, 4> tables_{};
};

// jbd2's first checksum (v1): the plain big-endian CRC-32, polynomial 0x04C11DB7, no inversion.
std::uint32_t crc32_be(std::uint32_t start, Bytes data) noexcept;

// ext4's group descriptor checksum without metadata_csum: CRC-16 (reflected, polynomial 0x8005).
std::uint16_t crc16(std::uint16_t start, Bytes data) noexcept;

}  // namespace powercut
