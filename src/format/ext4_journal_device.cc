#include "format/ext4_journal_device.h"

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4_disk.h"

namespace powercut {
namespace {

bool has_checksum(const disk::SuperBlock& stored) {
  return (stored.ro_compat & static_cast<std::uint32_t>(Ext4RoCompat::kMetadataChecksum)) != 0;
}

}  // namespace

Result<JournalDeviceSuperblock> JournalDeviceSuperblock::parse(Bytes block) {
  const auto stored = TRY(load<disk::SuperBlock>(block, 0));
  if (stored.magic.value() != disk::kExt4Magic) {
    return fail(Errc::kInvalid, "journal device: no ext4 superblock", stored.magic);
  }
  if ((stored.incompat & static_cast<std::uint32_t>(Ext4Incompat::kJournalDevice)) == 0) {
    return fail(Errc::kInvalid, "journal device: a file system, not a journal", stored.incompat);
  }
  if (has_checksum(stored)) {
    if (stored.checksum_type != disk::kExt4ChecksumCrc32c) {
      return fail(Errc::kUnsupported, "journal device: checksum type other than crc32c",
                  stored.checksum_type);
    }
    if (!is_fuzzing() && superblock_checksum(block) != stored.checksum.value()) {
      return fail(Errc::kChecksum, "journal device: superblock checksum", stored.checksum);
    }
  }
  if (stored.log_block_size > disk::kLogBlockSizeMax) {
    return fail(Errc::kUnsupported, "journal device: block size over 64 KiB",
                stored.log_block_size);
  }
  JournalDeviceSuperblock values;
  values.log_block_size = stored.log_block_size;
  values.block_count = joined(stored.block_count_low, stored.block_count_high);
  values.uuid = stored.uuid;
  values.checksum = stored.checksum;
  if (values.block_count <= values.journal_block().value()) {
    return fail(Errc::kCorrupt, "journal device: block count", values.block_count);
  }
  return values;
}

void JournalDeviceSuperblock::encode(MutableBytes block) const {
  disk::SuperBlock stored;
  CHECK(block.size() >= sizeof(stored), "a superblock is 1024 bytes");
  std::memcpy(&stored, block.data(), sizeof(stored));
  stored.magic = disk::kExt4Magic;
  stored.incompat = stored.incompat | static_cast<std::uint32_t>(Ext4Incompat::kJournalDevice);
  stored.log_block_size = log_block_size;
  stored.block_count_low = static_cast<std::uint32_t>(block_count);
  stored.block_count_high = static_cast<std::uint32_t>(block_count >> 32);
  stored.uuid = uuid;
  if (has_checksum(stored)) stored.checksum = superblock_checksum(bytes_of(stored));
  store(block, 0, stored);
}

}  // namespace powercut
