// A block of names on any bytes.  Byte 0 chooses the file system around it, byte 1 how long the
// name is that is looked for; then come the name and the block (cut off or filled with zeroes).
// What is said of the block must be what format/ says, which shares no code with it; a name that is
// put in must be found there, and be gone when it is taken.
#include <algorithm>

#include "format/ext4.h"
#include "fs/directory_block.h"

namespace {

using namespace powercut;
using namespace powercut::fs;
using Block = std::vector<std::uint8_t>;

constexpr BlockNo kPlace{77};
constexpr InodeNo kOwner{12}, kNew{15};

Superblock superblock_of(std::uint8_t choice) {
  Superblock superblock;
  superblock.log_block_size = superblock.log_cluster_size = choice % 3;
  superblock.block_count = 100'000;
  superblock.inode_count = 5000;
  if ((choice & 4) != 0) {
    superblock.incompat |= static_cast<std::uint32_t>(Ext4Incompat::kFileType);
  }
  if ((choice & 8) != 0) {
    superblock.ro_compat |= static_cast<std::uint32_t>(Ext4RoCompat::kMetadataChecksum);
  }
  return superblock;
}

void expect(bool is_so, const char* what) {
  CHECK(is_so, what);
}

Result<DirectoryBlock> parsed(const Block& block, const DirectoryForm& form) {
  return DirectoryBlock::parse(block, kPlace, form.owner, *form.shape);
}

bool has(const DirectoryBlock& block, std::string_view name) {
  return std::ranges::any_of(block.records, [&](const DirectoryRecord& record) {
    return record.inode.value() != 0 && record.name == name;
  });
}

void put_and_take(Block block, const DirectoryForm& form, std::string_view name,
                  std::uint32_t room_at) {
  put_record(block, form, room_at, {name, kNew, 1});
  const auto with = look_in_block(block, kPlace, form, name);
  expect(with && with->found && with->found->inode == kNew, "a name that was put in is there");
  const auto after = parsed(block, form);
  expect(after && has(*after, name), "format/ sees a name that was put in");
  take_record(block, form, with->found->at, with->found->before);
  const auto without = look_in_block(block, kPlace, form, name);
  expect(without && !without->found, "a name that was taken is gone");
  expect(parsed(block, form).has_value(), "format/ reads a block that a name was taken from");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Superblock superblock = superblock_of(data[0]);
  const DirectoryForm form{&superblock, OwnerSeed::make(superblock, kOwner, 3)};
  const std::size_t name_bytes = std::min<std::size_t>(data[1], size - 2);
  std::string name(reinterpret_cast<const char*>(data) + 2, name_bytes);
  std::ranges::replace(name, '/', '_');
  std::ranges::replace(name, '\0', '_');
  if (name.empty()) name = "n";
  Block block(data + 2 + name_bytes, data + size);
  block.resize(superblock.block_bytes());

  const auto by_format = parsed(block, form);
  const auto records = records_of(block, kPlace, form);
  const auto look = look_in_block(block, kPlace, form, name);
  if (by_format && records) {
    expect(records->size() == by_format->records.size(), "as many records as format/ sees");
  }
  if (!by_format || !look) return 0;
  expect(look->found.has_value() == has(*by_format, name), "found as format/ finds it");
  if (look->found) {
    set_record(block, form, look->found->at, kNew, 1);
    expect(parsed(block, form).has_value(), "format/ reads a block with a changed entry");
  } else if (look->room_at) {
    put_and_take(block, form, name, *look->room_at);
  }
  return 0;
}
