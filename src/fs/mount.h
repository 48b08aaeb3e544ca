// An ext4 file system that is mounted to be written (or read), in data=journal mode.
//
// Order of a mount, each step durable before the next
//   1. the log is replayed and emptied, if there is anything in it
//   2. needs_recovery, the mount's count and time: written to the superblock at its home
//   3. the journal begins, with a transaction number beyond all that lie in the ring
//   4. orphans are deleted or truncated, as operations like any other
// Order of the end: everything committed and home, the log empty, then needs_recovery cleared.
//
// Invariants
//   1. What lies on the device, recovered, is at any moment the file system as of a commit.
//   2. The counters of the superblock are those of its groups in every transaction, so that a check
//      finds nothing after any recovery.
//   3. After the journal stopped, the file system is marked as in need of a check (EXT4_ERROR_FS),
//      and nothing else is written.
//   4. After damage was met (damage.h) it is marked, too, with the first and the last of it: in the
//      next transaction, which sync() and the end make if there is none.
//
// Threads: the parts, any; open() and close() have the file system alone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "fs/core.h"
#include "fs/groups.h"
#include "fs/node.h"
#include "fs/orphans.h"

namespace powercut::fs {

struct MountOptions {
  bool is_read_only = false;
  // Also one that is marked as having errors: its orphans are left alone, as Linux does.
  bool allows_errors = false;
  // Hands out the blocks that are kept for root, too.
  bool uses_reserved = false;
  std::uint64_t buffer_bytes_max = std::uint64_t{256} << 20;
  std::size_t nodes_max = 8192;
  JournalOptions journal;
  // For tests: the journal begins with this transaction, if it is not older than it must be.
  std::optional<Tid> first_tid = std::nullopt;
};

// What statfs(2) tells.
struct SpaceUse {
  std::uint64_t blocks = 0, free_blocks = 0, available_blocks = 0;
  std::uint64_t inodes = 0, free_inodes = 0;
  std::uint32_t block_bytes = 0;
};

class Mounted final : private CommitParticipant {
 public:
  // The device and the clocks must outlive it.
  // Errors: as check_writable() (unless read-only); kInUse is the caller's to find; kCorrupt:
  // marked as having errors, or damaged; a journal that is not recovered; kChecksum, kIo.
  static Result<std::unique_ptr<Mounted>> open(BlockDevice& device, const Clock& clock,
                                               const WallClock& wall_clock,
                                               const MountOptions& options = {});
  // Ends as if the power was cut; close() first if that is not wanted.
  ~Mounted() override;

  Core& core() { return core_; }
  const Superblock& shape() const { return core_.shape; }
  bool is_read_only() const { return journal_ == nullptr; }
  // What the mount found left by the one before.
  const RecoveredOrphans& recovered_orphans() const { return recovered_; }
  // Everything that ended before the call is durable.  Errors: kAborted: the journal stopped.
  Result<void> sync();
  // Unmounts in order.  Nothing may be used afterwards, whatever it returns.
  // Errors: kAborted: the journal stopped, so that the file system needs a recovery; kIo.
  Result<void> close();
  SpaceUse space() const;

 private:
  Mounted(BlockDevice& device, const WallClock& wall_clock);
  Result<void> read_shape();
  Result<void> begin_journal(const JournalMap& map, const Clock& clock,
                             const MountOptions& options);
  Result<void> take_orphans(bool leaves_them);

  // The superblock at its home, past the journal: only where the journal has nothing of it.
  Result<void> write_superblock(const std::function<void(Superblock&)>& change);
  void put_counts(Superblock& superblock) const;
  bool has_untold_damage() const;
  void put_damage(Superblock& superblock);

  Credits cut_credits() const override { return Credits(1); }
  void at_cut(Handle& handle) override;
  void stopped(const Error& why) override;

  Core core_;
  std::unique_ptr<BufferCache> buffers_;
  std::unique_ptr<Groups> groups_;
  std::unique_ptr<NodeTable> nodes_;
  std::unique_ptr<Orphans> orphans_;
  RecoveredOrphans recovered_;
  std::uint64_t counted_blocks_ = 0;  // as the superblock says; looked at in cuts alone
  std::uint32_t counted_inodes_ = 0;
  DamageNotes damage_;
  std::atomic<std::uint64_t> told_damage_{0};  // how much of it the superblock knows
  bool is_closed_ = false;
  std::unique_ptr<Journal> journal_;
};

}  // namespace powercut::fs
