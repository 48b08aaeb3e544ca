// Orphans: the list and the orphan file, as the running kernel and debugfs write them and as e2fsck
// deletes them; hostile ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <regex>

#include "base/stored_int.h"
#include "block/memory_device.h"
#include "format/ext4_orphan.h"
#include "reader/volume.h"
#include "recovery/recovery.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"
#include "tests/support/raw_ext4.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using testing::E2fsImage;
using testing::LoopMount;
using testing::number_after;
using testing::RawExt4;
using testing::run_shell;
using testing::TemporaryFolder;

std::vector<std::uint8_t> bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::uint8_t> bytes(fs::file_size(path));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

struct Found {
  Result<void> walked;
  std::vector<std::uint32_t> inodes;
};

Found orphans_of(const std::vector<std::uint8_t>& bytes, std::size_t stop_after = ~std::size_t{0}) {
  const MemoryDevice device(bytes);
  const auto volume = Volume::open(device);
  Found found;
  if (!volume) {
    found.walked = Failure{volume.error()};
    return found;
  }
  found.walked = volume->for_each_orphan([&](InodeNo number) {
    found.inodes.push_back(number.value());
    return found.inodes.size() < stop_after;
  });
  return found;
}

// The same after a recovery of the journal.
Found recovered_orphans_of(const std::vector<std::uint8_t>& bytes) {
  const MemoryDevice device(bytes);
  const auto map = locate_journal(*Volume::open(device));
  EXPECT_TRUE(map);
  const auto plan = plan_recovery(device, *map);
  EXPECT_TRUE(plan);
  EXPECT_EQ(plan->end, RecoveryEnd::kClean);
  std::vector<std::uint8_t> recovered(bytes.size());
  EXPECT_TRUE(RecoveredView(device, *map, *plan).read(0, recovered));
  return orphans_of(recovered);
}

std::vector<std::uint32_t> sorted(std::vector<std::uint32_t> numbers) {
  std::ranges::sort(numbers);
  return numbers;
}

// The inodes that e2fsck says it deletes or truncates.
std::vector<std::uint32_t> judged_by_e2fsck(const std::string& path) {
  const std::string text = run_shell("e2fsck -fy '" + path + "'").output;
  const std::regex line("(Clearing|Truncating) orphaned inode ([0-9]+)");
  std::vector<std::uint32_t> found;
  for (std::sregex_iterator at(text.begin(), text.end(), line), end; at != end; ++at) {
    found.push_back(static_cast<std::uint32_t>(std::stoul((*at)[2].str())));
  }
  return found;
}

TEST(Orphans, AreTheOpenFilesWithoutNamesOfTheRunningKernel) {
  SKIP_WITHOUT_TOOL("e2fsck");
  SKIP_WITHOUT_LOOP_MOUNTS();
  for (const char* options : {"-b 1024", "-b 4096 -O ^metadata_csum", "-b 1024 -O orphan_file",
                              "-b 4096 -O orphan_file,metadata_csum_seed"}) {
    E2fsImage image({.mke2fs = options});
    ASSERT_TRUE(image.is_made()) << image.log();
    TemporaryFolder folder;
    LoopMount mount(image.path(), folder.path() / "mount");
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    std::vector<std::unique_ptr<std::ofstream>> open_files;
    std::vector<std::uint32_t> expected;
    for (int i = 0; i < 40; ++i) {
      const auto path = folder.path() / "mount" / ("f" + std::to_string(i));
      open_files.push_back(std::make_unique<std::ofstream>(path));
      *open_files.back() << std::string(static_cast<std::size_t>(i) * 100, 'x') << std::flush;
      if (i % 3 == 0) continue;
      const auto text = run_shell("stat -c 'inode %i' '" + path.string() + "'").output;
      expected.push_back(static_cast<std::uint32_t>(number_after(text, "inode").value_or(0)));
      fs::remove(path);
    }
    const std::string copy = (folder.path() / "copy").string();
    ASSERT_EQ(run_shell("sync -f '" + (folder.path() / "mount").string() + "' && cp '" +
                        image.path().string() + "' '" + copy + "'")
                  .status,
              0);
    open_files.clear();
    ASSERT_TRUE(mount.unmount()) << mount.log();
    const auto found = recovered_orphans_of(bytes_of(copy));
    ASSERT_TRUE(found.walked) << found.walked.error().what;
    EXPECT_EQ(sorted(found.inodes), sorted(expected)) << options;
    EXPECT_EQ(sorted(judged_by_e2fsck(copy)), sorted(expected)) << options;
    EXPECT_TRUE(orphans_of(bytes_of(copy)).inodes.empty()) << options;
    EXPECT_TRUE(orphans_of(image.bytes()).inodes.empty()) << options;
  }
}

