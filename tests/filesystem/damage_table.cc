#include "tests/filesystem/damage_table.h"

#include <algorithm>

namespace powercut::fs {
namespace {

// Values that stand for what is only known in a scene.
constexpr std::uint64_t kJournalBlock = ~std::uint64_t{0}, kTableBlock = ~std::uint64_t{1},
                        kFreeBlock = ~std::uint64_t{2}, kTargetBlock = ~std::uint64_t{3},
                        kTargetInode = ~std::uint64_t{4}, kEndBlock = ~std::uint64_t{5};

std::uint64_t value_in(const DamageScene& scene, std::uint64_t value) {
  switch (value) {
    case kJournalBlock: return scene.journal_block();
    case kTableBlock: return scene.places(Part::kInode)[0].at / scene.block_bytes();
    case kFreeBlock: return scene.free_block();
    case kTargetBlock: return scene.target_block();
    case kTargetInode: return scene.target_inode();
    case kEndBlock: return scene.shape().block_count;
    default: return value;
  }
}

void put(MutableBytes place, const Poke& poke) {
  for (std::uint32_t i = 0; i < poke.width && poke.at + i < place.size(); ++i) {
    place[poke.at + i] = static_cast<std::uint8_t>(poke.value >> (8 * i));
  }
}

void flip_bit(MutableBytes place, Prng& random) {
  const std::uint64_t at = random.below(place.size());
  place[at] = static_cast<std::uint8_t>(place[at] ^ (1u << random.below(8)));
}

// A bit that says that what is in use is free, and one the other way round: the count stays right.
DamageRow swap_row(const std::string& words, Part part,
                   std::function<std::uint32_t(const DamageScene&)> used) {
  DamageRow row{words, part, {}, {}, false};
  row.special = [used](const DamageScene& scene) -> Damager {
    const std::uint32_t index = used(scene);
    return [index](MutableBytes bitmap, Prng&) {
      const auto flip = [&](std::uint32_t bit) {
        bitmap[bit / 8] = static_cast<std::uint8_t>(bitmap[bit / 8] ^ (1u << (bit % 8)));
      };
      const auto is_set = [&](std::uint32_t bit) {
        return (bitmap[bit / 8] & (1u << (bit % 8))) != 0;
      };
      if (!is_set(index)) return;  // of another group
      std::uint32_t free = 400;
      while (free > 0 && is_set(free)) --free;
      flip(index);
      flip(free);
    };
  };
  return row;
}

void add_rows_of_all_parts(std::vector<DamageRow>& rows) {
  for (std::size_t i = 0; i < kPartCount; ++i) {
    const auto part = static_cast<Part>(i);
    const bool leads_anywhere =
        is_read_at_mount(part) || part == Part::kBlockBitmap || part == Part::kInodeBitmap;
    DamageRow flipped{"a flipped bit", part, {}, {}, leads_anywhere};
    flipped.special = [](const DamageScene&) { return Damager(flip_bit); };
    rows.push_back(flipped);
    DamageRow zeroed{"zeroes", part, {}, {}, false};
    zeroed.special = [](const DamageScene&) {
      return [](MutableBytes place, Prng&) { std::ranges::fill(place, std::uint8_t{0}); };
    };
    rows.push_back(zeroed);
    DamageRow random{"random bytes", part, {}, {}, leads_anywhere};
    random.special = [](const DamageScene&) {
      return [](MutableBytes place, Prng& prng) { prng.fill(place); };
    };
    rows.push_back(random);
    DamageRow ones{"ones", part, {}, {}, false};
    ones.special = [](const DamageScene&) {
      return [](MutableBytes place, Prng&) { std::ranges::fill(place, std::uint8_t{0xFF}); };
    };
    rows.push_back(ones);
  }
}

// Adds rows of that part.
auto adder(std::vector<DamageRow>& rows, Part part) {
  return [&rows, part](const char* words, std::vector<Poke> pokes) {
    rows.push_back({words, part, std::move(pokes), {}, false});
  };
}

void add_inode_rows(std::vector<DamageRow>& rows) {
  const auto add = adder(rows, Part::kInode);
  add("a mode of no type", {{0x00, 2, 0xF1ED}});
  add("a file becomes a directory", {{0x00, 2, 0x41ED}});
  add("a directory or a symlink becomes a file", {{0x00, 2, 0x81A4}});
  add("a socket with blocks", {{0x00, 2, 0xC1ED}});
  add("no links", {{0x1A, 2, 0}});
  add("links without end", {{0x1A, 2, 0xFFFF}});
  add("an inode in no use", {{0x00, 2, 0}, {0x1A, 2, 0}});
  add("deleted, with links", {{0x14, 4, 1'600'000'000}});
  add("a size past all", {{0x04, 4, 0xFFFFFFFF}, {0x6C, 4, 0x7FFFFFFF}});
  add("a negative size", {{0x6C, 4, 0xFFFFFFFF}});
  add("a size of nothing", {{0x04, 4, 0}, {0x6C, 4, 0}});
  add("an odd size", {{0x04, 4, 1025}});
  add("without extents", {{0x20, 4, 0}});
  add("all flags", {{0x20, 4, 0xFFFFFFFF}});
  add("content in the inode", {{0x20, 4, 0x10080000}});
  add("an index where there is none", {{0x20, 4, 0x81000}});
  add("blocks counted down", {{0x1C, 4, 0}});
  add("blocks counted up", {{0x1C, 4, 0xFFFFFFFF}, {0x74, 2, 0xFFFF}});
  add("attributes past the end", {{0x68, 4, 0xFFFFFF00}});
  add("attributes in the inode table", {{0x68, 4, kTableBlock}});
  add("attributes in a file", {{0x68, 4, kTargetBlock}});
  add("attributes in what is free", {{0x68, 4, kFreeBlock}});
  add("a fixed part past the inode", {{0x80, 2, 0xFFFC}});
}

void add_extent_rows(std::vector<DamageRow>& rows) {
  for (const Part part : {Part::kExtentRoot, Part::kExtentBlock}) {
    const auto add = adder(rows, part);
    add("no magic", {{0, 2, 0}});
    add("more entries than fit", {{2, 2, 0xFFFF}});
    add("room for more than fits", {{4, 2, 0xFFFF}});
    add("no entries", {{2, 2, 0}});
    add("deeper than can be", {{6, 2, 6}});
    add("a leaf that says it is an index", {{6, 2, 1}});
    add("an index that says it is a leaf", {{6, 2, 0}});
    add("a length of nothing", {{16, 2, 0}});
    add("a length past the end", {{16, 2, 32768}});
    add("a block past the end", {{20, 4, kEndBlock}});
    add("a block far past the end", {{18, 2, 0xFFFF}});
    add("an extent or child in the inode table", {{20, 4, kTableBlock}, {16, 4, 1}});
    add("a child in the inode table", {{16, 4, kTableBlock}});
    add("an extent in the journal", {{20, 4, kJournalBlock}});
    add("a child in the journal", {{16, 4, kJournalBlock}});
    add("an extent in another file", {{20, 4, kTargetBlock}, {16, 2, 2}});
    add("a child in another file", {{16, 4, kTargetBlock}});
    add("an extent in what is free", {{20, 4, kFreeBlock}, {16, 2, 1}});
    add("a child in what is free", {{16, 4, kFreeBlock}});
    add("file blocks out of order", {{12, 4, 0xFFFF0000}});
    add("two extents of the same file blocks", {{24, 4, 0}});
    // What is at home in a block of the tree, as far as there is one.
    rows.push_back({"a cycle", part, {}, [](const DamageScene& scene) -> Damager {
                      const auto blocks = scene.places(Part::kExtentBlock);
                      if (blocks.empty()) return flip_bit;
                      const std::uint64_t first = blocks[0].at / scene.block_bytes();
                      return [first](MutableBytes place, Prng&) { put(place, {16, 4, first}); };
                    }});
  }
}

void add_directory_rows(std::vector<DamageRow>& rows) {
  for (const Part part : {Part::kDirectory, Part::kHtreeLeaf}) {
    const auto add = adder(rows, part);
    // In a linear block the third record is at 24.
    const std::uint32_t at = part == Part::kDirectory ? 24 : 0;
    add("a record of no length", {{at + 4, 2, 0}});
    add("a record of an odd length", {{at + 4, 2, 13}});
    add("a record past the block", {{at + 4, 2, 0xFFFC}});
    add("a record shorter than its name", {{at + 6, 1, 255}});
    add("a name of no length", {{at + 6, 1, 0}});
    add("a name with a slash", {{at + 8, 1, '/'}});
    add("a name with a zero byte", {{at + 8, 1, 0}});
    add("an inode past all", {{at, 4, 0xFFFFFFFF}});
    add("the journal's inode", {{at, 4, 8}});
    add("the resize inode", {{at, 4, 7}});
    add("another target's inode", {{at, 4, kTargetInode}});
    add("an inode in no use", {{at, 4, 500}});
    add("a type of none", {{at + 7, 1, 99}});
    add("no tail", {{1024 - 12, 4, 1}, {1024 - 8, 4, 7}});
  }
  const auto add = adder(rows, Part::kDirectory);
  add("no . in front", {{8, 1, 'x'}});
  add("a .. past all", {{12, 4, 0x0FFFFFFF}});
  add("a .. that is itself a file", {{12, 4, kTargetInode}});
}

void add_htree_rows(std::vector<DamageRow>& rows) {
  const auto add = adder(rows, Part::kHtreeRoot);
  add("a hash of none", {{28, 1, 99}});
  add("an information record of no length", {{29, 1, 0}});
  add("too many levels", {{30, 1, 9}});
  add("a level more", {{30, 1, 1}});
  add("a limit past the block", {{32, 2, 0xFFFF}});
  add("more slots than fit", {{34, 2, 0xFFFF}});
  add("no slots", {{34, 2, 0}});
  add("a leaf past the directory", {{36, 4, 0x0FFFFFFF}});
  add("a leaf that is the root", {{36, 4, 0}});
  add("two slots of one leaf", {{44, 4, 1}});
  add("hashes out of order", {{40, 4, 0}});
  add("a hash past all others", {{40, 4, 0xFFFFFFFE}});
}

void add_attribute_rows(std::vector<DamageRow>& rows) {
  const auto add = adder(rows, Part::kAttributes);
  add("no magic", {{0, 4, 0}});
  add("a count of nothing", {{4, 4, 0}});
  add("a count of many", {{4, 4, 0xFFFFFFFF}});
  add("a count of two", {{4, 4, 2}});
  add("two blocks", {{8, 4, 2}});
  add("another hash", {{12, 4, 0x12345678}});
  add("a name past the block", {{32, 1, 255}});
  add("a prefix of none", {{33, 1, 200}});
  add("a value past the block", {{34, 2, 0xFFF0}});
  add("a value over its entry", {{34, 2, 32}});
  add("a value that is too long", {{40, 4, 0xFFFFFFF0}});
  add("a value in an inode", {{36, 4, kTargetInode}});
}

void add_group_rows(std::vector<DamageRow>& rows) {
  const auto index_of = [](const DamageScene& scene, std::uint64_t block) {
    return static_cast<std::uint32_t>((block - scene.shape().first_data_block.value()) %
                                      scene.shape().blocks_per_group);
  };
  rows.push_back(swap_row("a system block that is free", Part::kBlockBitmap,
                          [](const DamageScene&) { return 1u; }));
  rows.push_back(swap_row(
      "a block of a file that is free", Part::kBlockBitmap,
      [index_of](const DamageScene& scene) { return index_of(scene, scene.target_block()); }));
  rows.push_back(swap_row(
      "a block of the journal that is free", Part::kBlockBitmap,
      [index_of](const DamageScene& scene) { return index_of(scene, scene.journal_block()); }));
  rows.push_back(swap_row("an inode of the file system's own that is free", Part::kInodeBitmap,
                          [](const DamageScene&) { return 7u; }));
  rows.push_back(
      swap_row("an inode of a file that is free", Part::kInodeBitmap, [](const DamageScene& scene) {
        return (scene.target_inode() - 1) % scene.shape().inodes_per_group;
      }));
  const auto add = adder(rows, Part::kDescriptors);
  add("a block bitmap past the end", {{0, 4, 0xFFFFFF00}});
  add("an inode table past the end", {{8, 4, kEndBlock}});
  add("more free blocks than there are", {{12, 2, 0xFFFF}});
  add("fewer free blocks than there are", {{12, 2, 3}});
  add("more free inodes than there are", {{14, 2, 0xFFFF}});
  add("no directories", {{16, 2, 0}});
}

void add_superblock_rows(std::vector<DamageRow>& rows) {
  const auto add = adder(rows, Part::kSuperblock);
  add("no magic", {{0x38, 2, 0}});
  add("more blocks than the device", {{0x04, 4, 0x7FFFFFFF}});
  add("no inodes in a group", {{0x28, 4, 0}});
  add("no blocks in a group", {{0x20, 4, 0}});
  add("blocks of no size", {{0x18, 4, 99}});
  add("a journal that is a file", {{0xE0, 4, kTargetInode}});
  add("a journal past all inodes", {{0xE0, 4, 0xFFFF}});
  add("an orphan that is the journal", {{0xE8, 4, 8}});
  add("an orphan with links", {{0xE8, 4, kTargetInode}});
  add("an orphan past all", {{0xE8, 4, 0xFFFFFFF}});
  add("more free blocks than there are", {{0x0C, 4, 0x0FFFFFFF}});
  add("an unknown feature", {{0x60, 4, 0xFFFFFFFF}});
}

}  // namespace

Damager DamageRow::damager(const DamageScene& scene) const {
  if (special) return special(scene);
  std::vector<Poke> known = pokes;
  for (Poke& poke : known) poke.value = value_in(scene, poke.value);
  return [known](MutableBytes place, Prng&) {
    for (const Poke& poke : known) put(place, poke);
  };
}

const std::vector<DamageRow>& damage_table() {
  static const std::vector<DamageRow> kRows = [] {
    std::vector<DamageRow> rows;
    add_rows_of_all_parts(rows);
    add_inode_rows(rows);
    add_extent_rows(rows);
    add_directory_rows(rows);
    add_htree_rows(rows);
    add_attribute_rows(rows);
    add_group_rows(rows);
    add_superblock_rows(rows);
    return rows;
  }();
  return kRows;
}

Damager random_damager() {
  return [](MutableBytes place, Prng& random) {
    const std::uint64_t count = 1 + random.below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      // Rather at the front, where the headers are.
      const std::uint64_t room =
          random.chance(1, 2) ? std::min<std::uint64_t>(64, place.size()) : place.size();
      const std::uint64_t at = random.below(room);
      switch (random.below(4)) {
        case 0: flip_bit(place.subspan(at, 1), random); break;
        case 1: place[at] = static_cast<std::uint8_t>(random.below(256)); break;
        case 2:
          put(place, {static_cast<std::uint32_t>(at & ~std::uint64_t{3}), 4, random.below(10'000)});
          break;
        default:
          put(place, {static_cast<std::uint32_t>(at & ~std::uint64_t{1}), 2,
                      random.chance(1, 2) ? 0xFFFFu : random.below(300)});
      }
    }
  };
}

}  // namespace powercut::fs
