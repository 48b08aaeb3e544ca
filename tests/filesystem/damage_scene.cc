#include "tests/filesystem/damage_scene.h"

#include <algorithm>

#include "base/stored_int.h"
#include "format/ext4_disk.h"
#include "fs/journal_place.h"
#include "fs/operations.h"

namespace powercut::fs {
namespace {

constexpr std::size_t kBlockArea = 0x28;  // i_block in an inode
constexpr std::size_t kBlockAreaSize = 60, kExtentBytes = 12;

std::uint32_t number_at(Bytes bytes, std::size_t at, std::size_t width) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < width; ++i) {
    number |= static_cast<std::uint32_t>(bytes[at + i]) << (8 * i);
  }
  return number;
}

// A file of `pieces` separate blocks.
void make_pieces(Core& core, Node& directory, const std::string& name, std::uint64_t pieces) {
  const NodeRef node = *make_file(core, directory, name, {});
  for (std::uint64_t i = 0; i < pieces; ++i) {
    const auto bytes = pattern(100, i + 7);
    EXPECT_TRUE(write_file(core, *node, 2 * i * core.block_bytes(), bytes));
  }
}

void make_written(Core& core, Node& directory, const std::string& name, std::size_t bytes) {
  const NodeRef node = *make_file(core, directory, name, {});
  EXPECT_TRUE(write_file(core, *node, 0, pattern(bytes, bytes)));
}

void make_names(Core& core, Node& directory, const std::string& name, int count) {
  const NodeRef made = *make_directory(core, directory, name, {});
  const NodeRef one = *make_file(core, *made, "one", {});
  for (int i = 0; i < count; ++i) {
    const std::string link =
        "n" + std::to_string(i) + std::string(static_cast<std::size_t>(i) % 40, 'x');
    EXPECT_TRUE(make_link(core, one, *made, link));
  }
}

}  // namespace

DamageScene::DamageScene(const DamageForm& form) : form_(form) {
  fill();
  find_places();
}

