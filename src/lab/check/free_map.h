// The block bitmaps of a file system as its transactions leave them: which blocks each of them
// frees.
//
// What a bitmap at home says is stale while the log holds the news, so the versions that pass
// through the log are followed: each is compared with the one before it.  The first version of a
// bitmap is compared with the bitmap at home, which is as old or older.
// Memory: one block for each group whose bitmap was logged.  Threads: one caller at a time.
#pragma once

#include <functional>
#include <optional>
#include <unordered_map>
#include <vector>

#include "reader/volume.h"

namespace powercut::lab {

class FreeMap {
 public:
  // Knows no bitmaps.
  FreeMap() = default;
  // The bitmaps' places as they are now; a group whose descriptor is damaged is left out.
  static FreeMap of(const Volume& volume);

  bool is_bitmap(BlockNo block) const { return groups_.contains(block.value()); }
  // `logged` is the next version of the bitmap that lies in `bitmap` (is_bitmap); calls
  // freed(first, count) for each run of blocks that it frees.
  void take(const BlockView& view, BlockNo bitmap, Bytes logged,
            const std::function<void(BlockNo, std::uint64_t)>& freed);
  // Nothing if `block`'s bitmap was not logged yet.
  std::optional<bool> is_free(BlockNo block) const;

 private:
  struct Group {
    BlockNo first;
    std::vector<std::uint8_t> bits;  // as last logged; empty before
  };
  std::unordered_map<std::uint64_t, Group> groups_;  // by the bitmap's place
  std::vector<std::uint64_t> place_of_group_;        // 0: damaged
  std::uint64_t first_block_ = 0, blocks_per_group_ = 1, blocks_per_cluster_ = 1;
};

}  // namespace powercut::lab
