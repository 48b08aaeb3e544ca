#include "base/crc32c.h"

#include <algorithm>
#include <array>
#include <bit>

#include <isa-l/crc.h>

namespace powercut {
namespace {

constexpr std::uint32_t kCrc32cReflected = 0x82F63B78;
constexpr std::uint16_t kCrc16Reflected = 0xA001;

// A linear map on 32-bit vectors over GF(2): column i is the image of bit i.
using Matrix = std::array<std::uint32_t, 32>;

constexpr std::uint32_t apply(const Matrix& matrix, std::uint32_t vector) {
  std::uint32_t image = 0;
  for (std::size_t i = 0; vector != 0; ++i, vector >>= 1) {
    if ((vector & 1) != 0) image ^= matrix[i];
  }
  return image;
}

constexpr Matrix squared(const Matrix& matrix) {
  Matrix result{};
  for (std::size_t i = 0; i < 32; ++i) result[i] = apply(matrix, matrix[i]);
  return result;
}

// step[k] advances a crc over 2^k zero bytes.
constexpr std::array<Matrix, 64> make_zero_steps() {
  Matrix bit{};
  bit[0] = kCrc32cReflected;
  for (std::size_t i = 1; i < 32; ++i) bit[i] = std::uint32_t{1} << (i - 1);
  std::array<Matrix, 64> steps{};
  steps[0] = squared(squared(squared(bit)));
  for (std::size_t k = 1; k < steps.size(); ++k) steps[k] = squared(steps[k - 1]);
  return steps;
}

constexpr auto make_crc16_table() {
  std::array<std::uint16_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kCrc16Reflected : 0u);
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}

}  // namespace

std::uint32_t crc32c(std::uint32_t start, Bytes data) noexcept {
  // ISA-L takes an int length and a pointer that it does not write through.
  constexpr std::size_t kPiece = std::size_t{1} << 30;
  std::uint32_t crc = start;
  while (!data.empty()) {
    const Bytes piece = data.first(std::min(kPiece, data.size()));
    crc = ::crc32_iscsi(const_cast<unsigned char*>(piece.data()), static_cast<int>(piece.size()),
                        crc);
    data = data.subspan(piece.size());
  }
  return crc;
}

std::uint32_t crc32c_of_zeroes(std::uint32_t start, std::uint64_t length) noexcept {
  static constexpr auto kSteps = make_zero_steps();
  std::uint32_t crc = start;
  for (std::size_t k = 0; length != 0; ++k, length >>= 1) {
    if ((length & 1) != 0) crc = apply(kSteps[k], crc);
  }
  return crc;
}

ZeroStep::ZeroStep(std::uint64_t length) {
  for (std::size_t byte = 0; byte < tables_.size(); ++byte) {
    auto& table = tables_[byte];
    for (std::uint32_t value = 1; value < 256; ++value) {
      // The map is linear: what is not a single bit is put together from two smaller ones.
      const std::uint32_t rest = value & (value - 1);
      table[value] = rest == 0 ? crc32c_of_zeroes(value << (8 * byte), length)
                               : table[rest] ^ table[value ^ rest];
    }
  }
}

std::uint32_t crc32_be(std::uint32_t start, Bytes data) noexcept {
  // ISA-L's inverts what it begins with and what it gives.
  return ~::crc32_ieee(~start, data.data(), data.size());
}

std::uint16_t crc16(std::uint16_t start, Bytes data) noexcept {
  static constexpr auto kTable = make_crc16_table();
  std::uint32_t crc = start;
  for (const std::uint8_t byte : data) crc = (crc >> 8) ^ kTable[(crc ^ byte) & 0xFF];
  return static_cast<std::uint16_t>(crc);
}

}  // namespace powercut
