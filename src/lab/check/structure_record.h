// What one inode contributes to the sums, and what is wrong with it by itself.
//
// A record is a function of the inode's bytes, of the blocks that it names in `reads`, and of
// whether the inode is an orphan; so it is made anew exactly when one of these changes, and what it
// added to the sums can be taken back.
#pragma once

#include "lab/check/structure_map.h"

namespace powercut::lab {

struct DirectoryPart {
  BlockNo block;  // 0: in the inode
  ContentId content;
  DirectoryRole role = DirectoryRole::kFirst;
  DirectoryHash hash = DirectoryHash::kLegacy;
  const DirectoryFacts* facts = nullptr;
};

struct InodeRecord {
  bool is_readable = true;
  bool is_used = false;  // it has links, or is an orphan; only then it contributes
  bool has_blocks_past_size = false;
  Inode inode;
  std::vector<MappedRun> runs;  // claims
  std::vector<BlockNo> nodes;   // claims
  BlockNo attribute_block;      // 0: none
  std::vector<DirectoryPart> parts;
  InodeNo parent;                           // of a directory: its ".."
  std::vector<const OrphanFacts*> orphans;  // of the orphan file
  std::vector<InodeNo> values;              // value inodes that attributes in the inode use
  std::vector<BlockNo> reads;               // blocks whose content this depends on
  std::vector<Flaw> flaws;

  bool is_directory() const { return is_used && inode.is(InodeType::kDirectory); }
};

struct RecordRequest {
  InodeNo number;
  bool is_orphan = false;
  const InodeRecord* before = nullptr;  // what was known of the same inode; facts are taken from it
};

// Null if the inode was never written.
std::unique_ptr<InodeRecord> read_record(const ReadContext& context, const RecordRequest& request);

// Why `use` is not a whole value inode, or null.  `owner` is the inode with the attribute, or null
// for one in a block; what it depends on is added to `reads`.
struct ValueOwner {
  InodeNo number;
  const Inode* inode = nullptr;
};
const char* flaw_of_value(const ReadContext& context, const ValueUse& use, const ValueOwner& owner,
                          std::vector<BlockNo>& reads);

// The directory's parts, flaws and reads; `record` has its map already.
void read_directory(const ReadContext& context, const RecordRequest& request, InodeRecord& record);

}  // namespace powercut::lab
