#include "powercut/volume.h"

#include <gtest/gtest.h>

#include "base/task.h"
#include "base/wall_clock.h"
#include "block/memory_device.h"
#include "reader/volume.h"
#include "tests/support/e2fs_image.h"

namespace powercut::fs {
namespace {

class VolumeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::find_tool("mke2fs")) GTEST_SKIP() << "mke2fs is not installed";
    const testing::E2fsImage image({.size = "16M"});
    ASSERT_TRUE(image.is_made()) << image.log();
    device_ = std::make_unique<MemoryDevice>(image.bytes());
    volume_.emplace(open(*device_));
  }
  Volume open(BlockDevice& device) const {
    return Volume::open(device, clock_, wall_clock_, {.commit_interval = Nanoseconds(0)}).value();
  }
  // What would be there after a power cut now.
  std::unique_ptr<MemoryDevice> cut() const {
    const Bytes bytes = device_->bytes();
    return std::make_unique<MemoryDevice>(std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
  }
  static std::vector<std::uint8_t> bytes_of_text(std::string_view text) {
    return {text.begin(), text.end()};
  }
  void write(const std::string& path, std::string_view text) {
    const auto written = volume_->write_file(path, bytes_of_text(text));
    ASSERT_TRUE(written) << error_words(written.error());
  }
  static std::string text_of(Volume& volume, const std::string& path) {
    const auto content = volume.read_file(path);
    return content ? std::string(content->begin(), content->end()) : error_words(content.error());
  }

  SteadyClock clock_;
  ManualWallClock wall_clock_{std::chrono::seconds(1'700'000'000)};
  std::unique_ptr<MemoryDevice> device_;
  std::optional<Volume> volume_;
};

TEST_F(VolumeTest, WhatWasCommittedIsThereAndTheRestIsNot) {
  write("/a", "one");
  ASSERT_TRUE(volume_->commit());
  write("/a", "two and more");
  ASSERT_TRUE(volume_->make_directory("/later"));
  const auto after = cut();
  Volume recovered = open(*after);
  EXPECT_EQ(text_of(recovered, "/a"), "one");
  EXPECT_EQ(recovered.status("/later").error().code, Errc::kNotFound);
  EXPECT_EQ(text_of(*volume_, "/a"), "two and more");
}

TEST_F(VolumeTest, ASectionIsThereAsAWholeOrNotAtAll) {
  write("/balance-a", "100");
  write("/balance-b", "000");
  ASSERT_TRUE(volume_->commit());
  AtomicSection section = volume_->begin_section(64).value();
  write("/balance-a", "040");
  EXPECT_EQ(volume_->commit().error().code, Errc::kInvalid) << "a section waits for no commit";
  write("/balance-b", "060");
  {
    const auto before = cut();
    Volume recovered = open(*before);
    EXPECT_EQ(text_of(recovered, "/balance-a") + text_of(recovered, "/balance-b"), "100000");
  }
  ASSERT_TRUE(section.end());
  ASSERT_TRUE(volume_->commit());
  const auto after = cut();
  Volume recovered = open(*after);
  EXPECT_EQ(text_of(recovered, "/balance-a") + text_of(recovered, "/balance-b"), "040060");
}

TEST_F(VolumeTest, AFileWithoutANameStaysUntilItIsClosed) {
  const std::uint64_t free = volume_->space().free_blocks;
  write("/gone", std::string(100'000, 'g'));
  File file = volume_->open_file("/gone").value();
  ASSERT_TRUE(volume_->remove("/gone"));
  std::vector<std::uint8_t> byte(1);
  EXPECT_EQ(file.read(99'999, byte).value(), 1u);
  EXPECT_EQ(byte[0], 'g');
  EXPECT_LT(volume_->space().free_blocks, free);
  ASSERT_TRUE(volume_->close());
  EXPECT_EQ(file.read(0, byte).error().code, Errc::kAborted) << "closed with its volume";
  Volume again = open(*device_);
  EXPECT_EQ(again.space().free_blocks, free);
}

// The removal fits such a section and what follows it does not, for some sizes of it.
TEST_F(VolumeTest, WhatASectionHasNoRoomToDeleteIsDeletedAfterIt) {
  const std::uint64_t free = volume_->space().free_blocks;
  int removed = 0, refused = 0;
  for (std::uint32_t blocks = 1; blocks < 40; ++blocks) {
    write("/gone", std::string(50'000, 'g'));
    AtomicSection section = volume_->begin_section(blocks).value();
    const auto outcome = volume_->remove("/gone");
    ASSERT_TRUE(section.end());
    ++(outcome ? removed : refused);
    if (outcome) {
      EXPECT_EQ(volume_->space().free_blocks, free) << blocks;
    } else {
      EXPECT_EQ(outcome.error().code, Errc::kLimit);
    }
  }
  EXPECT_GT(removed, 0);
  EXPECT_GT(refused, 0);
  ASSERT_TRUE(volume_->close());
  Volume again = open(*device_);
  EXPECT_EQ(again.space().free_blocks, free);
}

TEST_F(VolumeTest, AfterCloseTheImageIsClean) {
  ASSERT_TRUE(volume_->make_directory("/d"));
  for (int i = 0; i < 300; ++i) write("/d/" + std::to_string(i), std::to_string(i));
  ASSERT_TRUE(volume_->rename("/d/7", "/seven"));
  ASSERT_TRUE(volume_->make_symlink("/l", "d/8"));
  ASSERT_TRUE(volume_->set_attribute("/seven", "user.mime", bytes_of_text("text/plain")));
  EXPECT_EQ(text_of(*volume_, "/l"), "8");
  int count = 0;
  ASSERT_TRUE(volume_->list("/d", [&](const ListedEntry& entry) {
    EXPECT_EQ(entry.kind, FileKind::kRegular);
    return ++count > 0;
  }));
  EXPECT_EQ(count, 299);
  ASSERT_TRUE(volume_->close());
  EXPECT_FALSE(powercut::Volume::open(*device_)->superblock().needs_recovery());
  Volume again = open(*device_);
  EXPECT_EQ(text_of(again, "/seven"), "7");
  EXPECT_EQ(again.attribute("/seven", "user.mime").value(), bytes_of_text("text/plain"));
}

TEST_F(VolumeTest, AppendsOfThreadsDoNotMix) {
  File file = volume_->open_file("/log", {.creates = true}).value();
  std::vector<Task> tasks;
  for (char c = 'a'; c < 'e'; ++c) {
    tasks.push_back(Task::start("appends", [&file, c] {
      for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(file.append(bytes_of_text(std::string(99, c) + "\n")));
      }
    }));
  }
  for (Task& task : tasks) task.join();
  const std::string text = text_of(*volume_, "/log");
  ASSERT_EQ(text.size(), 4 * 50 * 100u);
  for (std::size_t line = 0; line < 200; ++line) {
    EXPECT_EQ(text.substr(line * 100, 100), std::string(99, text[line * 100]) + "\n");
  }
}

}  // namespace
}  // namespace powercut::fs
