#include "fs/core.h"

namespace powercut::fs {
namespace {

// Where the superblock lies in the block that holds it.
std::size_t superblock_at(const Core& core) {
  return kSuperblockOffset % core.block_bytes();
}

Superblock parsed(const Core& core, Bytes block) {
  auto superblock = Superblock::parse(block.subspan(superblock_at(core), kSuperblockBytes),
                                      core.device->size_bytes());
  CHECK(superblock.has_value(), "a superblock that was read and written here is whole");
  return *superblock;
}

}  // namespace

Timestamp Core::now() const {
  const Nanoseconds time = wall_clock->now();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return {seconds.count(), static_cast<std::uint32_t>((time - seconds).count())};
}

Result<Handle> Core::start(Credits want) const {
  if (journal == nullptr) return fail(Errc::kReadOnly, "file system: mounted read-only");
  return journal->start(want);
}

void change_superblock(const Core& core, Handle& handle,
                       const std::function<void(Superblock&)>& change) {
  handle.change(core.superblock, [&](MutableBytes block) {
    Superblock superblock = parsed(core, block);
    change(superblock);
    superblock.encode(block.subspan(superblock_at(core), kSuperblockBytes));
  });
}

Superblock superblock_now(const Core& core) {
  return parsed(core, core.superblock->snapshot().bytes());
}

}  // namespace powercut::fs