// A file system with files f0 to f5, and what makes an orphan list of them.
class ListedImage {
 public:
  explicit ListedImage(const std::string& options = "-b 1024") {
    fs::create_directories(folder_.path() / "tree");
    for (int i = 0; i < 6; ++i) {
      std::ofstream(folder_.path() / "tree" / ("f" + std::to_string(i))) << std::string(3000, 'x');
    }
    image_ = std::make_unique<E2fsImage>(
        testing::ImageOptions{.mke2fs = options, .tree = (folder_.path() / "tree").string()});
    for (int i = 0; i < 6; ++i) {
      const auto text = image_->debugfs("stat /f" + std::to_string(i));
      numbers.push_back(static_cast<std::uint32_t>(number_after(text, "Inode:").value_or(0)));
    }
  }
  const E2fsImage& image() const { return *image_; }
  // `list`: inode numbers, each the next of the one before.
  void put(const std::vector<std::uint32_t>& list) const {
    std::string commands = "set_super_value last_orphan " + std::to_string(list.at(0)) + "\n";
    for (std::size_t i = 0; i + 1 < list.size(); ++i) {
      commands += "set_inode_field <" + std::to_string(list[i]) + "> dtime @" +
                  std::to_string(list[i + 1]) + "\n";
    }
    image_->debugfs(commands, true);
  }

  std::vector<std::uint32_t> numbers;

 private:
  TemporaryFolder folder_;
  std::unique_ptr<E2fsImage> image_;
};

TEST(Orphans, OfTheListAreThoseOfE2fsck) {
  SKIP_WITHOUT_TOOL("debugfs");
  for (const char* options : {"-b 1024", "-b 1024 -O ^metadata_csum", "-b 4096 -O orphan_file"}) {
    const ListedImage listed(options);
    const std::vector<std::uint32_t> list = {listed.numbers[4], listed.numbers[0],
                                             listed.numbers[5], listed.numbers[2]};
    listed.put(list);
    for (const std::uint32_t number : {list[0], list[1], list[3]}) {  // the third keeps its name
      listed.image().debugfs("set_inode_field <" + std::to_string(number) + "> links_count 0",
                             true);
    }
    const auto found = orphans_of(listed.image().bytes());
    ASSERT_TRUE(found.walked) << found.walked.error().what;
    EXPECT_EQ(found.inodes, list) << options;
    EXPECT_EQ(orphans_of(listed.image().bytes(), 2).inodes.size(), 2u);
    EXPECT_EQ(judged_by_e2fsck(listed.image().path().string()), list) << options;
  }
}

