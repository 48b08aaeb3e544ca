// The stored structures of a recording file; see recording_file.h for the layout.
#pragma once

#include <array>

#include "base/stored_int.h"

namespace powercut::lab::disk {

inline constexpr std::array<std::uint8_t, 8> kRecordingMagic = {'P', 'C', 'U', 'T',
                                                                'R', 'E', 'C', '1'};
inline constexpr std::array<std::uint8_t, 4> kFrameMagic = {'F', 'R', 'A', 'M'};
inline constexpr std::uint32_t kFrameRawBytesMax = std::uint32_t{128} << 20;

struct RecordingHeader {
  std::array<std::uint8_t, 8> magic = kRecordingMagic;
  Le64 disk_bytes;
};
static_assert(sizeof(RecordingHeader) == 16 && alignof(RecordingHeader) == 1);
STORED_AT(RecordingHeader, disk_bytes, 8);

struct FrameHeader {
  std::array<std::uint8_t, 4> magic = kFrameMagic;
  Le32 stored_bytes;
  Le32 raw_bytes;
  Le32 checksum;  // crc32c(~0, stored bytes)
};
static_assert(sizeof(FrameHeader) == 16 && alignof(FrameHeader) == 1);
STORED_AT(FrameHeader, stored_bytes, 4);
STORED_AT(FrameHeader, raw_bytes, 8);
STORED_AT(FrameHeader, checksum, 12);

struct EventHeader {
  std::uint8_t kind = 0;
  std::uint8_t request = 0;  // RequestKind, for submissions
  std::uint8_t is_fua = 0;
  std::array<std::uint8_t, 5> zero{};
  Le64 sequence;
  Le64 time_ns;
  Le64 offset;
  Le64 length;
};
static_assert(sizeof(EventHeader) == 40 && alignof(EventHeader) == 1);
STORED_AT(EventHeader, sequence, 8);
STORED_AT(EventHeader, time_ns, 16);
STORED_AT(EventHeader, offset, 24);
STORED_AT(EventHeader, length, 32);

}  // namespace powercut::lab::disk
