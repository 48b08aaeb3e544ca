// What is wrong with the image that a StructureState knows, in words.
#pragma once

#include <map>

#include "lab/check/structure_state.h"

namespace powercut::lab {

// Goes over everything: the file system as a whole, groups, blocks, inodes, each in ascending
// order.
class FindingsMaker {
 public:
  FindingsMaker(const StructureState& state, std::size_t max) : state_(state), max_(max) {}
  std::vector<CheckFinding> make();

 private:
  struct Place {
    std::optional<BlockNo> block;
    std::optional<InodeNo> inode;
  };
  bool is_full() const { return findings_.size() >= max_; }
  void add(StructureRule rule, std::string words, const Place& place);
  void unreadable();
  void whole();
  void groups();
  void group_rule(const GroupDescriptor& group, StructureRule rule, const std::string& words);
  void blocks();
  void block_run(BlockNo first, std::uint64_t count);
  void attributes();
  void inodes();
  void inode(InodeNo number);
  std::string inode_words(InodeNo number, StructureRule rule) const;
  void doubled_names(InodeNo number);
  void cycles();
  void note_owners();
  void note_owner(BlockNo first, std::uint64_t count, const std::string& owner);
  std::string names_of(InodeNo number) const;

  const StructureState& state_;
  const std::size_t max_;
  std::vector<CheckFinding> findings_;
  std::map<std::uint64_t, std::vector<std::string>> owners_;  // of wrong blocks
};

}  // namespace powercut::lab
