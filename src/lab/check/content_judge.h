// The `content` judge: files hold what the marks of a workload promised.
//
// Words (and those of lab/promise/promise.h)
//   slot     the place of an inode in its block of the inode table
//   watched  an inode or a directory that a promise speaks of
//   present  of a file: its inode is a regular file of its generation, with a link
//   problem  what is wrong with one thing: a block of a file, a file, a name, a directory
//
// What is known of the image: for each watched inode its slot, its map of blocks, and one verdict
// for each of these; for each watched directory the entries that promises name.  A change of a
// block is told to whoever has a role in it: a data block is judged again at once, from what is
// remembered of its content; the rest is read again by settle().  Every problem is counted when it
// comes and when it goes, so whether the image is right is one comparison.
//
// Files are found by inode and generation, names by directory and entry, so a file that came to the
// wrong name is known.  What no promise speaks of is not looked at.
// Threads: one caller at a time.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "lab/check/block_roles.h"
#include "lab/check/promise_book.h"
#include "lab/check/state_judge.h"
#include "lab/check/state_view.h"
#include "lab/check/word_facts.h"
#include "lab/check/word_rules.h"
#include "reader/volume.h"

namespace powercut::lab {

class ContentJudge final : public StateJudge {
 public:
  // `mode`: how the file system treated data; absent: as the load that began last says.
  explicit ContentJudge(std::optional<DataMode> mode = {}) : mode_(mode) {}
  ~ContentJudge() override;

  JudgeName name() const override { return JudgeName::kContent; }
  void begin(const StateImage& image) override;
  void change(BlockNo block, ContentId from, ContentId to) override;
  void learn(std::string_view mark) override;
  bool settle() override;
  std::vector<CheckFinding> findings(std::size_t max) const override;

  const PromiseBook& book() const { return book_; }

 private:
  enum class Part : std::uint8_t { kGeometry, kSlot, kMap, kData, kDirectorySlot, kDirectory };
  struct Role {
    Part part = Part::kGeometry;
    std::uint32_t owner = 0;  // in inodes_ or directories_
    std::uint32_t place = 0;  // kSlot, kDirectorySlot: byte of the block; kData: block of the file
    friend bool operator==(const Role&, const Role&) = default;
  };
  struct WatchedInode {
    InodeNo number;
    std::vector<std::uint32_t> files;      // that were promised to lie there
    std::optional<std::uint32_t> present;  // one of them
    std::optional<BlockNo> slot_block;
    std::uint32_t slot_place = 0;
    Inode inode;                        // while one is present
    std::vector<BlockNo> tree_blocks;   // of its map
    std::vector<BlockNo> map;           // by block of the file; 0: reads as zero
    std::vector<WordProblem> problems;  // by block of the file
    std::optional<Error> unreadable;    // its map
    bool is_size_wrong = false;
    bool is_dirty = false, is_map_dirty = false;
  };
  struct WatchedDirectory {
    InodeNo number;
    std::vector<std::uint32_t> names;  // in the book
    std::map<std::string, std::uint32_t, std::less<>> name_at;
    std::vector<BlockNo> blocks;  // that its entries were read from
    std::optional<BlockNo> slot_block;
    std::uint32_t slot_place = 0;
    std::optional<Error> unreadable;
    bool is_dirty = false;
  };
  struct NameState {
    std::uint32_t directory = 0;  // in directories_
    InodeNo inode;                // 0: absent
    bool is_wrong = false;
    bool is_dirty = false;
  };
  struct FileState {
    std::uint32_t inode = 0;  // in inodes_
    bool is_held_wrong = false;
    bool is_dirty = false;  // who holds it
  };

