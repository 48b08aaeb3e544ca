#include "tests/logs/log_image.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "reader/volume.h"
#include "tests/support/e2fs_image.h"

namespace powercut::testing {
namespace {

// What the default counts of all sources add up to, nearly.
constexpr std::uint64_t kLogsByDefault = 500;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The blocks outside the journal in which `after` differs from `before`, as they are in `after`.
std::vector<DataSpec> changes(const Contents& before, const Contents& after,
                              const JournalMap& map) {
  std::vector<DataSpec> result;
  const std::size_t size = map.block_bytes();
  for (std::size_t at = 0; at + size <= before.size(); at += size) {
    const BlockNo block(at / size);
    if (map.log_block(block) || std::memcmp(&before[at], &after[at], size) == 0) continue;
    result.push_back({block, Contents(&after[at], &after[at] + size)});
  }
  return result;
}

DataSpec take_superblock(std::vector<DataSpec>& change, std::uint32_t block_bytes) {
  const BlockNo home(kSuperblockOffset / block_bytes);
  const auto found = std::ranges::find(change, home, &DataSpec::home);
  CHECK(found != change.end(), "a change of the tree changes the superblock");
  DataSpec superblock = *found;
  change.erase(found);
  return superblock;
}

// Free blocks at the end of the device, where debugfs does not allocate.
std::vector<BlockNo> free_blocks(const BaseImage& base) {
  const BytesView device(base.bytes);
  const auto volume = Volume::open(device);
  CHECK(volume, "our reader opens what mke2fs made");
  const Superblock& superblock = volume->superblock();
  const auto group = volume->group(0);
  CHECK(group && superblock.group_count() == 1, "a base has one group");
  Contents bitmap(superblock.block_bytes());
  CHECK(volume->read_block(group->block_bitmap, bitmap), "the block bitmap is there");
  std::vector<BlockNo> result;
  const std::uint64_t first = superblock.first_data_block.value();
  for (std::uint64_t block = superblock.block_count; block-- > first + 200;) {
    if (bitmap_bit(bitmap, static_cast<std::uint32_t>(block - first))) break;
    result.insert(result.begin(), BlockNo(block));
  }
  return result;
}

constexpr const char* kFirstChange = R"(mkdir /first
mkdir /first/inner
write /proc/version /first/version
symlink /first/link /a/target/that/is/too/long/for/the/inode/and/gets/a/block/of/its/own/perhaps
rm /old/name-3
)";
constexpr const char* kSecondChange = R"(rm /first/version
mkdir /second
set_inode_field /first mode 040700
write /proc/version /second/version
)";
constexpr const char* kNeedsRecovery = "feature needs_recovery\n";

BaseImage make_base(const BaseOptions& options) {
  const TemporaryFolder tree;
  std::filesystem::create_directories(tree.path() / "old");
  for (int i = 0; i < 5; ++i) {
    std::ofstream(tree.path() / "old" / ("name-" + std::to_string(i))) << "content";
  }
  const std::string kibi = std::to_string(options.block_bytes / 1024);
  // The same bytes each time: fixed identifiers, and a clock that stands.
  const E2fsImage image(
      {.mke2fs = "-b " + std::to_string(options.block_bytes) + " -N 64 -O ^resize_inode," +
                 (options.is_64bit ? "64bit," : "^64bit,") +
                 (options.has_checksums ? "metadata_csum" : "^metadata_csum,uninit_bg") +
                 " -J size=" + kibi + " -U 706f7765-7263-7574-0000-000000000001" +
                 " -E lazy_itable_init=0,hash_seed=706f7765-7263-7574-0000-000000000002",
       .size = options.block_bytes == 1024 ? "3M" : "9M",
       .tree = tree.path().string()});
  CHECK(image.is_made(), "mke2fs makes a base");
  BaseImage base;
  base.options = options;
  base.map = map_by_debugfs(image.path().string(), options.block_bytes);
  image.debugfs(kNeedsRecovery, true);
  base.bytes = image.bytes();
  image.debugfs(kFirstChange + std::string(kNeedsRecovery), true);
  const Contents first = image.bytes();
  base.first_change = changes(base.bytes, first, base.map);
  base.first_superblock = take_superblock(base.first_change, options.block_bytes);
  image.debugfs(kSecondChange + std::string(kNeedsRecovery), true);
  base.second_change = changes(first, image.bytes(), base.map);
  take_superblock(base.second_change, options.block_bytes);
  base.pool = free_blocks(base);
  CHECK(base.first_change.size() >= 4 && base.second_change.size() >= 4,
        "debugfs changes bitmaps, inodes and directories");
  CHECK(base.pool.size() >= 300, "a base has room");
  return base;
}

}  // namespace

