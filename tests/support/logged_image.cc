#include "tests/support/logged_image.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "block/memory_device.h"
#include "reader/volume.h"

namespace powercut::testing {
namespace {

JournalMap map_of(const E2fsImage& image) {
  CHECK(image.is_made(), image.log().c_str());
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  CHECK(volume, "our reader opens what mke2fs made");
  auto map = locate_journal(*volume);
  CHECK(map, "the journal is found");
  return *std::move(map);
}

std::vector<BlockNo> free_blocks_of(const E2fsImage& image) {
  const MemoryDevice device(image.bytes());
  const auto volume = Volume::open(device);
  const Superblock& superblock = volume->superblock();
  std::vector<BlockNo> result;
  std::vector<std::uint8_t> bitmap(superblock.block_bytes());
  const auto group = volume->group(0);
  CHECK(group && volume->read_block(group->block_bitmap, bitmap), "the block bitmap is there");
  const std::uint64_t first = superblock.first_data_block.value();
  const std::uint64_t end =
      std::min<std::uint64_t>(superblock.block_count, first + superblock.blocks_per_group);
  for (std::uint64_t block = first; block < end; ++block) {
    if (!bitmap_bit(bitmap, static_cast<std::uint32_t>(block - first))) result.emplace_back(block);
  }
  // debugfs allocates from the front.
  CHECK(result.size() > 1000, "the file system has room");
  result.erase(result.begin(), result.end() - 500);
  return result;
}

JournalSpec spec_of(const LoggedImageOptions& options, const JournalMap& map) {
  JournalSpec spec;
  spec.block_bytes = map.block_bytes();
  spec.checksum = options.checksum;
  spec.is_async = options.is_async;
  spec.log_block_count = map.block_count();
  spec.start = options.start;
  spec.sequence = options.sequence;
  return spec;
}

}  // namespace

LoggedImage::LoggedImage(const LoggedImageOptions& options)
    : image_({.mke2fs = options.mke2fs, .size = options.size}),
      map_(map_of(image_)),
      pool_(free_blocks_of(image_)),
      builder_(spec_of(options, map_)) {}

TransactionSpec LoggedImage::blocks(std::size_t first, std::size_t count,
                                    std::uint64_t seed) const {
  TransactionSpec transaction;
  for (std::size_t i = first; i < first + count; ++i) {
    transaction.blocks.push_back({pool_[i], patterned_block(block_bytes(), seed * 1000 + i)});
  }
  return transaction;
}

std::vector<DataSpec> LoggedImage::change_of(const std::string& debugfs_commands) {
  const auto before = bytes();
  image_.debugfs(debugfs_commands, true);
  const auto after = bytes();
  put(before);
  std::vector<DataSpec> changed;
  const std::size_t size = block_bytes();
  for (std::size_t at = 0; at + size <= before.size(); at += size) {
    const BlockNo block(at / size);
    if (map_.log_block(block) || std::memcmp(&before[at], &after[at], size) == 0) continue;
    changed.push_back({block, {&after[at], &after[at] + size}});
  }
  return changed;
}

void LoggedImage::write(const std::function<void(JournalSuperblock&)>& change, bool is_dirty) {
  MemoryDevice device(bytes());
  CHECK(builder_.write_to(device, map_), "the log fits");
  JournalSuperblock superblock = builder_.superblock();
  if (change) change(superblock);
  std::vector<std::uint8_t> block(block_bytes());
  const std::uint64_t at = map_.device_block(LogBlock(0)).value() * block.size();
  CHECK(device.read(at, block), "the journal lies on the device");
  superblock.encode(block);
  CHECK(device.write(at, block), "the journal lies on the device");
  std::vector<std::uint8_t> stored(kSuperblockBytes);
  CHECK(device.read(kSuperblockOffset, stored), "the superblock is there");
  Superblock own = *Superblock::parse(stored, device.size_bytes());
  const auto flag = static_cast<std::uint32_t>(Ext4Incompat::kRecover);
  own.incompat = is_dirty ? own.incompat | flag : own.incompat & ~flag;
  own.encode(stored);
  CHECK(device.write(kSuperblockOffset, stored), "the superblock is there");
  put({device.bytes().begin(), device.bytes().end()});
}

void LoggedImage::change_log_block(LogBlock log, const std::function<void(MutableBytes)>& change) {
  auto all = bytes();
  const std::size_t size = block_bytes();
  change(MutableBytes(all).subspan(map_.device_block(log).value() * size, size));
  put(all);
}

void LoggedImage::put(const std::vector<std::uint8_t>& bytes) const {
  std::ofstream file(image_.path(), std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  CHECK(file.flush(), "the image is written");
}

}  // namespace powercut::testing
