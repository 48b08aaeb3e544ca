// A file system of mke2fs on a disk in memory, mounted by the writer; and its judges: e2fsck, and
// reader/, which shares no code with fs/.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/prng.h"
#include "block/memory_device.h"
#include "fs/directory.h"
#include "fs/file.h"
#include "fs/mount.h"
#include "reader/volume.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/mount_forms.h"

namespace powercut::fs {

inline constexpr Nanoseconds kTestTime = std::chrono::seconds(1'700'000'000);

// e2fsck's exit status and words about an image.  -fn changes nothing; without it, it recovers.
inline testing::ShellOutcome fsck_of(Bytes image, const std::string& options = "-fn") {
  testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "image").string();
  {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(image.data()),
               static_cast<std::streamsize>(image.size()));
  }
  return testing::run_shell(*testing::find_tool("e2fsck") + " " + options + " " + path);
}

// That an extent tree "could be narrower" is none: Linux, too, leaves nodes half full.
inline ::testing::AssertionResult is_clean(Bytes image) {
  const auto outcome = fsck_of(image);
  if (outcome.status == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "e2fsck -fn: " << outcome.status << "\n"
                                       << outcome.output;
}

struct TestMount {
  explicit TestMount(const std::string& mke2fs_options, const std::string& size = "16M")
      : device(image_of(mke2fs_options, size)) {}
  explicit TestMount(std::vector<std::uint8_t> image) : device(std::move(image)) {}

  static std::vector<std::uint8_t> image_of(const std::string& mke2fs_options,
                                            const std::string& size) {
    testing::ImageOptions image_options;
    image_options.mke2fs = mke2fs_options;
    image_options.size = size;
    const testing::E2fsImage image(image_options);
    EXPECT_TRUE(image.is_made()) << image.log();
    return image.bytes();
  }

  void mount() {
    auto opened = Mounted::open(on != nullptr ? *on : device, clock, wall_clock, options);
    ASSERT_TRUE(opened) << error_words(opened.error());
    mounted = std::move(*opened);
  }
  void unmount() {
    const auto closed = mounted->close();
    ASSERT_TRUE(closed) << error_words(closed.error());
    mounted.reset();
  }
  void remount() {
    unmount();
    unmounted_ = crashed();
    mount();
  }
  // As it was while it was unmounted for the last remount().
  Bytes unmounted_image() const { return unmounted_; }
  Core& core() { return mounted->core(); }
  // The disk as a power cut leaves it that loses nothing that was written.
  std::vector<std::uint8_t> crashed() const {
    return {device.bytes().begin(), device.bytes().end()};
  }

  // A new empty file in the root.
  NodeRef make_file(const std::string& name) {
    Core& at = core();
    const auto root = at.nodes->get(kRootInode);
    EXPECT_TRUE(root);
    ExclusiveLock lock((*root)->lock);
    const auto ready = at.groups->prepare(BlockNo(0), 1, kRootInode);
    EXPECT_TRUE(ready) << error_words(ready.error());
    auto place = look_for_name(at, **root, name);
    EXPECT_TRUE(place && !place->found) << name;
    const auto room = prepare_add(at, **root, *place);
    EXPECT_TRUE(room) << error_words(room.error());
    auto handle = at.start(Credits(add_name_credits(at, **root, *place).value() + 8));
    EXPECT_TRUE(handle) << error_words(handle.error());
    const auto number = at.groups->allocate_inode(*handle, kRootInode, false);
    EXPECT_TRUE(number) << error_words(number.error());
    const auto node = at.nodes->create(*handle, *number, new_inode());
    EXPECT_TRUE(node) << error_words(node.error());
    {
      NewNodeLock alone(**node);
      at.nodes->store(*handle, **node);
    }
    const auto added = add_name(at, *handle, **root, *place, *number, 1);
    EXPECT_TRUE(added) << error_words(added.error());
    at.nodes->store(*handle, **root);
    return *node;
  }
  NodeRef file(const std::string& name) {
    const auto root = core().nodes->get(kRootInode);
    SharedLock lock((*root)->lock);
    const auto found = find_name(core(), **root, name);
    EXPECT_TRUE(found) << error_words(found.error());
    const auto node = core().nodes->get(found->inode);
    EXPECT_TRUE(node) << error_words(node.error());
    return *node;
  }
  Inode new_inode() {
    Inode inode;
    inode.mode = 0100644;
    inode.links = 1;
    inode.flags = static_cast<std::uint32_t>(InodeFlag::kExtents);
    inode.extra_bytes = core().shape.inode_bytes > 128 ? 32 : 0;
    inode.access_time = inode.change_time = inode.modify_time = inode.create_time = core().now();
    ExtentNode root;
    root.capacity = 4;
    root.encode_root(inode.block_area);
    return inode;
  }

  MountOptions options = testing::options_without_service();
  MemoryDevice device;
  BlockDevice* on = nullptr;  // what is mounted instead of `device`, if anything
  SteadyClock clock;
  ManualWallClock wall_clock{kTestTime};
  std::unique_ptr<Mounted> mounted;

 private:
  std::vector<std::uint8_t> unmounted_;
};

// A file's content as reader/ sees it on an image.
inline std::vector<std::uint8_t> content_of(Bytes image, const std::string& path) {
  const MemoryDevice device(std::vector<std::uint8_t>(image.begin(), image.end()));
  const auto volume = Volume::open(device);
  EXPECT_TRUE(volume) << error_words(volume.error());
  const auto number = volume->find(path);
  EXPECT_TRUE(number) << error_words(number.error());
  const auto inode = volume->inode(*number);
  EXPECT_TRUE(inode) << error_words(inode.error());
  std::vector<std::uint8_t> bytes(inode->size);
  const auto count = volume->read_file(*number, *inode, 0, bytes);
  EXPECT_TRUE(count) << error_words(count.error());
  return bytes;
}

inline std::vector<std::uint8_t> pattern(std::size_t count, std::uint64_t seed) {
  std::vector<std::uint8_t> bytes(count);
  Prng(seed).fill(bytes);
  return bytes;
}

}  // namespace powercut::fs
