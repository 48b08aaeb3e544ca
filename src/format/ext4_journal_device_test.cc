// The superblock of an external journal as mke2fs makes it, and damaged.
#include "format/ext4_journal_device.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/crc32c.h"
#include "base/stored_int.h"
#include "format/jbd2.h"
#include "tests/support/e2fs_image.h"

namespace powercut {
namespace {

using testing::E2fsImage;
using testing::number_after;
using testing::run_shell;

std::vector<std::uint8_t> superblock_of(const E2fsImage& image) {
  const auto bytes = image.bytes();
  return {bytes.begin() + kSuperblockOffset, bytes.begin() + kSuperblockOffset + kSuperblockBytes};
}

TEST(JournalDeviceSuperblock, ValuesAreThoseOfDumpe2fs) {
  SKIP_WITHOUT_TOOL("dumpe2fs");
  for (const char* options :
       {"-b 1024 -O journal_dev", "-b 2048 -O journal_dev", "-b 4096 -O journal_dev,^metadata_csum",
        "-b 4096 -O journal_dev -U 00112233-4455-6677-8899-aabbccddeeff"}) {
    E2fsImage image({.mke2fs = options, .size = "8M"});
    ASSERT_TRUE(image.is_made()) << image.log();
    const auto stored = superblock_of(image);
    const auto values = JournalDeviceSuperblock::parse(stored);
    ASSERT_TRUE(values) << values.error().what;
    auto copy = stored;
    values->encode(copy);
    EXPECT_EQ(copy, stored) << options;
    const std::string text = run_shell("dumpe2fs '" + image.path().string() + "'").output;
    EXPECT_EQ(number_after(text, "Block count:"), values->block_count) << text;
    EXPECT_EQ(number_after(text, "Block size:"), values->block_bytes());
    EXPECT_EQ(number_after(text, "\nChecksum:").value_or(0), values->checksum);
    const auto bytes = image.bytes();
    const std::size_t at = values->journal_block().value() * values->block_bytes();
    const auto log = JournalSuperblock::parse(Bytes(bytes).subspan(at, 1024));
    ASSERT_TRUE(log) << log.error().what;
    EXPECT_EQ(log->first.value(), values->journal_block().value() + 1);
    EXPECT_EQ(log->log_block_count, values->block_count);
    // And no file system: the ordinary way in refuses it by name.
    const auto refused = Superblock::parse(stored, bytes.size());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().detail.view(), "journal_dev");
  }
}

TEST(JournalDeviceSuperblock, RefusesDamageByName) {
  SKIP_WITHOUT_TOOL("mke2fs");
  E2fsImage image({.mke2fs = "-b 1024 -O journal_dev", .size = "8M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const auto good = superblock_of(image);
  struct Row {
    std::size_t offset;
    std::uint32_t value;
    bool is_sealed;  // with its checksum made right again
    Errc code;
    const char* what;
  };
  const Row rows[] = {
      {0x38, 0x0001EF54, true, Errc::kInvalid, "journal device: no ext4 superblock"},
      {0x60, 0x42, true, Errc::kInvalid, "journal device: a file system, not a journal"},
      {0x68, 1, false, Errc::kChecksum, "journal device: superblock checksum"},
      {0x174, 0x0200, true, Errc::kUnsupported, "journal device: checksum type other than crc32c"},
      {0x18, 7, true, Errc::kUnsupported, "journal device: block size over 64 KiB"},
      {0x04, 2, true, Errc::kCorrupt, "journal device: block count"},
  };
  for (const Row& row : rows) {
    auto bytes = good;
    store(bytes, row.offset, Le32(row.value));
    if (row.is_sealed) store(bytes, 0x3FC, Le32(crc32c(~0u, Bytes(bytes).first(0x3FC))));
    const auto outcome = JournalDeviceSuperblock::parse(bytes);
    ASSERT_FALSE(outcome) << row.what;
    EXPECT_EQ(outcome.error().code, row.code) << row.what;
    EXPECT_STREQ(outcome.error().what, row.what);
  }
  EXPECT_FALSE(JournalDeviceSuperblock::parse(Bytes(good).first(1000)));
}

}  // namespace
}  // namespace powercut