std::string BaseOptions::name() const {
  return std::to_string(block_bytes / 1024) + "k-" + (is_64bit ? "64bit" : "32bit") +
         (has_checksums ? "-csum" : "");
}

const BaseImage& BaseImage::of(const BaseOptions& options) {
  static std::map<std::string, BaseImage> made;
  const std::string name = options.name();
  const auto found = made.find(name);
  if (found != made.end()) return found->second;
  ::setenv("E2FSPROGS_FAKE_TIME", "1700000000", 1);
  return made.emplace(name, make_base(options)).first->second;
}

JournalMap map_by_debugfs(const std::string& path, std::uint32_t block_bytes) {
  std::istringstream numbers(
      run_shell("debugfs -R 'blocks <8>' '" + path + "' 2>/dev/null").output);
  std::vector<JournalMap::Run> runs;
  std::uint32_t log = 0;
  for (std::uint64_t device = 0; numbers >> device; ++log) {
    runs.push_back({LogBlock(log), BlockNo(device), 1});
  }
  auto map = JournalMap::make(runs, block_bytes, std::filesystem::file_size(path) / block_bytes);
  CHECK(map && map->block_count() >= 1024, "debugfs names the blocks of the journal");
  return *std::move(map);
}

std::uint64_t log_count(std::uint64_t by_default) {
  const std::string wanted = environment("POWERCUT_LOGS");
  if (wanted.empty()) return by_default;
  const std::uint64_t all = std::strtoull(wanted.c_str(), nullptr, 10);
  return std::max<std::uint64_t>(1, by_default * all / kLogsByDefault);
}

bool is_wanted(const std::string& name) {
  const std::string only = environment("POWERCUT_LOG");
  return only.empty() || only == name;
}

std::string command_for(const std::string& name) {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string all = environment("POWERCUT_LOGS");
  return (all.empty() ? "" : "POWERCUT_LOGS=" + all + " ") + "POWERCUT_LOG='" + name +
         "' logs_test --gtest_filter='" + test->test_suite_name() + "." + test->name() + "'";
}

Result<void> BytesView::do_read(std::uint64_t offset, MutableBytes into) const {
  std::memcpy(into.data(), bytes_.data() + offset, into.size());
  return {};
}

Result<void> BytesDevice::do_read(std::uint64_t offset, MutableBytes into) const {
  return BytesView(bytes_).read(offset, into);
}

Result<void> BytesDevice::do_write(std::uint64_t offset, Bytes from, Durability) {
  std::memcpy(bytes_.data() + offset, from.data(), from.size());
  return {};
}

Result<void> BytesDevice::do_write_zeroes(std::uint64_t offset, std::uint64_t length, Durability) {
  std::memset(bytes_.data() + offset, 0, length);
  return {};
}

MappedFile::MappedFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0, "a file of the test can be opened");
  const std::size_t size = std::filesystem::file_size(path);
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  ::close(fd);
  CHECK(at != MAP_FAILED, "a file of the test can be mapped");
  bytes_ = {static_cast<const std::uint8_t*>(at), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::uint8_t*>(bytes_.data()), bytes_.size());
}

void write_whole(const std::string& path, Bytes bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const bool is_written =
      fd >= 0 && ::ftruncate(fd, static_cast<off_t>(bytes.size())) == 0 &&
      ::pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
  if (fd >= 0) ::close(fd);
  CHECK(is_written, "a file of the test can be written");
}

}  // namespace powercut::testing
