// The stored structures of a recording file; docs/format-recording.md has the layout.
//
// Format 2 is written and read, and format 3, which differs in its header alone, where the disk
// stands for two devices; format 1 is read only.
#pragma once

#include <array>

#include "base/stored_int.h"

namespace powercut::lab::disk {

inline constexpr std::array<std::uint8_t, 8> kMagic2 = {'P', 'C', 'U', 'T', 'R', 'E', 'C', '2'};
inline constexpr std::array<std::uint8_t, 4> kFrameMagic2 = {'F', 'R', 'M', '2'};
// A content is at most so long, and lies inside one such unit of the disk.
inline constexpr std::uint32_t kUnitBytes = 4096;
inline constexpr std::uint32_t kPartRawBytesMax = std::uint32_t{4} << 20;

struct RecordingHeader2 {
  std::array<std::uint8_t, 8> magic = kMagic2;
  Le64 disk_bytes;
  Le64 folded_events;  // that were dropped; the number of the first event that is there
  Le32 unit_bytes = kUnitBytes;
  Le32 checksum;  // crc32c(~0, the bytes before it)
};
static_assert(sizeof(RecordingHeader2) == 32 && alignof(RecordingHeader2) == 1);
STORED_AT(RecordingHeader2, disk_bytes, 8);
STORED_AT(RecordingHeader2, folded_events, 16);
STORED_AT(RecordingHeader2, unit_bytes, 24);
STORED_AT(RecordingHeader2, checksum, 28);

inline constexpr std::array<std::uint8_t, 8> kMagic3 = {'P', 'C', 'U', 'T', 'R', 'E', 'C', '3'};

struct RecordingHeader3 {
  std::array<std::uint8_t, 8> magic = kMagic3;
  Le64 disk_bytes;
  Le64 folded_events;
  Le64 second_at;  // where the second device begins: not 0, before the end of the disk
  Le32 unit_bytes = kUnitBytes;
  Le32 checksum;  // crc32c(~0, the bytes before it)
};
static_assert(sizeof(RecordingHeader3) == 40 && alignof(RecordingHeader3) == 1);
STORED_AT(RecordingHeader3, second_at, 24);
STORED_AT(RecordingHeader3, unit_bytes, 32);
STORED_AT(RecordingHeader3, checksum, 36);

struct PartHeader {
  Le32 stored_bytes;  // of one zstd frame; as many as the raw ones: these, as they are
  Le32 raw_bytes;
  Le32 checksum;  // crc32c(~0, stored bytes)
};
static_assert(sizeof(PartHeader) == 12 && alignof(PartHeader) == 1);
STORED_AT(PartHeader, raw_bytes, 4);
STORED_AT(PartHeader, checksum, 8);

// Its own checksum, so that frames can be listed without a look at what they hold.
struct FrameHeader2 {
  std::array<std::uint8_t, 4> magic = kFrameMagic2;
  Le32 checksum;  // crc32c(~0, the bytes behind it)
  Le32 kind;      // FrameKind
  Le32 event_count;
  Le64 first_event;     // the number of its first event, from the very beginning
  Le64 first_sequence;  // of the first submission that is in it or after it
  Le64 first_time_ns;
  Le32 definition_count;
  Le32 zero;
  PartHeader events;    // definitions, then events
  PartHeader contents;  // the contents that are defined, one after another
};
static_assert(sizeof(FrameHeader2) == 72 && alignof(FrameHeader2) == 1);
STORED_AT(FrameHeader2, checksum, 4);
STORED_AT(FrameHeader2, kind, 8);
STORED_AT(FrameHeader2, event_count, 12);
STORED_AT(FrameHeader2, first_event, 16);
STORED_AT(FrameHeader2, first_sequence, 24);
STORED_AT(FrameHeader2, first_time_ns, 32);
STORED_AT(FrameHeader2, definition_count, 40);
STORED_AT(FrameHeader2, events, 48);
STORED_AT(FrameHeader2, contents, 60);

// A content by the number that events call it by, and its address: XXH3-128 of its bytes.
struct Definition {
  Le32 number;  // not 0: that is all zeroes, of any length
  Le32 length;
  Le64 hash_low;
  Le64 hash_high;
};
static_assert(sizeof(Definition) == 24 && alignof(Definition) == 1);
STORED_AT(Definition, length, 4);
STORED_AT(Definition, hash_low, 8);
STORED_AT(Definition, hash_high, 16);

// The same in both formats.
struct EventHeader {
  std::uint8_t kind = 0;     // EventKind
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

// Format 1.
inline constexpr std::array<std::uint8_t, 8> kMagic1 = {'P', 'C', 'U', 'T', 'R', 'E', 'C', '1'};
inline constexpr std::array<std::uint8_t, 4> kFrameMagic1 = {'F', 'R', 'A', 'M'};
inline constexpr std::uint32_t kFrameRawBytesMax1 = std::uint32_t{128} << 20;

struct RecordingHeader1 {
  std::array<std::uint8_t, 8> magic = kMagic1;
  Le64 disk_bytes;
};
static_assert(sizeof(RecordingHeader1) == 16 && alignof(RecordingHeader1) == 1);
STORED_AT(RecordingHeader1, disk_bytes, 8);

struct FrameHeader1 {
  std::array<std::uint8_t, 4> magic = kFrameMagic1;
  Le32 stored_bytes;
  Le32 raw_bytes;
  Le32 checksum;  // crc32c(~0, stored bytes)
};
static_assert(sizeof(FrameHeader1) == 16 && alignof(FrameHeader1) == 1);
STORED_AT(FrameHeader1, stored_bytes, 4);
STORED_AT(FrameHeader1, raw_bytes, 8);
STORED_AT(FrameHeader1, checksum, 12);

}  // namespace powercut::lab::disk
