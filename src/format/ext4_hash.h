// The hashes of directory names that an htree is sorted by.
//
// Words
//   major   what the index holds and compares; its lowest bit is always 0 (in an index that bit
//   says
//           that names of this hash began in the block before)
//   minor   the second word, which orders names of one major within tools; not stored
//   signed  whether a byte from 0x80 up counts as negative: what `char` was on the machine that
//   made
//           the file system.  The superblock's flags say it, not the htree
//
// All of them begin with the file system's seed, or where that is zero with MD4's own start:
//   legacy    a multiplication for each byte; knows no seed and no minor
//   half_md4  three rounds of eight of MD4's steps over 32 bytes of the name at a time
//   tea       sixteen rounds of TEA with 16 bytes of the name as the key at a time
// A piece is read as words whose first byte is the highest; what the name does not fill is filled
// with the length of what was left of the name, in each byte.
//
// Source: RFC 1320 (MD4), Wheeler and Needham 1994 (TEA); pieces and words as debugfs 1.47 dx_hash
// shows them.
#pragma once

#include <array>
#include <string_view>

#include "format/ext4.h"

namespace powercut {

enum class DirectoryHash : std::uint8_t {  // stored, in an htree root and in s_def_hash_version
  kLegacy = 0,
  kHalfMd4 = 1,
  kTea = 2,
  kLegacyUnsigned = 3,
  kHalfMd4Unsigned = 4,
  kTeaUnsigned = 5,
  kSipHash = 6,  // with a key that is not in the file system: encrypted casefold directories
};
// "half_md4", "tea_unsigned"; "unknown hash" for a value that is none.
std::string_view directory_hash_name(DirectoryHash hash);

struct NameHash {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  friend bool operator==(const NameHash&, const NameHash&) = default;
};

using HashSeed = std::array<std::uint32_t, 4>;  // s_hash_seed

// The hash that names of an htree have whose root says `stored_version`: the superblock's flags add
// whether bytes are signed.
DirectoryHash directory_hash_of(std::uint8_t stored_version, const Superblock& superblock);

// `name` is hashed as it is; a directory with kCaseFold hashes folded names.
// Errors: kUnsupported: SipHash, or a version that is not known (the version is `where`).
Result<NameHash> hash_name(std::string_view name, DirectoryHash hash, const HashSeed& seed);

}  // namespace powercut
