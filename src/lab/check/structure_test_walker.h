// A random walk through good and damaged states of one file system, for tests: the judge that
// follows the changes must say of each state what one says that begins with it.
#pragma once

#include <fmt/format.h>

#include "base/prng.h"
#include "lab/check/structure_layout.h"
#include "lab/check/structure_test_support.h"

namespace powercut::lab::structure_testing {

class Walker {
 public:
  // The first is a good state; the second is one if `is_second_good` says so.
  Walker(ContentPool& pool, std::vector<ContentId> first, std::vector<ContentId> second,
         bool is_second_good)
      : pool_(pool),
        first_(std::move(first)),
        second_(std::move(second)),
        is_second_good_(is_second_good),
        image_(pool, first_),
        layout_(Layout::make(image_).value()) {
    for (std::uint64_t i = 0; i < first_.size(); ++i) {
      if (first_[i] != second_[i]) changing_.emplace_back(i);
      if (first_[i] != kZeroContent) used_.emplace_back(i);
    }
    judge_.begin(image_);
  }

  // So many steps of one to some sixty changes; every dozen steps or so it goes back to one of the
  // two good states.  The first step after which what is followed is not what is begun with (or a
  // good state is not clean), in words; empty if there is none.
  std::string walk(std::uint64_t seed, int steps) {
    Prng prng(seed);
    for (int step = 0; step < steps; ++step) {
      change_some(prng, 1 + prng.below(prng.below(10) == 0 ? 60 : 4));
      std::string trouble = difference();
      const bool goes_home = prng.below(12) == 0;
      if (trouble.empty() && goes_home) trouble = go_home(prng.below(2) == 0);
      if (!trouble.empty()) return fmt::format("seed {} step {}: {}", seed, step, trouble);
    }
    return "";
  }
  // The judge's words on the image as it is.
  std::string followed() {
    const bool is_clean = judge_.settle();
    return words_of(judge_, is_clean);
  }

