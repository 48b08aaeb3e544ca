// The journal (jbd2) as checked values: bytes in, values out, and back.  No I/O here, and no trust
// in any count or length.  How it lies on disk: jbd2_disk.h; with a worked example:
// docs/format-jbd2.md.
//
// Words
//   log block    a block of the journal; 0 is the journal's superblock
//   descriptor   says which file-system blocks the log blocks after it are (its tags)
//   revoke block lists file-system blocks whose older copies must not be replayed
//   commit block ends a transaction; with it on disk the transaction is whole
//   escaped      a data block that began with the journal's magic; its first 4 bytes are zero in
//                the log and restored when it is replayed
//
// Checksums, by the journal's features:
//   kNone  nothing is protected
//   kV1    one crc32_be over the descriptors and data blocks of a transaction, in its commit block
//   kV2    descriptors, revoke blocks and commit blocks by crc32c; each data block by the low half
//   kV3    the same with whole crc32c per data block
//
// Source: Linux Documentation/filesystems/ext4/journal.rst.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"

namespace powercut {

inline constexpr std::uint32_t kJournalMagic = 0xC03B3998;

enum class JournalBlockType : std::uint32_t {  // stored
  kDescriptor = 1,
  kCommit = 2,
  kSuperblockV1 = 3,
  kSuperblockV2 = 4,
  kRevoke = 5,
};

enum class JournalCompat : std::uint32_t { kChecksum = 0x1 };  // stored
enum class JournalIncompat : std::uint32_t {                   // stored
  kRevoke = 0x1,
  k64Bit = 0x2,
  kAsyncCommit = 0x4,
  kCsumV2 = 0x8,
  kCsumV3 = 0x10,
  kFastCommit = 0x20,
};
inline constexpr std::uint32_t kKnownJournalIncompat = 0x3F;

enum class ChecksumKind : std::uint8_t { kNone, kV1, kV2, kV3 };

// What one must know of a journal to read and check any block of it.
struct JournalFormat {
  std::uint32_t block_bytes = 4096;
  ChecksumKind checksum = ChecksumKind::kV3;
  bool is_64bit = true;    // tags and revoke records carry 64-bit block numbers
  std::uint32_t seed = 0;  // crc32c(~0, uuid); meaningful for kV2 and kV3

  // Bytes at the end of descriptor and revoke blocks that hold their checksum.
  std::uint32_t tail_bytes() const;
  // Bytes of a tag without the UUID that may follow it: 8 to 16.
  std::uint32_t tag_bytes() const;
  // The most tags that a descriptor block can hold.
  std::uint32_t tags_per_descriptor() const;
  std::uint32_t revokes_per_block() const;
};

using JournalUuid = std::array<std::uint8_t, 16>;

// The journal's superblock, checked.  `parse` is the only way to one from bytes.
struct JournalSuperblock {
  JournalBlockType version = JournalBlockType::kSuperblockV2;
  std::uint32_t block_bytes = 4096;
  std::uint32_t log_block_count = 0;  // s_maxlen, this superblock included
  LogBlock first;                     // s_first: the ring begins here
  Tid sequence;                       // s_sequence: the first tid expected at `start`
  LogBlock start;                     // s_start: 0 means nothing to recover
  std::uint32_t error = 0;            // s_errno
  std::uint32_t compat = 0, incompat = 0, ro_compat = 0;
  JournalUuid uuid{};
  std::uint32_t fast_commit_block_count = 0;  // s_num_fc_blks as stored; 0 stands for 256
  LogBlock head;                              // s_head; 0 where the kernel does not record it
  std::uint32_t checksum = 0;                 // as stored
  std::uint8_t checksum_type = 0;

  // `block` is log block 0, at least 1024 bytes; the device's length is not known here.
  // Errors: kCorrupt (magic, type, block size, ring), kUnsupported (unknown features, two checksum
  // kinds at once, another checksum type), kChecksum (kV2 and kV3; not while fuzzing).
  static Result<JournalSuperblock> parse(Bytes block);
  // The same without looking at the checksum: for a first look at damage.
  static Result<JournalSuperblock> parse_unverified(Bytes block);
  // Writes the known fields and the checksum into `block`; other bytes stay as they are.
  void encode(MutableBytes block) const;

