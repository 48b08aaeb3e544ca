#include "lab/image/partitions.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "base/stored_int.h"
#include "block/memory_device.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kSectors = 8192;

void put_entry(MemoryDevice& disk, std::uint64_t sector, std::size_t index, std::uint8_t type,
               std::uint32_t first, std::uint32_t count) {
  const MutableBytes bytes = disk.bytes().subspan(sector * 512, 512);
  bytes[446 + 16 * index + 4] = type;
  store(bytes, 446 + 16 * index + 8, Le32(first));
  store(bytes, 446 + 16 * index + 12, Le32(count));
  store(bytes, 510, Le16(0xAA55));
}

// "1:1048576+512" for each: number, offset and size in bytes.
std::vector<std::string> found(const MemoryDevice& disk) {
  const auto partitions = find_partitions(disk);
  if (!partitions) return {partitions.error().what};
  std::vector<std::string> words;
  for (const Partition& each : *partitions) {
    words.push_back(std::to_string(each.number) + ":" + std::to_string(each.offset_bytes) + "+" +
                    std::to_string(each.size_bytes));
  }
  return words;
}

using Words = std::vector<std::string>;

TEST(Partitions, PrimaryAndLogicalOnes) {
  MemoryDevice disk(kSectors * 512);
  put_entry(disk, 0, 0, 0x83, 2, 10);
  put_entry(disk, 0, 2, 0x05, 1000, 5000);    // extended
  put_entry(disk, 1000, 0, 0x83, 5, 20);      // logical, from its table
  put_entry(disk, 1000, 1, 0x05, 100, 4000);  // the next table, from the extended one
  put_entry(disk, 1100, 0, 0x82, 7, 30);
  EXPECT_EQ(found(disk), (Words{"1:1024+5120", "5:514560+10240", "6:566784+15360"}));
}

TEST(Partitions, HostileTablesEnd) {
  MemoryDevice disk(kSectors * 512);
  put_entry(disk, 0, 0, 0x0F, 1000, 5000);
  put_entry(disk, 1000, 0, 0x83, 5, 20);
  put_entry(disk, 1000, 1, 0x05, 100, 4000);
  put_entry(disk, 1100, 0, 0x83, 5, 20);
  put_entry(disk, 1100, 1, 0x05, 100, 4000);  // itself
  EXPECT_EQ(found(disk).size(), 60u);
  put_entry(disk, 1000, 1, 0x05, 0xFFFFFFFF, 1);  // past the disk
  EXPECT_EQ(found(disk).size(), 1u);
  MemoryDevice outside(kSectors * 512);
  put_entry(outside, 0, 0, 0x83, 0xFFFFFFF0, 0xFFFFFFFF);
  put_entry(outside, 0, 1, 0x83, 8000, 0xFFFFFFFF);
  EXPECT_EQ(found(outside), (Words{"2:4096000+98304"}));
}

TEST(Partitions, NoneAtAll) {
  EXPECT_EQ(find_partitions(MemoryDevice(0)).error().code, Errc::kNotFound);
  EXPECT_EQ(find_partitions(MemoryDevice(4096)).error().code, Errc::kNotFound);
}

std::uint32_t crc32(Bytes bytes) {
  std::uint32_t sum = ~0u;
  for (const std::uint8_t byte : bytes) {
    sum ^= byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ (0xEDB88320u & (0u - (sum & 1)));
  }
  return ~sum;
}

// A GPT of 4 entries: the header in `sector`, the entries in `entries_sector`.
void put_gpt(MemoryDevice& disk, std::uint64_t sector_bytes, std::uint64_t sector,
             std::uint64_t entries_sector) {
  put_entry(disk, 0, 0, 0xEE, 1, 0xFFFFFFFF);
  const MutableBytes table = disk.bytes().subspan(entries_sector * sector_bytes, 4 * 128);
  std::memset(table.data() + 128, 0x11, 16);
  store(table, 128 + 32, Le64(40));
  store(table, 128 + 40, Le64(49));
  const MutableBytes header = disk.bytes().subspan(sector * sector_bytes, 92);
  std::memcpy(header.data(), "EFI PART", 8);
  store(header, 8, Le32(0x10000));
  store(header, 12, Le32(92));
  store(header, 24, Le64(sector));
  store(header, 32, Le64(disk.size_bytes() / sector_bytes - 1));
  store(header, 40, Le64(34));
  store(header, 48, Le64(disk.size_bytes() / sector_bytes - 34));
  store(header, 72, Le64(entries_sector));
  store(header, 80, Le32(4));
  store(header, 84, Le32(128));
  store(header, 88, Le32(crc32(table)));
  store(header, 16, Le32{});
  store(header, 16, Le32(crc32(header)));
}

