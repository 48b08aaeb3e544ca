// The block of multiple mount protection (feature mmp): who has the file system mounted.
//
// Whoever mounts it writes a new sequence number every few seconds; who finds a number that changes
// must not mount.
//
// Source: Linux Documentation/filesystems/ext4/mmp.rst, and what debugfs 1.47 dump_mmp shows.
#pragma once

#include "format/ext4.h"

namespace powercut {

enum class MmpState : std::uint8_t {
  kClean,  // unmounted in order
  kFsck,   // a checker is at work, or was when the machine stopped
  kInUse,  // mounted, or was when the machine stopped
};
std::string_view mmp_state_name(MmpState state);  // "clean", "in a check", "in use"

struct MmpBlock {
  std::uint32_t sequence = 0;                   // mmp_seq
  std::uint64_t seconds = 0;                    // mmp_time: of the last update
  std::array<std::uint8_t, 64> node_bytes{};    // mmp_nodename: the machine
  std::array<std::uint8_t, 32> device_bytes{};  // mmp_bdevname: the disk's name there
  std::uint16_t check_seconds = 0;              // mmp_check_interval
  std::uint32_t checksum = 0;                   // mmp_checksum, as stored

  // `block` is the block at superblock.mmp_block, at least 1024 bytes of it.
  // Errors: kCorrupt (magic, a sequence number that is none), kChecksum; `where` is the block.
  static Result<MmpBlock> parse(Bytes block, const Superblock& superblock);
  void encode(MutableBytes block, const Superblock& superblock) const;

  MmpState state() const;
  std::string_view node() const;
  std::string_view device() const;
};

}  // namespace powercut