  bool has(JournalIncompat feature) const {
    return (incompat & static_cast<std::uint32_t>(feature)) != 0;
  }
  bool has(JournalCompat feature) const {
    return (compat & static_cast<std::uint32_t>(feature)) != 0;
  }
  JournalFormat format() const;
  // One past the last log block of the ring: the fast-commit area is not part of it.
  LogBlock ring_end() const;
};

// The header that descriptor, revoke, commit and superblock begin with.
struct JournalHeader {
  std::uint32_t type = 0;  // as stored; may be no JournalBlockType
  Tid tid;
  bool is(JournalBlockType wanted) const { return type == static_cast<std::uint32_t>(wanted); }
};
// Nothing if the magic is not there (or the block is shorter than a header).
std::optional<JournalHeader> parse_journal_header(Bytes block);

// One logged block, as its descriptor names it.
struct Tag {
  BlockNo block;
  std::uint32_t checksum = 0;  // as stored: 32 bits with kV3, the low 16 with kV2, else 0
  bool is_escaped = false;
  bool is_deleted = false;
};

// Reads the tags of one descriptor block, in log order: tag i describes the log block 1 + i after
// this one.  The tail checksum is not looked at.
// Errors: kCorrupt: magic, type or tid; a tag past the end; no last tag.  After an error nothing of
// the block may be replayed.
Result<std::vector<Tag>> parse_descriptor(Bytes block, const JournalFormat& format, Tid expected);
// The tags as every implementation of recovery takes them: up to the last one, or as many as fit if
// none says that it is the last.  Empty if it is not one whole log block.
std::vector<Tag> tags_that_fit(Bytes block, const JournalFormat& format);
// How many data blocks a descriptor seems to have, whatever else is wrong with it: its tags up to
// the last one or up to the end of the block.  For a scan that must step over a damaged one.
std::uint32_t count_tags(Bytes block, const JournalFormat& format);
// Writes a descriptor for `tags` into `block` (one log block, all of it); with the tail checksum.
// The first tag is followed by `uuid`; the others carry the same-UUID flag.
void encode_descriptor(MutableBytes block, const JournalFormat& format, Tid tid,
                       const std::vector<Tag>& tags, const JournalUuid& uuid = {});

// Errors: kCorrupt: magic, type or tid; a count that is no whole number of records or too large.
Result<std::vector<BlockNo>> parse_revoke(Bytes block, const JournalFormat& format, Tid expected);
// The records as every implementation of recovery takes them: whole ones up to the count, none if
// it is less than the header.  Nothing if the count goes past the end (before the checksum), or if
// it is not one whole log block.
std::optional<std::vector<BlockNo>> revokes_that_fit(Bytes block, const JournalFormat& format);
void encode_revoke(MutableBytes block, const JournalFormat& format, Tid tid,
                   const std::vector<BlockNo>& blocks);

struct CommitBlock {
  Tid tid;
  std::uint8_t checksum_type = 0;  // kV1: 1 (crc32_be)
  std::uint8_t checksum_size = 0;  // kV1: 4
  std::uint32_t checksum = 0;      // h_chksum[0], as stored
  std::uint64_t seconds = 0;       // h_commit_sec
  std::uint32_t nanoseconds = 0;   // h_commit_nsec
};
// Errors: kCorrupt: magic, type or tid.
Result<CommitBlock> parse_commit(Bytes block, const JournalFormat& format, Tid expected);
// With kV2 and kV3 the checksum is computed; with kV1 `commit`'s fields are stored as they are.
void encode_commit(MutableBytes block, const JournalFormat& format, const CommitBlock& commit);

// The tid of an area of fast commits (one past the last whole transaction), from its first block;
// nothing if the area does not begin with a head.
std::optional<Tid> parse_fast_commit_head(Bytes block);

// A checksum as stored, and as it should be.  Both 0 where the format has none.
struct ChecksumPair {
  std::uint32_t stored = 0, computed = 0;
  bool matches() const { return stored == computed; }
};
// At the end of a descriptor or revoke block (one whole log block: CHECK).
ChecksumPair tail_checksum(Bytes block, const JournalFormat& format);
// Of a commit block (one whole log block: CHECK) over itself; kV1's is over other blocks.
ChecksumPair commit_checksum(Bytes block, const JournalFormat& format);

// The same as if all behind the header (64 bytes) were zero, as it is when it is written: what is
// left of a commit block that a device tore.
ChecksumPair commit_head_checksum(Bytes block, const JournalFormat& format);

// The checksum at the end of a descriptor or revoke block.  True without kV2 or kV3.
bool tail_checksum_matches(Bytes block, const JournalFormat& format);
// The checksum of a commit block over itself (kV2, kV3), whole block.  True for the other kinds.
bool commit_checksum_matches(Bytes block, const JournalFormat& format);
// The value that a data block must have in its tag (kV2: 16 bits), over the block as it is in the
// log, after escaping.  0 for the other kinds.
std::uint32_t tag_checksum(Bytes logged_block, const JournalFormat& format, Tid tid);

// The next block of the ring after `block`.
constexpr LogBlock next_in_ring(LogBlock block, LogBlock first, LogBlock end) {
  return block + 1 < end ? block + 1 : first;
}

}  // namespace powercut
