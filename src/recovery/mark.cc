// What a recovery leaves in the superblock of the file system.
#include "format/ext4.h"
#include "recovery/recovery.h"

namespace powercut {

Result<void> mark_recovered(const RecoveryPlan& plan, BlockDevice& target) {
  std::vector<std::uint8_t> bytes(kSuperblockBytes);
  TRY(target.read(kSuperblockOffset, bytes));
  Superblock superblock = TRY(Superblock::parse(bytes, target.size_bytes()));
  superblock.incompat &= ~static_cast<std::uint32_t>(Ext4Incompat::kRecover);
  if (plan.superblock.error != 0 || plan.end == RecoveryEnd::kRefused) {
    superblock.state |= static_cast<std::uint16_t>(Ext4State::kErrors);
  }
  superblock.encode(bytes);
  TRY(target.write(kSuperblockOffset, bytes));
  return target.flush();
}

}  // namespace powercut
