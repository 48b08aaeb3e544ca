// The log of Linux's device mapper target log-writes, and of QEMU's block driver blklogwrites.
//
//   sector 0   sector 1   ...
//   +-------+---------+------+------+---------+---------+------+
//   | super | entry   | data | data | entry   | entry   | data | ...
//   +-------+---------+------+------+---------+---------+------+
//
// Sectors are as long as the super says.  An entry takes one sector; the data of a write follows
// it.  A mark's text lies in its entry's sector, right behind the entry.  A discard has no data.
// All integers are little-endian.
// Source: Linux Documentation/admin-guide/device-mapper/log-writes.rst; logs that QEMU 7.2 made.
#pragma once

#include "base/stored_int.h"

namespace powercut::lab::disk {

inline constexpr std::uint64_t kLogWritesMagic = 0x6a736677736872;
inline constexpr std::uint64_t kLogWritesVersion = 1;

// The flags of an entry.
inline constexpr std::uint64_t kLogFlush = 1;  // a flush; with data: it comes before the write
inline constexpr std::uint64_t kLogFua = 2;
inline constexpr std::uint64_t kLogDiscard = 4;
inline constexpr std::uint64_t kLogMark = 8;
inline constexpr std::uint64_t kLogMetadata = 16;  // the file system said that it is metadata

struct LogWritesSuper {
  Le64 magic;
  Le64 version;
  Le64 entry_count;   // nr_entries
  Le32 sector_bytes;  // sectorsize
};
static_assert(sizeof(LogWritesSuper) == 28 && alignof(LogWritesSuper) == 1);
STORED_AT(LogWritesSuper, version, 8);
STORED_AT(LogWritesSuper, entry_count, 16);
STORED_AT(LogWritesSuper, sector_bytes, 24);

struct LogWritesEntry {
  Le64 sector;  // of the disk
  Le64 sector_count;
  Le64 flags;
  Le64 data_bytes;  // data_len: of a mark's text
};
static_assert(sizeof(LogWritesEntry) == 32 && alignof(LogWritesEntry) == 1);
STORED_AT(LogWritesEntry, sector_count, 8);
STORED_AT(LogWritesEntry, flags, 16);
STORED_AT(LogWritesEntry, data_bytes, 24);

}  // namespace powercut::lab::disk
