// The area of fast commits at the end of a journal, as checked values.  Its records are
// little-endian, unlike the rest of the journal.  They are listed here, not replayed.
//
// Words
//   record   tag, length and value; they follow one another through the area
//   head     the first record of a fast commit: its features and the tid that it goes on from
//   tail     the last record of a fast commit: its tid, and the checksum of all since the last tail
//
// A fast commit counts if it begins with a head of the expected tid and ends in a tail whose
// checksum is right; what follows the last such tail is left over.
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

// The fast commits at the beginning of `area` (all blocks of it, one after another).  Nothing if it
// does not begin with a head of `expected`, or if its first commit has no right tail.
// `seed` as JournalFormat has it is not used: tails are summed from ~0 (observed).
// Errors: kCorrupt: a record past the area's end or of an unknown tag inside a whole commit.
Result<std::optional<FastCommits>> parse_fast_commits(Bytes area, std::uint32_t block_bytes,
                                                      Tid expected);

}  // namespace powercut
