// Damage of the journal's own superblock: who still reads such a journal, and who refuses.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/crc32c.h"
#include "base/stored_int.h"
#include "tests/logs/built_log.h"
#include "tests/logs/compare.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::testing {
namespace {

// What e2fsck -y makes of a superblock that we and Linux refuse; we leave all as it is.
enum class E2fsck : std::uint8_t {
  kAsWe,     // replays, as we do
  kReplays,  // replays: s_first is nothing to it
  kResets,   // empties the journal, unread
  kRemoves,  // makes a new journal, and checks the file system
  kAborts,   // ends; nothing is changed
};

struct Edit {
  const char* name;
  std::size_t offset;
  std::uint32_t value;
  E2fsck e2fsck;
  // Linux wants at least 1024 blocks; e2fsck and we do not.
  bool is_too_short_for_linux = false;
  // Whether the checksum is made right again.
  bool is_sealed = true;
};

constexpr Edit kEdits[] = {
    {"magic", 0x00, 0xC03B3999, E2fsck::kRemoves},
    {"type 0", 0x04, 0, E2fsck::kAborts},
    {"type descriptor", 0x04, 1, E2fsck::kResets},
    {"block size 2048", 0x0C, 2048, E2fsck::kResets},
    {"block size 0", 0x0C, 0, E2fsck::kResets},
    {"one block longer than its inode", 0x10, 1025, E2fsck::kResets},
    {"shorter than its inode", 0x10, 1023, E2fsck::kAsWe, true},
    {"a tenth of its inode", 0x10, 100, E2fsck::kAsWe, true},
    {"length 0", 0x10, 0, E2fsck::kResets},
    {"first block 0", 0x14, 0, E2fsck::kReplays},
    {"first block at the end", 0x14, 1024, E2fsck::kReplays},
    {"start at the end", 0x1C, 1024, E2fsck::kResets},
    {"start far behind the end", 0x1C, 0xFFFFFFF0, E2fsck::kResets},
    {"unknown incompat feature", 0x28, 0x113, E2fsck::kAborts},
    {"v2 and v3 at once", 0x28, 0x1B, E2fsck::kResets},
    {"unknown ro_compat feature", 0x2C, 0x1, E2fsck::kAborts},
    {"unknown compat feature", 0x24, 0x100, E2fsck::kAsWe},
    {"another checksum type", 0x50, 0x01000000, E2fsck::kResets},
    {"checksum", 0xFC, 0x12345678, E2fsck::kResets, false, false},
};

LogImage edited(const LogImage& sound, const Edit& edit) {
  LogImage log = sound;
  log.name = edit.name;
  const std::size_t at = log.map.device_block(LogBlock(0)).value() * log.map.block_bytes();
  const MutableBytes superblock = MutableBytes(log.bytes).subspan(at, 1024);
  store(superblock, edit.offset, Be32(edit.value));
  if (edit.is_sealed) {
    store(superblock, 0xFC, Be32(0));
    store(superblock, 0xFC, Be32(crc32c(~std::uint32_t{0}, superblock)));
  }
  return log;
}

const LogImage& sound_log() {
  static const LogImage log = build_log({.checksum = ChecksumKind::kV3, .seed = 1});
  return log;
}

void expect_none(const OurRecovery& ours, const Comparison& comparison) {
  for (const Difference& difference : comparison.differences) {
    ADD_FAILURE() << difference.text << "\n  we said: " << ours.said
                  << "\n  they said: " << comparison.theirs.said;
  }
}

TEST(JournalSuperblocks, AreRefusedAsMountsDo) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const auto witness = make_kernel_witness(MountKind::kReadOnly);
  for (const Edit& edit : kEdits) {
    SCOPED_TRACE(edit.name);
    const LogImage log = edited(sound_log(), edit);
    const OurRecovery ours = recover_ours(log, witness->rules());
    const Comparison comparison = compare(log, *witness, ours);
    if (!edit.is_too_short_for_linux) {
      expect_none(ours, comparison);
      continue;
    }
    EXPECT_FALSE(ours.is_refused) << ours.said;
    EXPECT_TRUE(comparison.theirs.is_refused);
    EXPECT_NE(comparison.theirs.said.find("too short"), std::string::npos)
        << comparison.theirs.said;
  }
}

bool has(const Comparison& comparison, Aspect aspect) {
  return std::ranges::count(comparison.differences, aspect, &Difference::aspect) != 0;
}

void expect_e2fsck_as(const Edit& edit, const OurRecovery& ours, const Comparison& comparison) {
  if (edit.e2fsck == E2fsck::kAsWe) return expect_none(ours, comparison);
  const std::string& said = comparison.theirs.said;
  const auto says = [&](const char* words) { return said.find(words) != std::string::npos; };
  EXPECT_TRUE(ours.is_refused);
  switch (edit.e2fsck) {
    case E2fsck::kAsWe: break;
    case E2fsck::kReplays: EXPECT_TRUE(has(comparison, Aspect::kHome)) << said; break;
    case E2fsck::kResets:
      EXPECT_TRUE(says("corrupt")) << said;
      EXPECT_FALSE(has(comparison, Aspect::kHome)) << said;
      EXPECT_TRUE(has(comparison, Aspect::kSuperblock)) << said;
      break;
    case E2fsck::kRemoves:
      EXPECT_TRUE(says("journal has been deleted") && says("journal has been regenerated")) << said;
      break;
    case E2fsck::kAborts:
      EXPECT_TRUE(says("Abort? yes")) << said;
      EXPECT_FALSE(has(comparison, Aspect::kHome) || has(comparison, Aspect::kJournal)) << said;
      break;
  }
}

TEST(JournalSuperblocks, AreRefusedWhereE2fsckMakesOthers) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_TOOL("e2fsck");
  const auto witness = make_e2fsck_witness();
  for (const Edit& edit : kEdits) {
    SCOPED_TRACE(edit.name);
    const LogImage log = edited(sound_log(), edit);
    const OurRecovery ours = recover_ours(log, witness->rules());
    expect_e2fsck_as(edit, ours, compare(log, *witness, ours));
  }
}

}  // namespace
}  // namespace powercut::testing
