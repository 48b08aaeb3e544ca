// Who is to be told when a block changes: for each block of an image, the parts that it has in what
// a judge watches.  Most blocks have none or one, so a change costs a look into a table.
// Threads: one caller at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/units.h"

namespace powercut::lab {

// `Role` is a small value that can be compared.
template <class Role>
class BlockRoles {
 public:
  explicit BlockRoles(std::uint64_t block_count) : heads_(block_count, kNone) {}

  // A block past the end has no roles: it does not change.
  void add(BlockNo block, const Role& role) {
    if (block.value() >= heads_.size()) return;
    std::uint32_t& head = heads_[block.value()];
    if (free_ == kNone) {
      nodes_.push_back({role, head});
      head = static_cast<std::uint32_t>(nodes_.size() - 1);
      return;
    }
    const std::uint32_t node = free_;
    free_ = nodes_[node].next;
    nodes_[node] = {role, head};
    head = node;
  }

  // One such role of the block, which it has unless it lies past the end.
  void remove(BlockNo block, const Role& role) {
    if (block.value() >= heads_.size()) return;
    std::uint32_t* link = &heads_[block.value()];
    while (*link != kNone && !(nodes_[*link].role == role)) link = &nodes_[*link].next;
    CHECK(*link != kNone, "block roles: none of these to remove");
    const std::uint32_t node = *link;
    *link = nodes_[node].next;
    nodes_[node].next = free_;
    free_ = node;
  }

  // `visit` must not add or remove roles.
  template <class Visit>
  void for_each(BlockNo block, Visit visit) const {
    for (std::uint32_t at = heads_[block.value()]; at != kNone; at = nodes_[at].next) {
      visit(nodes_[at].role);
    }
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Node {
    Role role;
    std::uint32_t next;
  };
  std::vector<std::uint32_t> heads_;  // by block
  std::vector<Node> nodes_;
  std::uint32_t free_ = kNone;
};

}  // namespace powercut::lab
