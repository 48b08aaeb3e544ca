// The area of fast commits at the end of a journal, as checked values.  Its records are
// little-endian, unlike the rest of the journal.  They are listed here, not replayed.
//
// Words
//   record   tag, length and value; they follow one another through the area
//   head     the first record of a fast commit: its features and the tid that it goes on from
//   tail     the last record of a fast commit: its tid, and the checksum of all since the last tail
//
// A fast commit counts if it ends in a tail of the expected tid whose checksum is right, and if all
// before it count; the first one also begins with a head of that tid.  What follows the last such
// tail is left over.  No record goes past the end of its block; a tail fills what is left of it.
//
// The area lies one block behind the ring: the block between them belongs to neither (observed).
//
// Source: Linux Documentation/filesystems/ext4/journal.rst, docs/format-jbd2.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"
#include "format/jbd2.h"

namespace powercut {

enum class FastCommitTag : std::uint16_t {  // stored
  kAddRange = 1,
  kDeleteRange = 2,
  kCreate = 3,
  kLink = 4,
  kUnlink = 5,
  kInode = 6,
  kPad = 7,
  kTail = 8,
  kHead = 9,
};
std::string_view fast_commit_tag_name(FastCommitTag tag);

struct FastCommitRecord {
  FastCommitTag tag = FastCommitTag::kPad;
  std::uint64_t offset = 0;  // bytes from the beginning of the area
  InodeNo inode;             // whose change it is; 0 for kPad, kTail, kHead
  InodeNo parent;            // kCreate, kLink, kUnlink
  std::string name;          // kCreate, kLink, kUnlink
  FileBlock file;            // kAddRange, kDeleteRange
  BlockNo device;            // kAddRange
  std::uint32_t count = 0;   // kAddRange, kDeleteRange: blocks
  bool is_unwritten = false;
};

struct FastCommits {
  Tid tid;                                // of the head
  std::uint32_t commit_count = 0;         // tails whose checksum is right
  std::vector<FastCommitRecord> records;  // of the whole commits, in order, pads left out
};

// The first log block of the area, and how many it has; 0 blocks without kFastCommit.
struct FastCommitArea {
  LogBlock first;
  std::uint32_t block_count = 0;
};
FastCommitArea fast_commit_area(const JournalSuperblock& superblock);

// The fast commits at the beginning of `area` (all blocks of it, one after another).  Nothing if it
// does not begin with a head of `expected` and no features, or if its first commit is not whole.
// A record that cannot be read (an unknown tag, too short for its tag, past the end of its block)
// is where the area ends, whatever checksums say (observed).
// JournalFormat's seed is not used: a tail is crc32c(0, all since the last tail), the unused rest
// of the last block left out (observed).
std::optional<FastCommits> parse_fast_commits(Bytes area, std::uint32_t block_bytes, Tid expected);

}  // namespace powercut