void DamageScene::fill() {
  TestMount disk(form_.mke2fs, form_.size);
  disk.mount();
  Core& core = disk.core();
  const NodeRef root = *core.nodes->get(kRootInode);
  const NodeRef safe = *make_directory(core, *root, "safe", {});
  const NodeRef targets = *make_directory(core, *root, "t", {});
  const std::uint64_t deep = 4 * (core.block_bytes() / 12) + 20;  // two levels below the inode
  make_written(core, *safe, "small", 60);
  make_written(core, *targets, "plain", 30'000);
  make_written(core, *safe, "large", 150'000);
  make_pieces(core, *targets, "deep", core.block_bytes() == 1024 ? deep : 40);
  make_pieces(core, *safe, "pieces", 30);
  make_names(core, *targets, "linear", 8);
  make_names(core, *targets, "htree", core.block_bytes() == 1024 ? 90 : 250);
  make_written(core, *targets, "more", 9'000);
  EXPECT_TRUE(make_symlink(core, *targets, "symbol", std::string(200, 's'), {}));
  EXPECT_TRUE(make_symlink(core, *targets, "fast", "short", {}));
  const NodeRef attrs = *make_file(core, *targets, "attrs", {});
  for (int i = 0; i < 5; ++i) {
    const std::string attribute = "user.a" + std::to_string(i);
    EXPECT_TRUE(set_xattr(core, *attrs, attribute, pattern(100, 1), SetMode::kEither));
  }
  disk.unmount();
  image_ = disk.crashed();
}

void DamageScene::find_places() {
  MemoryDevice device(image_);
  const Volume volume = *Volume::open(device);
  shape_ = volume.superblock();
  safe_blocks_.resize(shape_.block_count);
  safe_inodes_.resize(shape_.inode_count + 1);
  keep_safe(volume, kRootInode);
  for (const char* path : {"/safe", "/safe/small", "/safe/large", "/safe/pieces"}) {
    keep_safe(volume, *volume.find(path));
    if (std::string(path) != "/safe") bystanders_[path] = content_of(image_, path);
  }
  for (const char* path : {"/t/plain", "/t/deep", "/t/linear", "/t/htree", "/t/more", "/t/symbol",
                           "/t/fast", "/t/attrs"}) {
    find_places_of(volume, path);
  }
  add_group_places(volume);
  const JournalMap map = *find_journal(device, shape_);
  journal_block_ = map.device_block(LogBlock(5)).value();
}

void DamageScene::keep_safe(const Volume& volume, InodeNo number) {
  const Inode inode = *volume.inode(number);
  safe_inodes_[number.value()] = true;
  const auto keep = [&](BlockNo block) { return safe_blocks_[block.value()] = true, true; };
  const auto kept = volume.for_each_run(
      number, inode,
      [&](const FileRun& run) {
        for (std::uint64_t i = 0; i < run.count; ++i) keep(run.device + i);
        return true;
      },
      keep);
  EXPECT_TRUE(kept);
}

void DamageScene::find_places_of(const Volume& volume, const std::string& path) {
  const InodeNo number = *volume.find(path);
  const Inode inode = *volume.inode(number);
  const std::uint32_t index = (number.value() - 1) % shape_.inodes_per_group;
  const auto group = volume.group((number.value() - 1) / shape_.inodes_per_group);
  const std::uint64_t slot =
      group->inode_table.value() * block_bytes() + std::uint64_t{index} * shape_.inode_bytes;
  places_.push_back({Part::kInode, slot, shape_.inode_bytes});
  const auto add = [&](Part part, BlockNo block) {
    places_.push_back({part, block.value() * block_bytes(), block_bytes()});
    return true;
  };
  if (inode.xattr_block.value() != 0) add(Part::kAttributes, inode.xattr_block);
  if (path == "/t/plain") target_inode_ = number.value();
  if (!inode.has(InodeFlag::kExtents)) return;
  places_.push_back({Part::kExtentRoot, slot + kBlockArea, kBlockAreaSize});
  const auto visit = [&](const FileRun& run) {
    if (inode.is(InodeType::kSymlink)) return add(Part::kSymlink, run.device);
    if (!inode.is(InodeType::kDirectory)) {
      if (path == "/t/plain") target_block_ = run.device.value();
      return true;
    }
    for (std::uint64_t i = 0; i < run.count; ++i) {
      const bool is_root = run.file.value() + i == 0;
      const bool is_indexed = inode.has(InodeFlag::kIndexed);
      add(!is_indexed ? Part::kDirectory
          : is_root   ? Part::kHtreeRoot
                      : Part::kHtreeLeaf,
          run.device + i);
    }
    return true;
  };
  EXPECT_TRUE(volume.for_each_run(number, inode, visit,
                                  [&](BlockNo block) { return add(Part::kExtentBlock, block); }));
}

void DamageScene::add_group_places(const Volume& volume) {
  places_.push_back({Part::kSuperblock, kSuperblockOffset, kSuperblockBytes});
  for (std::uint32_t i = 0; i < shape_.group_count(); ++i) {
    const auto group = volume.group(i);
    for (const auto& [part, block] : {std::pair(Part::kBlockBitmap, group->block_bitmap),
                                      std::pair(Part::kInodeBitmap, group->inode_bitmap)}) {
      places_.push_back({part, block.value() * block_bytes(), block_bytes()});
    }
    const std::uint64_t table = shape_.descriptor_block(0).value() * block_bytes();
    places_.push_back({Part::kDescriptors, table + std::uint64_t{i} * shape_.descriptor_bytes,
                       shape_.descriptor_bytes});
  }
  if (shape_.orphan_file_inode.value() != 0) {
    const Inode inode = *volume.inode(shape_.orphan_file_inode);
    const auto add = [&](const FileRun& run) {
      places_.push_back({Part::kOrphanFile, run.device.value() * block_bytes(), block_bytes()});
      return false;
    };
    EXPECT_TRUE(volume.for_each_run(shape_.orphan_file_inode, inode, add));
  }
  const auto first = volume.group(0);
  const Bytes bitmap = Bytes(image_).subspan(first->block_bitmap.value() * block_bytes());
  for (std::uint32_t i = 0; i < shape_.block_count_of(0); ++i) {
    if ((bitmap[i / 8] & (1u << (i % 8))) == 0)
      free_block_ = (shape_.first_block_of(0) + i).value();
  }
}

std::vector<Place> DamageScene::places(Part part) const {
  std::vector<Place> found;
  for (const Place& place : places_) {
    if (place.part == part) found.push_back(place);
  }
  return found;
}

bool DamageScene::is_safe_block(std::uint64_t first, std::uint64_t count) const {
  const std::uint64_t end = std::min<std::uint64_t>(first + count, safe_blocks_.size());
  for (std::uint64_t block = first; block < end; ++block) {
    if (safe_blocks_[block]) return true;
  }
  return false;
}

// Entries that changed, read as extents and as indexes; all that are there, not as many as the
// header says.
bool DamageScene::leads_out_of_tree(Bytes before, Bytes after) const {
  const bool has_same_header = std::ranges::equal(before.first(8), after.first(8));
  for (std::size_t at = kExtentBytes; at + kExtentBytes <= after.size(); at += kExtentBytes) {
    const Bytes entry = after.subspan(at, kExtentBytes);
    if (has_same_header && std::ranges::equal(entry, before.subspan(at, kExtentBytes))) continue;
    const std::uint64_t start = number_at(entry, 8, 4);
    if (number_at(entry, 6, 2) == 0 && is_safe_block(start, 32768)) {
      const std::uint32_t stored = number_at(entry, 4, 2);
      if (is_safe_block(start, stored > 32768 ? stored - 32768 : stored)) return true;
    }
    if (number_at(entry, 8, 2) == 0 && is_safe_block(number_at(entry, 4, 4), 1)) return true;
  }
  return false;
}

bool DamageScene::leads_to_bystander(const Place& place, Bytes before, Bytes after) const {
  switch (place.part) {
    case Part::kExtentRoot:
    case Part::kExtentBlock: return leads_out_of_tree(before, after);
    case Part::kInode:
      return is_safe_block(number_at(after, 0x68, 4), 1) ||
             leads_out_of_tree(before.subspan(kBlockArea, kBlockAreaSize),
                               after.subspan(kBlockArea, kBlockAreaSize));
    case Part::kDirectory:
    case Part::kHtreeRoot:
    case Part::kHtreeLeaf:
      for (std::size_t at = 0; at + 4 <= after.size(); at += 4) {
        const std::uint32_t number = number_at(after, at, 4);
        if (number == number_at(before, at, 4)) continue;
        if (number < safe_inodes_.size() && safe_inodes_[number]) return true;
      }
      return false;
    default: return false;
  }
}

std::string DamageScene::broken_bystander(Bytes image) const {
  const MemoryDevice device(std::vector<std::uint8_t>(image.begin(), image.end()));
  const auto volume = Volume::open(device);
  if (!volume) return error_words(volume.error());
  for (const auto& [path, content] : bystanders_) {
    const auto number = volume->find(path);
    if (!number) return path + ": " + error_words(number.error());
    const auto inode = volume->inode(*number);
    if (!inode) return path + ": " + error_words(inode.error());
    std::vector<std::uint8_t> bytes(content.size() + 1);
    const auto count = volume->read_file(*number, *inode, 0, bytes);
    if (!count) return path + ": " + error_words(count.error());
    bytes.resize(*count);
    if (bytes != content)
      return path + ": other bytes, of inode " + std::to_string(number->value());
  }
  return "";
}

}  // namespace powercut::fs
