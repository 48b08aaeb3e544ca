// What the `tag` judge says of a journal block that is not what its checksum says.
//
// Words
//   finding     one block that does not match, with all that is known of it
//   stored      the checksum in the log; in the kernel's debug message: tag3
//   computed    the checksum of the block as it was written; there: calc
//   replayable  from the commit of a bad transaction until the journal's tail has durably passed
//   it: a
//               power cut in that time leaves a file system that Linux does not mount
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "reader/owner.h"

namespace powercut::lab {

enum class FindingKind : std::uint8_t {
  kDataChecksum,         // a data block against its tag (kV2, kV3)
  kTransactionChecksum,  // a whole transaction against its commit block (kV1)
  kDescriptorChecksum,   // a descriptor block against its tail
  kDescriptorFormat,     // no readable descriptor where the log needs one
  kRevokeChecksum,       // a revoke block against its tail
  kRevokeFormat,
  kCommitChecksum,  // a commit block against itself (kV2, kV3)
  kCommitMissing,   // no readable commit block where the log needs one
  kTidGap,          // transaction numbers passed without their commits
  kSuperblock,      // the journal's superblock against itself, or not readable
};
std::string_view finding_kind_name(FindingKind kind);

// Bytes [first, end) of the block that differ from another version of it.
struct ByteRange {
  std::uint32_t first = 0, end = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// Where another version of the block was found, and how it differs.
struct KnownVersion {
  enum class Place : std::uint8_t { kHome, kEarlierLog, kWord };
  Place place = Place::kHome;
  Tid tid;                        // kEarlierLog: the transaction that holds it
  bool matches_checksum = false;  // it is the version that the checksum was made of
  std::uint32_t byte_count = 0;   // bytes that differ
  std::vector<ByteRange> ranges;  // at most kRangesMax, the first ones
  static constexpr std::size_t kRangesMax = 8;
};

struct Finding {
  FindingKind kind = FindingKind::kDataChecksum;
  std::uint64_t number = 0;         // 1 for the first of a disk
  Nanoseconds when{0};              // of the clock given to the judge
  std::uint64_t sequence = 0;       // of the request that brought the commit block
  std::uint64_t commit_number = 0;  // how many commits had been seen, this one included
  Tid tid;
  LogBlock log_block;
  BlockNo home;  // kDataChecksum: the file-system block
  std::uint32_t stored = 0, computed = 0;
  std::uint32_t index = 0, count = 0;  // kDataChecksum: block `index` (from 1) of `count`
  bool is_escaped = false;
  std::string rule;            // for the formats: what was broken
  std::optional<Owner> owner;  // absent if there is none, or the budget for looking was spent
  std::uint32_t block_bytes = 4096;
  std::optional<KnownVersion> version;
  std::optional<Nanoseconds> replayable;  // known once the tail has passed

  // "checksum changed (tag3: 0x2d57bbdf, calc: 0xe0b4ddcb) tid 17 journal block 120 ..."; one line.
  std::string describe() const;
};

}  // namespace powercut::lab
