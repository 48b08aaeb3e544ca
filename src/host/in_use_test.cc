#include "host/in_use.h"

#include <gtest/gtest.h>

#include <fstream>

#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::Folder;

// A machine as /sys and /proc would show it, in a folder.
class Machine {
 public:
  Machine() {
    std::filesystem::create_directories(system_.sys / "block");
    write("proc/swaps", "Filename Type Size Used Priority\n");
    write("proc/self/mountinfo", "");
  }
  void write(const std::filesystem::path& name, const std::string& content) {
    const auto path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << content;
  }
  // A loop device with `image` behind it; `parts` partitions.
  void add_loop(int number, const std::string& image, int parts = 0) {
    const std::string name = "loop" + std::to_string(number);
    const std::string folder = "sys/block/" + name;
    write(folder + "/dev", "7:" + std::to_string(number) + "\n");
    write(folder + "/loop/backing_file", image + "\n");
    for (int part = 1; part <= parts; ++part) {
      const std::string own = folder + "/" + name + "p" + std::to_string(part);
      write(own + "/partition", std::to_string(part) + "\n");
      write(own + "/dev", "259:" + std::to_string(part) + "\n");
    }
  }
  std::vector<std::string> uses(const std::filesystem::path& image) const {
    const auto uses = uses_of(image, system_);
    EXPECT_TRUE(uses);
    std::vector<std::string> words;
    for (const ImageUse& use : *uses) words.push_back(use.who);
    return words;
  }
  std::filesystem::path file(const std::string& name) const { return folder_.path() / name; }

 private:
  Folder folder_;
  SystemFolders system_{folder_ / "sys", folder_ / "proc", folder_ / "dev"};
};

using Words = std::vector<std::string>;

TEST(InUse, NobodyUsesAFile) {
  Machine machine;
  machine.write("image", "x");
  machine.write("other", "x");
  machine.add_loop(0, machine.file("other"));
  EXPECT_EQ(machine.uses(machine.file("image")), Words{});
}

TEST(InUse, LoopDevicesTheirPartitionsAndWhatIsBuiltOnThem) {
  Machine machine;
  machine.write("image", "x");
  std::filesystem::create_hard_link(machine.file("image"), machine.file("same"));
  machine.add_loop(0, machine.file("image"));
  machine.add_loop(3, machine.file("same"), 2);
  machine.add_loop(4, "/gone (deleted)");
  machine.write("sys/block/loop3/loop3p1/holders/dm-0/dev", "253:0\n");
  machine.write("sys/block/dm-0/dm/name", "vault\n");
  machine.write("proc/self/mountinfo",
                "22 1 259:2 / /mnt/with\\040blank rw - ext4 /dev/loop3p2 rw\n"
                "23 1 8:1 / /other rw - ext4 /dev/sda1 rw\n"
                "24 1 253:0 / /vault rw - ext4 /dev/dm-0 rw\n"
                "broken\n");
  EXPECT_EQ(machine.uses(machine.file("image")),
            (Words{"attached to /dev/loop0", "attached to /dev/loop3",
                   "/dev/loop3p1 is part of /dev/dm-0 (vault)", "/dev/dm-0 is mounted on /vault",
                   "/dev/loop3p2 is mounted on /mnt/with blank"}));
}

TEST(InUse, AFileThatIsSwap) {
  Machine machine;
  machine.write("image", "x");
  machine.write("proc/swaps", "Filename Type Size Used Priority\n" +
                                  machine.file("image").native() +
                                  " file 1024 0 -2\n/absent file 1 0 -3\n");
  EXPECT_EQ(machine.uses(machine.file("image")),
            Words{machine.file("image").native() + " is swap"});
}

TEST(InUse, WhatIsNotThereIsAnError) {
  const auto uses = uses_of("/no/such/image");
  ASSERT_FALSE(uses);
  EXPECT_EQ(uses.error().code, Errc::kNotFound);
}

// A machine that shows nothing of itself: no error, and no use.
TEST(InUse, WithoutSysAndProc) {
  const Folder folder;
  std::ofstream(folder / "image") << "x";
  const auto uses = uses_of(folder / "image", {folder / "a", folder / "b", folder / "c"});
  ASSERT_TRUE(uses);
  EXPECT_TRUE(uses->empty());
}

}  // namespace
}  // namespace powercut
