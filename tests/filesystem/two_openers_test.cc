// Two who want one image: volumes of the library, and the running kernel.
#include <gtest/gtest.h>

#include "powercut/volume.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::fs {
namespace {

std::string words_of_opening(const std::string& path) {
  const auto volume = Volume::open(path);
  if (volume) return "opened";
  EXPECT_EQ(volume.error().code, Errc::kInUse) << error_words(volume.error());
  return error_words(volume.error());
}

bool says(const std::string& words, const std::string& part) {
  return words.find(part) != std::string::npos;
}

TEST(TwoVolumes, TheSecondIsRefusedAndTheFirstIsWhole) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const testing::E2fsImage image({.size = "8M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const auto link = image.path().parent_path() / "link";
  std::filesystem::create_hard_link(image.path(), link);
  {
    auto first = Volume::open(image.path().native());
    ASSERT_TRUE(first) << error_words(first.error());
    const std::vector<std::uint8_t> bytes(10'000, 7);
    ASSERT_TRUE(first->write_file("/a", bytes));
    for (const auto& path : {image.path(), link}) {
      const std::string words = words_of_opening(path.native());
      EXPECT_TRUE(says(words, "end its user first")) << words;
    }
    ASSERT_TRUE(first->write_file("/b", bytes));
    ASSERT_TRUE(first->close());
  }
  EXPECT_EQ(image.fsck("-fn").status, 0);
  EXPECT_EQ(words_of_opening(link.native()), "opened");
}

TEST(TwoVolumes, ReadersShareAndKeepWritersOut) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const testing::E2fsImage image({.size = "8M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const std::string path = image.path().native();
  const std::vector<std::uint8_t> bytes(10'000, 7);
  {
    auto writer = Volume::open(path).value();
    ASSERT_TRUE(writer.write_file("/a", bytes));
    ASSERT_TRUE(writer.commit());
    const auto reader = Volume::open(path, {.is_read_only = true});
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().code, Errc::kInUse);
    // As if the power was cut.
  }
  {
    // Its log is replayed first, by one who has it alone.
    auto reader = Volume::open(path, {.is_read_only = true});
    ASSERT_TRUE(reader) << error_words(reader.error());
    EXPECT_EQ(reader->read_file("/a").value(), bytes);
  }
  auto first = Volume::open(path, {.is_read_only = true});
  auto second = Volume::open(path, {.is_read_only = true});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->read_file("/a").value(), bytes);
  EXPECT_TRUE(says(words_of_opening(path), "reads it")) << words_of_opening(path);
}

TEST(TwoVolumes, TheKernelIsTheFirst) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  const testing::E2fsImage image({.size = "8M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const auto place = image.path().parent_path() / "mounted";
  {
    testing::LoopMount mount(image.path(), place);
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    const std::string words = words_of_opening(image.path().native());
    EXPECT_TRUE(says(words, "unmount it and detach it first")) << words;
    EXPECT_TRUE(says(words, "/dev/" + mount.device())) << words;
    const std::string of_device = words_of_opening("/dev/" + mount.device());
    EXPECT_TRUE(says(of_device, "is mounted on")) << of_device;
    EXPECT_TRUE(mount.unmount()) << mount.log();
  }
  const auto attached = testing::run_shell("losetup -f --show " + image.path().native());
  ASSERT_EQ(attached.status, 0) << attached.output;
  const std::string words = words_of_opening(image.path().native());
  testing::run_shell("losetup -d " + attached.output);
  EXPECT_TRUE(says(words, "attached to /dev/loop")) << words;
}

}  // namespace
}  // namespace powercut::fs
