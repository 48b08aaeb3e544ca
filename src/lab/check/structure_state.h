// What the structure judge knows of one image, kept up to date block by block.
//
// Words
//   cell      what is known of one inode: its record, what directories say of it, its mark
//   dirty     an inode whose record must be made anew
//   stale     a cell (or group, or block of attributes) whose rules must be looked at again
//   lost      the layout may have changed: everything is read anew
//
// Order of a settle: changed blocks are taken in by their fixed role and by who reads them; dirty
// inodes are read, which may make orphans, which may make inodes dirty; then stale cells and groups
// are judged, then, if nothing else is wrong, directories whose parent changed are followed to the
// root.
//
// Invariants
//   1. Between settles every sum is that of the records, marks and lists that are held, and these
//      are functions of the contents in known_.
//   2. An image without a readable superblock and descriptors, or in which blocks are claimed
//      kClaimsMost times over, is not followed but read anew at every settle (can_follow()).
// Threads: one caller at a time.
#pragma once

#include <optional>
#include <set>

#include "lab/check/structure_record.h"

namespace powercut::lab {

class StructureState {
 public:
  explicit StructureState(const StateImage& image) : image_(image) { rebuild(); }
  StructureState(const StructureState&) = delete;
  StructureState& operator=(const StructureState&) = delete;

  void change(BlockNo block) {
    if (is_changed_[block.value()] != 0) return;
    is_changed_[block.value()] = 1;
    changed_.push_back(block);
  }
  bool settle();
  std::vector<CheckFinding> findings(std::size_t max) const;

 private:
  friend class FindingsMaker;

  struct InodeCell {
    std::unique_ptr<InodeRecord> record;  // null: never written, or not to be read
    EntrySums sums;
    std::uint32_t in_orphan_file = 0;  // times
    std::uint32_t value_uses = 0;      // attributes whose value it is
    InodeNo followed_parent;  // with it, all directories were once reachable (follow_to_root)
    bool is_listed = false;   // on the orphan list
    bool is_marked = false;   // in the inode bitmap
    bool is_dirty = false, is_stale = false, is_to_follow = false;
    std::uint64_t wrong = 0;  // a bit for each rule
    bool is_orphan() const { return is_listed || in_orphan_file != 0; }
  };
  struct GroupCell {
    GroupDescriptor now;
    std::uint32_t marked_blocks = 0, marked_inodes = 0, directories = 0;
    std::uint32_t read_end = 0;  // inodes at the front of the table that are read
    bool is_stale = false;
    std::uint64_t wrong = 0;
  };
  struct AttributeCell {
    std::uint32_t users = 0;  // inodes
    bool is_claimed = false, is_stale = false;
    const AttributeFacts* facts = nullptr;
    const char* value_flaw = nullptr;
    std::uint64_t wrong = 0;
  };

  // structure_state.cc: from blocks to what is dirty or stale
  void rebuild();
  void forget();
  void begin_groups();
  void take_in(BlockNo block);
  void take_in_fixed(BlockNo block, ContentId from, ContentId to);
  void take_in_superblock();
  void take_in_descriptors(BlockNo block, ContentId from, ContentId to);
  void take_in_bitmap(BlockNo block, ContentId from, ContentId to);
  void take_in_table(BlockNo block, ContentId from, ContentId to);
  void put_descriptor(const GroupDescriptor& descriptor);
  void put_marks(std::uint32_t group, FixedRole role, std::uint32_t first, std::uint32_t end);
  void mark_block(std::uint32_t group, BlockNo block, bool is_marked);
  void mark_inode(std::uint32_t group, InodeNo number, bool is_marked);
  bool is_uninitialised(const GroupDescriptor& group, GroupFlag flag) const;
  bool can_follow() const { return layout_.has_value() && !has_too_many_claims_; }
  bool is_clean() const;

  // structure_sums.cc: from dirty inodes to sums
  bool work();
  bool read_dirty();
  void remake(InodeNo number);
  void replace(InodeNo number, std::unique_ptr<InodeRecord> record);
  void replace_claims(const InodeRecord& before, const InodeRecord& after);
  void replace_parts(InodeNo number, const InodeRecord& before, const InodeRecord& after);
  void replace_entries(InodeNo directory, const DirectoryFacts& before,
                       const DirectoryFacts& after);
  void add_entry(InodeNo directory, const EntryFact& entry);
  void take_entry(InodeNo directory, const EntryFact& entry);
  void replace_orphans(const InodeRecord& before, const InodeRecord& after);
  void replace_readers(InodeNo number, const InodeRecord& before, const InodeRecord& after);
  void use_value(InodeNo number, bool is_used);
  void use_attributes(BlockNo block, bool is_used);
  void judge_attributes(BlockNo block);
  void walk_orphan_list();
  void set_dirty(InodeNo number);
  void set_stale(InodeNo number);
  void set_stale(AttributeCell& cell, BlockNo block);

  // structure_verdict.cc: from sums to verdicts
  void judge_stale();
  std::uint64_t judge(InodeNo number) const;
  std::uint64_t judge_mark(InodeNo number) const;
  std::uint64_t judge_names(InodeNo number) const;
  std::uint64_t judge_directory(InodeNo number) const;
  std::uint64_t judge(const GroupCell& group) const;
  void note_parent(InodeNo number);
  InodeNo parent_to_follow(InodeNo number) const;
  bool leads_to_root(InodeNo number) const;
  bool follow_to_root();

  ReadContext context() { return {image_, *layout_, facts_}; }
  InodeCell& cell(InodeNo number) { return inodes_[number.value()]; }
  const InodeCell& cell(InodeNo number) const { return inodes_[number.value()]; }

  const StateImage& image_;
  FactStore facts_;
  std::vector<ContentId> known_;  // by block: what has been taken in
  std::vector<BlockNo> changed_;
  std::vector<std::uint8_t> is_changed_;  // by block

  std::optional<Layout> layout_;          // nothing: superblock or descriptors cannot be read
  std::optional<Superblock> superblock_;  // as it is now
  bool is_lost_ = false, has_too_many_claims_ = false;
  std::uint64_t claims_most_ = 0;

  BlockLedger blocks_;
  NameLedger names_;
  std::vector<InodeCell> inodes_;  // by number
  std::vector<GroupCell> groups_;
  std::unordered_map<std::uint64_t, AttributeCell> attributes_;            // by block
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> readers_;  // by block: inodes
  std::set<std::uint64_t> valued_attributes_;  // blocks of attributes that have value inodes
  std::vector<InodeNo> orphan_list_;
  const char* orphan_list_flaw_ = nullptr;
  bool is_orphan_list_stale_ = false;
  std::uint64_t orphan_file_entries_ = 0;

  std::vector<InodeNo> dirty_inodes_, stale_inodes_, to_follow_;
  std::vector<BlockNo> stale_attributes_;
  std::vector<std::uint32_t> stale_groups_;
  std::uint64_t wrong_inodes_ = 0, wrong_groups_ = 0, wrong_attributes_ = 0;
  bool has_cycle_ = false;
};

constexpr std::uint64_t bit_of(StructureRule rule) {
  return std::uint64_t{1} << static_cast<unsigned>(rule);
}
static_assert(kStructureRules <= 64);

}  // namespace powercut::lab