  static CheckFinding finding(std::string_view rule, std::string words,
                              std::optional<InodeNo> inode = {}) {
    CheckFinding made;
    made.judge = JudgeName::kContent;
    made.rule = rule;
    made.words = std::move(words);
    made.inode = inode;
    return made;
  }
  DataMode mode() const { return mode_.value_or(book_.data_mode()); }
  std::uint32_t units_per_block() const { return image_->block_bytes() / kUnitBytes; }
  void count(bool before, bool now) {
    problem_count_ += (now ? 1u : 0u);
    problem_count_ -= (before ? 1u : 0u);
  }

  // content_judge.cc: what is watched, and when it is looked at.
  void watch_new(const BookChange& change);
  void take_in(const BookChange& change);
  void open_geometry();
  void look_anew();
  void tell(const Role& role, Bytes from, Bytes to);
  void mark_inode(std::uint32_t at);
  void mark_directory(std::uint32_t at);
  void mark_name(std::uint32_t name);
  void mark_file(std::uint32_t file);
  bool has_changed(std::uint32_t place, Bytes from, Bytes to) const;
  struct Slot {
    BlockNo block;
    std::uint32_t place = 0;  // bytes
  };
  std::optional<Slot> slot_of(InodeNo number) const;

  // content_names.cc: directories, and who is held by which name.
  void read_directory(std::uint32_t at);
  Result<void> walk_entries(WatchedDirectory& directory, std::map<std::uint32_t, InodeNo>& found);
  void leave_directory(std::uint32_t at);
  void judge_name(std::uint32_t name);
  bool is_name_right(std::uint32_t name) const;
  bool is_present(std::uint32_t file) const { return inodes_[files_[file].inode].present == file; }
  void judge_held(std::uint32_t file);
  std::uint32_t held_count(std::uint32_t file) const;
  void add_name_findings(std::size_t max, std::vector<CheckFinding>& found) const;
  CheckFinding name_finding(std::uint32_t name) const;

  // content_files.cc: inodes and their blocks.
  void read_inode(std::uint32_t at);
  std::optional<std::uint32_t> find_present(const WatchedInode& watched, Inode& inode) const;
  void read_map(std::uint32_t at, bool is_new);
  void set_map(std::uint32_t at, std::vector<BlockNo> map, bool is_new);
  void set_tree_blocks(std::uint32_t at, std::vector<BlockNo> blocks);
  void leave_inode(std::uint32_t at);
  void find_slot(std::uint32_t at);
  void leave_slot(std::uint32_t at);
  void judge_size(WatchedInode& watched);
  void judge_block(WatchedInode& watched, std::uint32_t block);
  void judge_all_blocks(WatchedInode& watched) {
    for (std::uint32_t i = 0; i < watched.map.size(); ++i) judge_block(watched, i);
  }
  WordPlace place_of(const WatchedInode& watched, std::uint32_t block) const;
  Bytes bytes_of(const WatchedInode& watched, std::uint32_t block) const;
  std::uint32_t block_count_of(const WatchedInode& watched) const;
  void add_file_findings(std::size_t max, std::vector<CheckFinding>& found) const;
  CheckFinding block_finding(const WatchedInode& watched, std::uint32_t block) const;

  const std::optional<DataMode> mode_;
  PromiseBook book_;
  const StateImage* image_ = nullptr;
  std::optional<StateView> view_;
  std::optional<Volume> volume_;
  std::optional<Error> no_volume_;
  std::vector<BlockNo> geometry_blocks_;
  std::optional<BlockRoles<Role>> roles_;
  std::optional<WordFacts> facts_;
  std::vector<WatchedInode> inodes_;
  std::vector<WatchedDirectory> directories_;
  std::unordered_map<std::uint32_t, std::uint32_t> inode_at_, directory_at_;  // by number
  std::vector<NameState> names_;                                              // as in the book
  std::vector<FileState> files_;                                              // as in the book
  std::vector<std::uint32_t> dirty_inodes_, dirty_directories_, dirty_names_, dirty_files_;
  bool is_geometry_dirty_ = false;
  std::uint64_t problem_count_ = 0;
};

}  // namespace powercut::lab
