#include "lab/campaign/prove.h"

#include <gtest/gtest.h>

#include <fstream>

#include "block/memory_device.h"
#include "host/machine.h"
#include "reader/volume.h"
#include "tests/support/damaged_logs.h"
#include "tests/support/e2fs_image.h"

namespace powercut::lab {
namespace {

std::vector<std::uint64_t> numbers(const std::vector<BlockNo>& blocks) {
  std::vector<std::uint64_t> all;
  for (const BlockNo block : blocks) all.push_back(block.value());
  return all;
}

TEST(Prove, BlocksAreTakenFromTheWordsOfOthers) {
  const struct {
    std::vector<std::string> lines;
    std::vector<std::uint64_t> blocks;
  } kCases[] = {{{}, {}},
                {{"JBD2: Invalid checksum recovering data block 37520 in log"}, {37520}},
                {{"[    2.250037] JBD2: Invalid checksum recovering data block 7 in log",
                  "[    2.250038] JBD2: Invalid checksum recovering data block 7 in log",
                  "JBD2: Invalid checksum recovering data block 3 in log", "JBD2: recovery failed"},
                 {3, 7}},
                {{"JBD2: Invalid checksum recovering data block 18446744073709551615 in log"},
                 {0xFFFF'FFFF'FFFF'FFFF}},
                {{"JBD2: Invalid checksum recovering data block 18446744073709551616 in log",
                  "JBD2: Invalid checksum recovering data block ",
                  "Invalid checksum recovering data block -1",
                  "Invalid checksum recovering block 5 in log", "checksum recovering data block 5"},
                 {}}};
  for (const auto& one : kCases) {
    EXPECT_EQ(numbers(blocks_named_in(one.lines)), one.blocks)
        << ::testing::PrintToString(one.lines);
  }
}

TEST(Prove, DamagedBlocksAreThoseOfDataEachOnce) {
  Proof proof;
  const auto add = [&proof](RecoveryRule rule, std::uint64_t home) {
    Damage& damage = proof.plan.damages.emplace_back();
    damage.rule = rule;
    damage.home = BlockNo(home);
  };
  add(RecoveryRule::kDataChecksum, 9);
  add(RecoveryRule::kDataChecksum, 4);
  add(RecoveryRule::kDataChecksum, 9);
  add(RecoveryRule::kCommitChecksum, 1);
  EXPECT_EQ(numbers(proof.damaged_blocks()), (std::vector<std::uint64_t>{4, 9}));
}

class ImageNotes : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = TempDirectory::make("note-test");
    ASSERT_TRUE(made);
    folder_.emplace(std::move(made).value());
    image_ = folder_->path() / "a.img";
  }
  void write_raw(std::string_view text) {
    ASSERT_TRUE(write_file_atomically(image_.string() + ".json", text));
  }
  std::optional<TempDirectory> folder_;
  std::filesystem::path image_;
};

TEST_F(ImageNotes, ComeBack) {
  Finding finding;
  finding.home = BlockNo(37520);
  finding.when = Nanoseconds{1'507'902'783};
  ASSERT_TRUE(write_image_note(image_, {"debian:6.1", "6.1.0-56-cloud-amd64", finding}));
  const auto note = read_image_note(image_);
  ASSERT_TRUE(note);
  EXPECT_EQ(note->kernel_name, "debian:6.1");
  EXPECT_EQ(note->kernel_release, "6.1.0-56-cloud-amd64");
  ASSERT_TRUE(note->finding);
  EXPECT_EQ(finding_to_json(*note->finding), finding_to_json(finding));
  ASSERT_TRUE(write_image_note(image_, {"deb:/a \"b\".deb", "", std::nullopt}));
  const auto second = read_image_note(image_);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->kernel_name, "deb:/a \"b\".deb");
  EXPECT_FALSE(second->finding);
}

TEST_F(ImageNotes, AreRefusedIfTheyAreNone) {
  const auto absent = read_image_note(image_);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Errc::kNotFound);
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("{\"finding\":7}"),
        std::string("{\"finding\":{\"tid\":-1}}"), std::string(100'000, '[')}) {
    write_raw(text);
    const auto note = read_image_note(image_);
    ASSERT_FALSE(note) << text;
    EXPECT_EQ(note.error().code, Errc::kCorrupt) << text;
  }
  write_raw(std::string((1 << 20) + 1, ' '));
  EXPECT_EQ(read_image_note(image_).error().code, Errc::kLimit);
}

TEST_F(ImageNotes, WhatIsNoTextCountsAsEmpty) {
  write_raw("{\"kernel\":7}");
  const auto note = read_image_note(image_);
  ASSERT_TRUE(note);
  EXPECT_EQ(note->kernel_name, "");
}

// By the rules of the kernel that is to be asked, also where it cannot be.
TEST(Prove, RecoversAsTheKernelThatIsAskedWould) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const testing::E2fsImage image({.mke2fs = "-b 1024 -J size=1", .size = "3M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  {
    MemoryDevice device(image.bytes());
    const auto volume = Volume::open(device);
    ASSERT_TRUE(volume);
    const auto map = locate_journal(*volume);
    ASSERT_TRUE(map);
    for (const testing::DamagedLog& log : testing::damaged_logs()) {
      if (log.name != "commit torn") continue;
      const JournalSpec spec = testing::damaged_log_spec(*map, ChecksumKind::kV3, true, false);
      testing::put_damaged_log(log, spec, *map, device);
    }
    std::ofstream file(image.path(), std::ios::binary);
    file.write(reinterpret_cast<const char*>(device.bytes().data()),
               static_cast<std::streamsize>(device.size_bytes()));
  }
  const auto folder = TempDirectory::make("prove-test");
  ASSERT_TRUE(folder);
  const SteadyClock clock;
  const LabEnvironment environment{clock, folder->path(), {}, {}, {}};
  const auto refuses = [&](const char* release) {
    ProveOptions options;
    options.image = image.path();
    options.kernel.emplace().release = release;
    const auto proof = prove(options, environment);
    EXPECT_TRUE(proof && proof->kernel && !proof->kernel->trouble.empty());
    return proof && proof->is_damaged();
  };
  EXPECT_TRUE(refuses("6.1.0-56-cloud-amd64"));
  EXPECT_FALSE(refuses("6.12.30+bpo-amd64"));
  EXPECT_FALSE(refuses("6.18.44"));
}

TEST_F(ImageNotes, AnImageThatIsNoFileSystemIsAnErrorOfItsOwn) {
  const SteadyClock clock;
  const LabEnvironment environment{clock, folder_->path(), {}, {}, {}};
  ProveOptions options;
  options.image = image_;
  EXPECT_EQ(prove(options, environment).error().code, Errc::kNotFound);
  ASSERT_TRUE(File::create(image_, 1 << 20));
  EXPECT_FALSE(prove(options, environment));
}

}  // namespace
}  // namespace powercut::lab
