#include "format/ext4_mmp.h"

#include <algorithm>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4_disk.h"

namespace powercut {
namespace {

constexpr std::uint32_t kSequenceClean = 0xFF4D4D50;
constexpr std::uint32_t kSequenceFsck = 0xE24D4D50;  // the numbers below it: in use

std::uint32_t checksum_of(Bytes block, const Superblock& superblock) {
  return crc32c(superblock.checksum_seed(), block.first(offsetof(disk::MmpRecord, checksum)));
}

}  // namespace

std::string_view mmp_state_name(MmpState state) {
  switch (state) {
    case MmpState::kClean: return "clean";
    case MmpState::kFsck: return "in a check";
    case MmpState::kInUse: return "in use";
  }
  return "unknown";
}

Result<MmpBlock> MmpBlock::parse(Bytes block, const Superblock& superblock) {
  const std::uint64_t place = superblock.mmp_block.value();
  const auto stored = TRY(load<disk::MmpRecord>(block, 0));
  if (stored.magic.value() != disk::kMmpMagic) {
    return fail(Errc::kCorrupt, "multiple mount protection: magic", place);
  }
  if (!is_fuzzing() && superblock.has_metadata_checksums() &&
      checksum_of(block, superblock) != stored.checksum.value()) {
    return fail(Errc::kChecksum, "multiple mount protection: checksum", place);
  }
  if (stored.sequence > kSequenceFsck && stored.sequence.value() != kSequenceClean) {
    return fail(Errc::kCorrupt, "multiple mount protection: sequence number", place);
  }
  MmpBlock values;
  values.sequence = stored.sequence;
  values.seconds = stored.time;
  values.node_bytes = stored.node;
  values.device_bytes = stored.device;
  values.check_seconds = stored.check_interval;
  values.checksum = stored.checksum;
  return values;
}

void MmpBlock::encode(MutableBytes block, const Superblock& superblock) const {
  disk::MmpRecord stored;
  CHECK(block.size() >= sizeof(stored), "a block of multiple mount protection is 1024 bytes");
  std::memcpy(&stored, block.data(), sizeof(stored));
  stored.magic = disk::kMmpMagic;
  stored.sequence = sequence;
  stored.time = seconds;
  stored.node = node_bytes;
  stored.device = device_bytes;
  stored.check_interval = check_seconds;
  if (superblock.has_metadata_checksums()) {
    stored.checksum = checksum_of(bytes_of(stored), superblock);
  }
  store(block, 0, stored);
}

MmpState MmpBlock::state() const {
  if (sequence == kSequenceClean) return MmpState::kClean;
  return sequence == kSequenceFsck ? MmpState::kFsck : MmpState::kInUse;
}

std::string_view MmpBlock::node() const {
  return text_in_field(node_bytes);
}
std::string_view MmpBlock::device() const {
  return text_in_field(device_bytes);
}

}  // namespace powercut
