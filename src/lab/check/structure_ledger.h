// Sums over the whole image that a change adds to and takes from: who claims which block, who names
// which inode.
//
// Words
//   claim    one owner's statement that a block is its own
//   marked   in use in a bitmap
//   entry    one name in a directory that is in use, "." and ".." included
//
// Invariant: what is taken was added before, so no sum depends on the order of changes.
#pragma once

#include <bitset>
#include <unordered_map>
#include <vector>

#include "format/ext4.h"
#include "lab/check/structure_rule.h"

namespace powercut::lab {

// Blocks: each is to be free, or claimed once and marked.
class BlockLedger {
 public:
  BlockLedger() = default;
  explicit BlockLedger(std::uint64_t block_count) : cells_(block_count) {}

  void claim(BlockNo first, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) put(first + i, cells_[(first + i).value()] + kClaim);
    claims_ += count;
  }
  void unclaim(BlockNo first, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) put(first + i, cells_[(first + i).value()] - kClaim);
    claims_ -= count;
  }
  void mark(BlockNo block, bool is_marked) {
    put(block, (cells_[block.value()] & ~kMarked) | (is_marked ? kMarked : 0u));
  }
  bool is_marked(BlockNo block) const { return (cells_[block.value()] & kMarked) != 0; }
  std::uint32_t claims(BlockNo block) const { return cells_[block.value()] / kClaim; }
  bool is_wrong(BlockNo block) const { return is_wrong_cell(cells_[block.value()]); }
  std::uint64_t wrong_count() const { return wrong_; }
  std::uint64_t claim_count() const { return claims_; }

 private:
  static constexpr std::uint32_t kMarked = 1, kClaim = 2;
  static bool is_wrong_cell(std::uint32_t cell) { return cell != 0 && cell != kClaim + kMarked; }
  void put(BlockNo block, std::uint32_t cell) {
    std::uint32_t& place = cells_[block.value()];
    wrong_ += std::uint64_t{is_wrong_cell(cell)} - std::uint64_t{is_wrong_cell(place)};
    place = cell;
  }

  std::vector<std::uint32_t> cells_;
  std::uint64_t wrong_ = 0, claims_ = 0;
};

// An entry of a directory as the sums see it.
enum class EntryKind : std::uint8_t { kName, kDot, kDotDot };

// What all directories say of one inode.
struct EntrySums {
  std::uint32_t entries = 0;     // of all kinds
  std::uint32_t names = 0;       // kName
  std::uint64_t parent_sum = 0;  // over kName: the directories' numbers
  std::uint64_t type_sum = 0, type_square_sum = 0;

  void add(EntryKind kind, std::uint8_t type, InodeNo directory) {
    ++entries;
    type_sum += type;
    type_square_sum += std::uint64_t{type} * type;
    if (kind != EntryKind::kName) return;
    ++names;
    parent_sum += directory.value();
  }
  void take(EntryKind kind, std::uint8_t type, InodeNo directory) {
    --entries;
    type_sum -= type;
    type_square_sum -= std::uint64_t{type} * type;
    if (kind != EntryKind::kName) return;
    --names;
    parent_sum -= directory.value();
  }
  // The sum of the squares of the distances from `type` is 0.
  bool have_all(std::uint8_t type) const {
    return type_square_sum + std::uint64_t{type} * type * entries ==
           std::uint64_t{2} * type * type_sum;
  }
  // The directory that has the only name; 0 if there is none or there are several.
  InodeNo only_parent() const {
    return InodeNo(names == 1 ? static_cast<std::uint32_t>(parent_sum) : 0);
  }
};

// Names that a directory has more than once, over all its blocks.
class NameLedger {
 public:
  // `key` stands for a directory and a name.
  void add(std::uint64_t key) {
    if (++counts_[key] == 2) ++doubled_;
  }
  void take(std::uint64_t key) {
    const auto found = counts_.find(key);
    if (--found->second == 1) --doubled_;
    if (found->second == 0) counts_.erase(found);
  }
  std::uint64_t doubled_count() const { return doubled_; }
  bool is_doubled(std::uint64_t key) const {
    const auto found = counts_.find(key);
    return found != counts_.end() && found->second > 1;
  }

 private:
  struct AsItIs {
    std::size_t operator()(std::uint64_t key) const { return key; }
  };
  std::unordered_map<std::uint64_t, std::uint32_t, AsItIs> counts_;
  std::uint64_t doubled_ = 0;
};

}  // namespace powercut::lab