TEST(Partitions, GptWithBothSizesOfSectors) {
  for (const std::uint64_t sector_bytes : {512u, 4096u}) {
    MemoryDevice disk(kSectors * 512);
    put_gpt(disk, sector_bytes, 1, 2);
    EXPECT_EQ(found(disk), (Words{"2:" + std::to_string(40 * sector_bytes) + "+" +
                                  std::to_string(10 * sector_bytes)}));
  }
}

TEST(Partitions, GptFromItsBackup) {
  MemoryDevice disk(kSectors * 512);
  put_gpt(disk, 512, 1, 2);
  put_gpt(disk, 512, kSectors - 1, kSectors - 33);
  disk.bytes()[512 + 20] ^= 1;
  EXPECT_EQ(found(disk), (Words{"2:20480+5120"}));
  disk.bytes()[(kSectors - 1) * 512 + 20] ^= 1;
  EXPECT_EQ(find_partitions(disk).error().code, Errc::kChecksum);
}

TEST(Partitions, GptWhoseEntriesLiePastTheDisk) {
  MemoryDevice disk(kSectors * 512);
  put_gpt(disk, 512, 1, 2);
  const MutableBytes header = disk.bytes().subspan(512, 92);
  store(header, 72, Le64(~std::uint64_t{0}));
  store(header, 16, Le32{});
  store(header, 16, Le32(crc32(header)));
  EXPECT_EQ(find_partitions(disk).error().code, Errc::kCorrupt);
}

// The kernel's reading of the same disks.
TEST(Partitions, AreThoseOfTheKernel) {
  SKIP_WITHOUT_LOOP_MOUNTS();
  std::vector<MemoryDevice> disks(2, MemoryDevice(kSectors * 512));
  put_entry(disks[0], 0, 0, 0x83, 2, 10);
  put_entry(disks[0], 0, 2, 0x05, 1000, 5000);
  put_entry(disks[0], 1000, 0, 0x83, 5, 20);
  put_entry(disks[0], 1000, 1, 0x05, 100, 4000);
  put_entry(disks[0], 1100, 0, 0x82, 7, 30);
  put_gpt(disks[1], 512, 1, 2);
  const testing::TemporaryFolder folder;
  for (const MemoryDevice& disk : disks) {
    const std::string path = (folder.path() / "disk").string();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(disk.bytes().data()),
               static_cast<std::streamsize>(disk.bytes().size()));
    // number:start+size, in sectors; an extended partition is shown with a size of 2.
    const auto kernels = testing::run_shell(
        "loop=$(losetup -P -f --show " + path + ") && cd /sys/block/${loop#/dev/} && " +
        "for part in $(ls -d loop*p* | sort -V); do " +
        "echo $(cat $part/partition):$(cat $part/start)+$(cat $part/size); done; " +
        "cd /; losetup -d $loop");
    if (kernels.output.find("No such file") != std::string::npos) {
      GTEST_SKIP() << "the running kernel reads no such partition tables";
    }
    const auto partitions = find_partitions(disk);
    ASSERT_TRUE(partitions);
    std::string ours;
    for (const Partition& each : *partitions) {
      ours += std::to_string(each.number) + ":" + std::to_string(each.offset_bytes / 512) + "+" +
              std::to_string(each.size_bytes / 512) + "\n";
    }
    std::string theirs;
    std::istringstream lines(kernels.output);
    for (std::string line; std::getline(lines, line);) {
      if (line != "3:1000+2") theirs += line + "\n";
    }
    EXPECT_EQ(ours, theirs);
  }
}

}  // namespace
}  // namespace powercut::lab