TEST(Orphans, HostileListsEnd) {
  SKIP_WITHOUT_TOOL("debugfs");
  const ListedImage listed;
  const std::vector<std::uint32_t>& n = listed.numbers;
  struct Row {
    const char* name;
    std::vector<std::uint32_t> list;
    std::size_t visited;
    const char* what;
    std::uint64_t where;
  };
  const Row rows[] = {
      {"itself", {n[0], n[0]}, 1, "orphan list: comes back to itself", n[0]},
      {"cycle", {n[0], n[1], n[2], n[1]}, 3, "orphan list: comes back to itself", n[2]},
      {"reserved", {n[3], 8}, 1, "orphan list: no inode of a file", 8},
      {"root", {2}, 0, "orphan list: no inode of a file", 2},
      {"past the last", {n[4], 4'000'000}, 1, "orphan list: no inode of a file", 4'000'000},
  };
  for (const Row& row : rows) {
    listed.put(row.list);
    const auto found = orphans_of(listed.image().bytes());
    ASSERT_FALSE(found.walked) << row.name;
    EXPECT_EQ(found.walked.error().code, Errc::kCorrupt) << row.name;
    EXPECT_STREQ(found.walked.error().what, row.what) << row.name;
    EXPECT_EQ(found.walked.error().where, row.where) << row.name;
    EXPECT_EQ(found.inodes.size(), row.visited) << row.name;
  }
  listed.put({n[0], n[1], 0});
  auto raw = RawExt4::open(listed.image().bytes());
  raw->inode(InodeNo(n[1]))[9] ^= 1;
  const auto damaged = orphans_of(raw->bytes);
  ASSERT_FALSE(damaged.walked);
  EXPECT_EQ(damaged.walked.error().code, Errc::kChecksum);
  EXPECT_EQ(damaged.inodes, std::vector<std::uint32_t>{n[0]});
}

TEST(Orphans, DamagedFilesAreRefusedByName) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const E2fsImage image({.mke2fs = "-b 1024 -O orphan_file"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const auto good = RawExt4::open(image.bytes());
  ASSERT_TRUE(good);
  const InodeNo number = good->superblock.orphan_file_inode;
  const BlockNo place = RawExt4(*good).first_extent(number).device;
  const auto change_inode = [number](RawExt4& raw, const std::function<void(Inode&)>& change) {
    auto inode = *Inode::parse(raw.inode(number), number, raw.superblock);
    change(inode);
    inode.encode(raw.inode(number), number, raw.superblock);
  };
  struct Row {
    const char* name;
    std::function<void(RawExt4&)> damage;
    Errc code;
    const char* what;
    std::uint64_t where;
  };
  const Row rows[] = {
      {"directory", [&](RawExt4& r) { change_inode(r, [](Inode& i) { i.mode = 0040600; }); },
       Errc::kCorrupt, "orphan file: not a file", number.value()},
      {"half a block", [&](RawExt4& r) { change_inode(r, [](Inode& i) { i.size += 512; }); },
       Errc::kCorrupt, "orphan file: size", number.value()},
      {"longer than all",
       [&](RawExt4& r) { change_inode(r, [](Inode& i) { i.size = std::uint64_t{1} << 40; }); },
       Errc::kCorrupt, "orphan file: size", number.value()},
      {"a hole at its end", [&](RawExt4& r) { change_inode(r, [](Inode& i) { i.size += 1024; }); },
       Errc::kCorrupt, "orphan file: a hole", number.value()},
      {"inode", [&](RawExt4& r) { r.inode(number)[9] ^= 1; }, Errc::kChecksum, "inode: checksum",
       number.value()},
      {"last block", [&](RawExt4& r) { r.block(place + 3)[0] ^= 16; }, Errc::kChecksum,
       "orphan block: checksum", place.value() + 3},
      {"block of another file",
       [&](RawExt4& r) { std::ranges::copy(r.block(place), r.block(place + 1).begin()); },
       Errc::kChecksum, "orphan block: checksum", place.value() + 1},
  };
  for (const Row& row : rows) {
    RawExt4 raw = *good;
    row.damage(raw);
    const auto found = orphans_of(raw.bytes);
    ASSERT_FALSE(found.walked) << row.name;
    EXPECT_EQ(found.walked.error().code, row.code) << row.name;
    EXPECT_STREQ(found.walked.error().what, row.what) << row.name;
    EXPECT_EQ(found.walked.error().where, row.where) << row.name;
  }
  RawExt4 raw = *good;
  change_inode(raw, [](Inode& i) { i.size -= 1024; });  // shorter than its blocks
  EXPECT_TRUE(orphans_of(raw.bytes).walked);
}

}  // namespace
}  // namespace powercut
