#include "lab/check/free_map.h"

#include <algorithm>
#include <bit>

namespace powercut::lab {

FreeMap FreeMap::of(const Volume& volume) {
  FreeMap map;
  const Superblock& super = volume.superblock();
  map.first_block_ = super.first_data_block.value();
  map.blocks_per_group_ = super.blocks_per_group;
  map.blocks_per_cluster_ = super.blocks_per_cluster();
  map.place_of_group_.resize(super.group_count());
  for (std::uint32_t index = 0; index < super.group_count(); ++index) {
    const auto group = volume.group(index);
    if (!group) continue;
    map.place_of_group_[index] = group->block_bitmap.value();
    map.groups_[group->block_bitmap.value()].first = super.first_block_of(index);
  }
  return map;
}

void FreeMap::take(const BlockView& view, BlockNo bitmap, Bytes logged,
                   const std::function<void(BlockNo, std::uint64_t)>& freed) {
  const auto found = groups_.find(bitmap.value());
  if (found == groups_.end()) return;
  Group& group = found->second;
  if (group.bits.empty()) {
    group.bits.resize(logged.size());
    const auto read = view.read(bitmap.value() * logged.size(), group.bits);
    if (!read) group.bits.assign(logged.begin(), logged.end());
  }
  for (std::size_t byte = 0; byte < logged.size(); ++byte) {
    auto cleared = static_cast<std::uint8_t>(group.bits[byte] & ~logged[byte]);
    for (; cleared != 0; cleared = static_cast<std::uint8_t>(cleared & (cleared - 1))) {
      const auto bit = byte * 8 + static_cast<std::size_t>(std::countr_zero(cleared));
      freed(group.first + bit * blocks_per_cluster_, blocks_per_cluster_);
    }
  }
  copy_bytes(logged, group.bits);
}

std::optional<bool> FreeMap::is_free(BlockNo block) const {
  if (block.value() < first_block_) return std::nullopt;
  const std::uint64_t index = (block.value() - first_block_) / blocks_per_group_;
  if (index >= place_of_group_.size()) return std::nullopt;
  const auto found = groups_.find(place_of_group_[index]);
  if (found == groups_.end() || found->second.bits.empty()) return std::nullopt;
  const std::uint64_t bit = (block - found->second.first) / blocks_per_cluster_;
  return !bitmap_bit(found->second.bits, static_cast<std::uint32_t>(bit));
}

}  // namespace powercut::lab
