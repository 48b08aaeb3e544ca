// One block of names, as bytes: looked through and changed in place, step by step.
//
// Words
//   record  a name, or unused room, up to the next record
//   room    what a record has behind its own name, or all of an unused one
//
// Nothing is copied out of a block to look for a name in it.  No length is believed: each step is
// checked against the end of the block, and damage is an error (kCorrupt; `where` is the block's
// number).  A checksum is looked at whenever a block is looked through, and made once a change.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "format/ext4.h"
#include "format/ext4_hash.h"

namespace powercut::fs {

// How the blocks of one directory look.
struct DirectoryForm {
  const Superblock* shape = nullptr;
  OwnerSeed owner;

  std::uint32_t block_bytes() const { return shape->block_bytes(); }
  // Where records end and, with metadata_csum, the checksum's record begins.
  std::uint32_t records_end() const;
};

struct RecordAt {
  std::uint32_t at = 0;      // in the block
  std::uint32_t before = 0;  // the record in front of it; itself if it is the first
  std::uint32_t bytes = 0;   // up to the next record
  InodeNo inode;             // 0: unused
  std::uint8_t file_type = 0;
  std::string_view name;  // into the block

  std::uint32_t room() const;
};

// Bytes that a record of a name of that length takes at least.
std::uint32_t record_bytes_for(std::size_t name_bytes);

// Steps over the records of a block.
class Records {
 public:
  Records(Bytes block, const DirectoryForm& form)
      : bytes_(block.first(form.records_end())), form_(form) {}
  // False behind the last record, and at damage.
  bool next(RecordAt& record);
  bool is_damaged() const { return is_damaged_; }

 private:
  Bytes bytes_;
  const DirectoryForm& form_;
  std::uint32_t at_ = 0, before_ = 0;
  bool is_damaged_ = false;
};

// Errors: kChecksum.
Result<void> check_names_block(Bytes block, BlockNo place, const DirectoryForm& form);

struct BlockLook {
  std::optional<RecordAt> found;
  std::optional<std::uint32_t> room_at;  // the first record with room for the name
  bool has_room_packed = false;          // whether there is room if the records are moved together
};
// Looks for `name`, and for room for it.  `place`: the block's number.  Errors: kChecksum,
// kCorrupt.
Result<BlockLook> look_in_block(Bytes block, BlockNo place, const DirectoryForm& form,
                                std::string_view name);
// Every record, unused ones too.  Errors: kChecksum, kCorrupt (also a name with '/' or zero).
Result<std::vector<RecordAt>> records_of(Bytes block, BlockNo place, const DirectoryForm& form);

struct NewName {
  std::string_view name;
  InodeNo inode;
  std::uint8_t file_type = 0;
};

// Changes of a block's bytes; what they do to it was looked up before.  All make the checksum.
//
// Puts the name into the room of the record at `at`.
void put_record(MutableBytes block, const DirectoryForm& form, std::uint32_t at,
                const NewName& name);
// Lets the record in front have the room, if there is one.
void take_record(MutableBytes block, const DirectoryForm& form, std::uint32_t at,
                 std::uint32_t before);
void set_record(MutableBytes block, const DirectoryForm& form, std::uint32_t at, InodeNo inode,
                std::uint8_t file_type);
// A block that holds just these names, one behind another; the last has all the room.
void pack_block(MutableBytes block, const DirectoryForm& form, const std::vector<NewName>& names);

}  // namespace powercut::fs
