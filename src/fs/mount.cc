#include "fs/mount.h"

#include <algorithm>
#include <array>

#include "base/trace.h"
#include "fs/deletion.h"
#include "fs/journal_place.h"
#include "fs/mount_checks.h"

namespace powercut::fs {
namespace {

constexpr std::uint64_t kBuffersMin = 1024;

[[maybe_unused]] const MutantNames kMountMutants{"fs.mount.unannounced"};

std::uint32_t bit(Ext4Incompat feature) {
  return static_cast<std::uint32_t>(feature);
}
std::uint16_t bit(Ext4State state) {
  return static_cast<std::uint16_t>(state);
}

// ext4's own numbers for errnos.
std::uint8_t stored_code(Errc code) {
  constexpr std::uint8_t kEio = 2, kBadChecksum = 4, kCorrupted = 5;
  if (code == Errc::kChecksum) return kBadChecksum;
  return code == Errc::kCorrupt ? kCorrupted : kEio;
}

ErrorRecord record_of(const Error& why, std::uint64_t seconds) {
  ErrorRecord record;
  record.seconds = seconds;
  record.block = why.where;
  record.code = stored_code(why.code);
  const std::string_view words = why.what;
  std::copy_n(words.begin(), std::min(words.size(), record.function_bytes.size() - 1),
              record.function_bytes.begin());
  record.line = static_cast<std::uint32_t>(why.place.line);
  return record;
}

void note_errors(const DamageNotes::Summary& met, std::uint64_t more, std::uint64_t seconds,
                 Superblock& superblock) {
  superblock.state |= bit(Ext4State::kErrors);
  superblock.error_count += static_cast<std::uint32_t>(more);
  superblock.last_error = record_of(*met.last, seconds);
  if (superblock.first_error.seconds == 0) superblock.first_error = record_of(*met.first, seconds);
}

}  // namespace

Mounted::Mounted(BlockDevice& device, const WallClock& wall_clock) {
  core_.device = &device;
  core_.wall_clock = &wall_clock;
  core_.damage = &damage_;
}

Mounted::~Mounted() {
  // Its task calls at_cut() and stopped(): it ends before anything that they use.
  journal_.reset();
}

Result<void> Mounted::read_shape() {
  std::array<std::uint8_t, kSuperblockBytes> bytes{};
  TRY(core_.device->read(kSuperblockOffset, bytes));
  core_.shape = TRY(Superblock::parse(bytes, core_.device->size_bytes()));
  return {};
}

Result<std::unique_ptr<Mounted>> Mounted::open(BlockDevice& device, const Clock& clock,
                                               const WallClock& wall_clock,
                                               const MountOptions& options) {
  std::unique_ptr<Mounted> mounted(new Mounted(device, wall_clock));
  TRY(mounted->read_shape());
  const Superblock& shape = mounted->core_.shape;
  if (!options.is_read_only) TRY(check_writable(shape));
  std::optional<JournalMap> map;
  if (!options.is_read_only || shape.needs_recovery()) {
    map = TRY(find_journal(device, shape));
    TRY(recover_journal(device, *map, shape));
    TRY(mounted->read_shape());  // the log may have had another
  }
  const bool has_errors = shape.has(Ext4State::kErrors);
  if (has_errors && !options.is_read_only && !options.allows_errors) {
    return fail(Errc::kCorrupt, "file system: marked as having errors: check it with e2fsck");
  }
  const std::uint64_t blocks_max =
      std::max(kBuffersMin, options.buffer_bytes_max / shape.block_bytes());
  Core& core = mounted->core_;
  mounted->buffers_ = std::make_unique<BufferCache>(device, shape.block_bytes(), blocks_max);
  core.buffers = mounted->buffers_.get();
  mounted->groups_ = TRY(Groups::load(core, options.uses_reserved));
  core.groups = mounted->groups_.get();
  mounted->nodes_ = std::make_unique<NodeTable>(core, options.nodes_max);
  core.nodes = mounted->nodes_.get();
  if (options.is_read_only) {
    core.superblock = TRY(core.buffers->get(shape.superblock_block(0)));
    return mounted;
  }
  TRY(mounted->begin_journal(*map, clock, options));
  TRY(mounted->take_orphans(has_errors));
  return mounted;
}

Result<void> Mounted::begin_journal(const JournalMap& map, const Clock& clock,
                                    const MountOptions& options) {
  for (const JournalMap::Run& run : map.runs()) groups_->add_system(run.device, run.count);
  // Not inside the braces: what a return out of them leaves half made is not destroyed.
  JournalSuperblock stored_journal = TRY(read_journal_superblock(*core_.device, map));
  JournalPlace place{core_.device, map, std::move(stored_journal),
                     core_.shape.has_metadata_checksums(), Tid()};
  place.first_tid = TRY(first_unused_tid(*core_.device, map, place.superblock));
  if (options.first_tid && !options.first_tid->comes_before(place.first_tid)) {
    place.first_tid = *options.first_tid;
  }
  TRY(write_superblock([&](Superblock& superblock) {
    if (!mutant("fs.mount.unannounced")) superblock.incompat |= bit(Ext4Incompat::kRecover);
    if (superblock.has(Ext4Compat::kOrphanFile)) {
      superblock.ro_compat |= static_cast<std::uint32_t>(Ext4RoCompat::kOrphanPresent);
    }
    ++superblock.mount_count;
    superblock.mount_seconds = static_cast<std::uint64_t>(core_.now().seconds);
    superblock.write_seconds = superblock.mount_seconds;
  }));
  core_.superblock = TRY(core_.buffers->get(core_.shape.superblock_block(0)));
  const Superblock stored = superblock_now(core_);
  counted_blocks_ = stored.free_blocks;
  counted_inodes_ = stored.free_inodes;
  journal_ = TRY(Journal::open(std::move(place), clock, *core_.wall_clock, this, options.journal));
  core_.journal = journal_.get();
  return {};
}

Result<void> Mounted::take_orphans(bool leaves_them) {
  orphans_ = TRY(Orphans::load(core_));
  core_.orphans = orphans_.get();
  if (leaves_them || orphans_->count() == 0) return {};
  recovered_ = TRY(recover_orphans(core_));
  return {};
}

Result<void> Mounted::write_superblock(const std::function<void(Superblock&)>& change) {
  const std::uint64_t block_bytes = core_.block_bytes();
  const std::uint64_t at = core_.shape.superblock_block(0).value() * block_bytes;
  std::vector<std::uint8_t> block(block_bytes);
  TRY(core_.device->read(at, block));
  const MutableBytes bytes = MutableBytes(block).subspan(kSuperblockOffset - at, kSuperblockBytes);
  Superblock superblock = TRY(Superblock::parse(bytes, core_.device->size_bytes()));
  change(superblock);
  superblock.encode(bytes);
  TRY(core_.device->write(at, block));
  return core_.device->flush();
}

void Mounted::put_counts(Superblock& superblock) const {
  superblock.free_blocks = groups_->free_blocks();
  superblock.free_inodes = groups_->free_inodes();
}

bool Mounted::has_untold_damage() const {
  return damage_.summary().count != told_damage_;
}

void Mounted::put_damage(Superblock& superblock) {
  const DamageNotes::Summary met = damage_.summary();
  const std::uint64_t more = met.count - told_damage_;
  if (more == 0) return;
  note_errors(met, more, static_cast<std::uint64_t>(core_.now().seconds), superblock);
  told_damage_ = met.count;
}

void Mounted::at_cut(Handle& handle) {
  if (groups_->free_blocks() == counted_blocks_ && groups_->free_inodes() == counted_inodes_ &&
      !has_untold_damage()) {
    return;
  }
  change_superblock(core_, handle, [&](Superblock& superblock) {
    put_counts(superblock);
    put_damage(superblock);
  });
  counted_blocks_ = groups_->free_blocks();
  counted_inodes_ = groups_->free_inodes();
}

void Mounted::stopped(const Error& why) {
  const auto outcome = write_superblock([&](Superblock& superblock) {
    note_errors({1, why, why}, 1, static_cast<std::uint64_t>(core_.now().seconds), superblock);
  });
  ignore_error(outcome, "the journal's superblock says it, too");
}

Result<void> Mounted::sync() {
  if (is_read_only()) return {};
  if (has_untold_damage()) {
    // There may be nothing else that would make a transaction.
    Handle handle = TRY(core_.start(Credits(1)));
    change_superblock(core_, handle, [&](Superblock& superblock) { put_damage(superblock); });
  }
  return journal_->commit();
}

Result<void> Mounted::close() {
  CHECK(!is_closed_, "a file system is unmounted once");
  is_closed_ = true;
  if (is_read_only()) return {};
  finish_deletions(core_);
  TRY(orphans_->set_present(false));
  TRY(journal_->close());
  return write_superblock([&](Superblock& superblock) {
    superblock.incompat &= ~bit(Ext4Incompat::kRecover);
    put_counts(superblock);
    put_damage(superblock);
    superblock.write_seconds = static_cast<std::uint64_t>(core_.now().seconds);
  });
}

SpaceUse Mounted::space() const {
  const Superblock& shape = core_.shape;
  SpaceUse use;
  use.block_bytes = shape.block_bytes();
  const std::uint64_t overhead =
      std::uint64_t{shape.overhead_clusters} * shape.blocks_per_cluster();
  use.blocks = shape.block_count - std::min(shape.block_count, overhead);
  use.free_blocks = groups_->free_blocks();
  use.available_blocks = groups_->available_blocks();
  use.inodes = shape.inode_count;
  use.free_inodes = groups_->free_inodes();
  return use;
}

}  // namespace powercut::fs