 private:
  void change_some(Prng& prng, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const BlockNo block = pick(prng);
      put(block, content_for(prng, block));
    }
  }
  std::string difference() {
    const std::string followed_words = followed();
    const std::string begun_words = words_of_new_judge(image_);
    if (followed_words == begun_words) return "";
    return "followed:\n" + followed_words + "begun with:\n" + begun_words;
  }
  std::string go_home(bool to_first) {
    const std::vector<ContentId>& home = to_first ? first_ : second_;
    for (std::uint64_t i = 0; i < home.size(); ++i) put(BlockNo(i), home[i]);
    const std::string words = followed();
    const bool is_good = to_first || is_second_good_;
    return is_good && words != "clean\n" ? "a good state:\n" + words : difference();
  }
  BlockNo pick(Prng& prng) const {
    const auto& from = prng.below(3) == 0 ? used_ : changing_;
    return from[prng.below(from.size())];
  }
  ContentId content_for(Prng& prng, BlockNo block) {
    switch (prng.below(12)) {
      case 8:
      case 9:
      case 10: return mended(prng, block);
      case 0: return kZeroContent;
      case 1: return image_.at(pick(prng));
      case 2: return flipped(prng, block);
      case 3:
      case 4: return first_[block.value()];
      default: return second_[block.value()];
    }
  }
  ContentId flipped(Prng& prng, BlockNo block) {
    const Bytes now = image_.bytes(block);
    std::vector<std::uint8_t> bytes(now.begin(), now.end());
    bytes[prng.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << prng.below(8));
    return pool_.add(bytes).value();
  }
  // A field of an inode, a descriptor or the superblock is another, and the checksum is right.
  ContentId mended(Prng& prng, BlockNo block) {
    const Bytes now = image_.bytes(block);
    std::vector<std::uint8_t> bytes(now.begin(), now.end());
    switch (layout_.role(block)) {
      case FixedRole::kInodeTable: change_inode(prng, block, bytes); break;
      case FixedRole::kDescriptors: change_group(prng, block, bytes); break;
      case FixedRole::kSuperblock: change_superblock(prng, bytes); break;
      default: return flipped(prng, block);
    }
    return pool_.add(bytes).value();
  }
  void change_inode(Prng& prng, BlockNo block, MutableBytes bytes) {
    const Superblock& superblock = layout_.superblock();
    const std::uint32_t group = layout_.index(block);
    const auto table = static_cast<std::uint32_t>(block - layout_.group(group).inode_table);
    const std::uint32_t per_block = superblock.inodes_per_block();
    const auto slot = static_cast<std::uint32_t>(prng.below(per_block));
    const InodeNo number(group * superblock.inodes_per_group + table * per_block + slot + 1);
    const MutableBytes stored =
        bytes.subspan(std::size_t{slot} * superblock.inode_bytes, superblock.inode_bytes);
    const auto parsed = Inode::parse(stored, number, superblock);
    if (!parsed) return;
    Inode inode = *parsed;
    const auto any = static_cast<std::uint32_t>(prng.next());
    switch (prng.below(9)) {
      case 0: inode.links = static_cast<std::uint16_t>(any % 4); break;
      case 1: inode.size = any % 100'000; break;
      case 2: inode.delete_time = any % superblock.inode_count; break;
      case 3: inode.mode = static_cast<std::uint16_t>(any); break;
      case 4: inode.flags ^= 1u << (any % 32); break;
      case 5: inode.generation ^= any; break;
      case 6: inode.xattr_block = BlockNo(any % superblock.block_count); break;
      case 7: inode.sectors += 8; break;
      default: inode.block_area[any % kBlockAreaBytes] ^= 1; break;
    }
    if (inode.xattr_block < superblock.first_data_block) inode.xattr_block = BlockNo();
    inode.encode(stored, number, superblock);
  }
  void change_group(Prng& prng, BlockNo block, MutableBytes bytes) {
    const Superblock& superblock = layout_.superblock();
    const std::uint32_t per_block = superblock.descriptors_per_block();
    const auto slot =
        static_cast<std::uint32_t>(prng.below(std::min(per_block, superblock.group_count())));
    const std::uint32_t group = layout_.index(block) * per_block + slot;
    const MutableBytes stored =
        bytes.subspan(std::size_t{slot} * superblock.descriptor_bytes, superblock.descriptor_bytes);
    auto descriptor = GroupDescriptor::parse(stored, group, superblock);
    if (!descriptor) return;
    const auto any = static_cast<std::uint32_t>(prng.next());
    switch (prng.below(5)) {
      case 0: descriptor->free_blocks = any % superblock.blocks_per_group; break;
      case 1: descriptor->itable_unused = any % superblock.inodes_per_group; break;
      case 2: descriptor->flags ^= static_cast<std::uint16_t>(1u << (any % 3)); break;
      case 3: descriptor->inode_bitmap_checksum ^= any; break;
      default: descriptor->used_directories = any % 100; break;
    }
    descriptor->encode(stored, superblock);
  }
  void change_superblock(Prng& prng, MutableBytes bytes) {
    const MutableBytes stored = bytes.subspan(kSuperblockOffset % bytes.size(), kSuperblockBytes);
    auto superblock = Superblock::parse(stored, image_.block_count() * image_.block_bytes());
    if (!superblock) return;
    superblock->last_orphan = InodeNo(static_cast<std::uint32_t>(prng.below(100)));
    if (prng.below(4) == 0) {
      superblock->ro_compat ^= static_cast<std::uint32_t>(Ext4RoCompat::kOrphanPresent);
    }
    if (prng.below(8) == 0) superblock->uuid[0] ^= 1;
    superblock->encode(stored);
  }
  void put(BlockNo block, ContentId content) {
    const ContentId before = image_.at(block);
    if (before == content) return;
    image_.set(block, content);
    judge_.change(block, before, content);
  }

  ContentPool& pool_;
  const std::vector<ContentId> first_, second_;
  const bool is_second_good_;
  std::vector<BlockNo> changing_, used_;
  StateImage image_;
  const Layout layout_;
  StructureJudge judge_;
};

}  // namespace powercut::lab::structure_testing
