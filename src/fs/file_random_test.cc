// Random sequences of operations on files against a model in memory, with commits, remounts and
// power cuts.  After a cut the files are, all together, as they were after one of the operations
// since the last sync.
#include <gtest/gtest.h>

#include <deque>

#include "base/crc32c.h"
#include "fs/file.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

constexpr std::size_t kFiles = 4;
constexpr std::uint64_t kSizeMax = 600'000;

using Model = std::vector<std::vector<std::uint8_t>>;

std::uint64_t hash_of(const std::vector<std::uint8_t>& bytes) {
  return (std::uint64_t{crc32c(~0u, bytes)} << 32) ^ bytes.size();
}
std::vector<std::uint64_t> hash_of(const Model& model) {
  std::vector<std::uint64_t> hashes;
  for (const auto& bytes : model) hashes.push_back(hash_of(bytes));
  return hashes;
}

std::string name_of(std::size_t i) {
  return "file" + std::to_string(i);
}

class RandomFiles {
 public:
  RandomFiles(const std::string& kind, std::uint64_t seed, const std::string& size = "12M")
      : disk_(kind, size), random_(seed), model_(kFiles) {
    disk_.mount();
    for (std::size_t i = 0; i < kFiles; ++i) files_.push_back(disk_.make_file(name_of(i)));
    sync();
  }

  void step() {
    const std::size_t i = random_.below(kFiles);
    switch (random_.below(14)) {
      case 0:
      case 1:
      case 2:
      case 3: write(i, random_.below(kSizeMax)); break;
      case 4: write(i, model_[i].size()); break;
      case 5: append(i); break;
      case 6: truncate(i, random_.below(kSizeMax)); break;
      case 7: truncate(i, random_.below(model_[i].size() + 1)); break;
      case 8: allocate(i); break;
      case 9: punch(i); break;
      case 10: zero(i); break;
      case 11: compare(i); break;
      case 12: random_.chance(1, 3) ? sync() : sync_one(i); break;
      case 13: seek(i); break;
    }
    history_.push_back(hash_of(model_));
  }

  void compare(std::size_t i) {
    std::vector<std::uint8_t> back(model_[i].size() + 5);
    const auto count = read_file(core(), *files_[i], 0, back);
    ASSERT_TRUE(count) << error_words(count.error());
    back.resize(*count);
    ASSERT_TRUE(back == model_[i]) << "file " << i;
  }
  void compare_all() {
    for (std::size_t i = 0; i < kFiles; ++i) compare(i);
  }
  void remount() {
    files_.clear();
    disk_.remount();
    ASSERT_TRUE(is_clean(disk_.unmounted_image()));
    for (std::size_t i = 0; i < kFiles; ++i) files_.push_back(disk_.file(name_of(i)));
    compare_all();
    history_ = {hash_of(model_)};
  }
  // Looks at what a cut now would leave, recovered by us and by e2fsck.
  void cut() {
    TestMount after(disk_.crashed());
    after.mount();
    after.unmount();
    ASSERT_TRUE(is_clean(after.device.bytes()));
    expect_a_moment(after.device.bytes());
    TestMount other(fscked(disk_.crashed()));
    ASSERT_TRUE(is_clean(other.device.bytes()));
    expect_a_moment(other.device.bytes());
  }
  void unmount() {
    files_.clear();
    disk_.unmount();
    ASSERT_TRUE(is_clean(disk_.device.bytes()));
    for (std::size_t i = 0; i < kFiles; ++i) {
      ASSERT_TRUE(content_of(disk_.device.bytes(), "/" + name_of(i)) == model_[i]);
    }
  }

 private:
  Core& core() { return disk_.core(); }

  static std::vector<std::uint8_t> fscked(std::vector<std::uint8_t> image) {
    testing::TemporaryFolder folder;
    const std::string path = (folder.path() / "image").string();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()),
               static_cast<std::streamsize>(image.size()));
    const auto outcome = testing::run_shell(*testing::find_tool("e2fsck") + " -fy " + path);
    EXPECT_LE(outcome.status, 1) << outcome.output;
    // The one thing that Linux, too, leaves to be said of a file system that was not unmounted.
    std::string words = outcome.output;
    const std::string lawful = "orphan file is clean.\nClear? yes";
    if (const auto at = words.find(lawful); at != std::string::npos) words.erase(at, lawful.size());
    EXPECT_EQ(words.find("? yes"), std::string::npos) << outcome.output;
    std::ifstream(path, std::ios::binary)
        .read(reinterpret_cast<char*>(image.data()), static_cast<std::streamsize>(image.size()));
    return image;
  }
  void expect_a_moment(Bytes image) {
    Model found;
    for (std::size_t i = 0; i < kFiles; ++i) found.push_back(content_of(image, "/" + name_of(i)));
    const auto hashes = hash_of(found);
    ASSERT_TRUE(std::ranges::find(history_, hashes) != history_.end())
        << "not as it was after any of " << history_.size() << " operations";
  }

  std::vector<std::uint8_t> some_bytes() {
    const std::uint64_t most = std::min<std::uint64_t>(atomic_write_bytes(core()), 150'000);
    const std::uint64_t count =
        1 + (random_.chance(1, 2) ? random_.below(3000) : random_.below(most - 1));
    return pattern(count, random_.next());
  }
  void put(std::size_t i, std::uint64_t offset, const std::vector<std::uint8_t>& bytes) {
    if (model_[i].size() < offset + bytes.size()) model_[i].resize(offset + bytes.size());
    std::ranges::copy(bytes, model_[i].begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void write(std::size_t i, std::uint64_t offset) {
    const auto bytes = some_bytes();
    const auto count = write_file(core(), *files_[i], offset, bytes);
    ASSERT_TRUE(count) << error_words(count.error());
    ASSERT_EQ(*count, bytes.size());
    put(i, offset, bytes);
  }
  void append(std::size_t i) {
    const auto bytes = some_bytes();
    const auto appended = append_file(core(), *files_[i], bytes);
    ASSERT_TRUE(appended) << error_words(appended.error());
    ASSERT_EQ(appended->count, bytes.size());
    ASSERT_EQ(appended->offset, model_[i].size());
    put(i, appended->offset, bytes);
  }
  void truncate(std::size_t i, std::uint64_t size) {
    const auto done = truncate_file(core(), files_[i], size);
    ASSERT_TRUE(done) << error_words(done.error());
    model_[i].resize(size);
  }
  Range some_range() {
    const std::uint64_t offset = random_.below(kSizeMax);
    return {offset, 1 + random_.below(random_.chance(1, 2) ? 5000 : 200'000)};
  }
  void allocate(std::size_t i) {
    const Range range = some_range();
    const bool keeps = random_.chance(1, 2);
    const auto done = allocate_range(core(), *files_[i], range, keeps);
    ASSERT_TRUE(done) << error_words(done.error());
    if (!keeps && model_[i].size() < range.end()) model_[i].resize(range.end());
  }
  void clear(std::size_t i, Range range) {
    const std::uint64_t end = std::min<std::uint64_t>(range.end(), model_[i].size());
    if (range.offset >= end) return;
    std::fill(model_[i].begin() + static_cast<std::ptrdiff_t>(range.offset),
              model_[i].begin() + static_cast<std::ptrdiff_t>(end), 0);
  }
  void punch(std::size_t i) {
    const Range range = some_range();
    const auto done = punch_range(core(), *files_[i], range);
    ASSERT_TRUE(done) << error_words(done.error());
    clear(i, range);
  }
  void zero(std::size_t i) {
    const Range range = some_range();
    const bool keeps = random_.chance(1, 2);
    const auto done = zero_range(core(), *files_[i], range, keeps);
    ASSERT_TRUE(done) << error_words(done.error());
    clear(i, range);
    history_.push_back(hash_of(model_));  // zeroed, and not yet allocated
    if (!keeps && model_[i].size() < range.end()) model_[i].resize(range.end());
  }
  void sync() {
    const auto done = disk_.mounted->sync();
    ASSERT_TRUE(done) << error_words(done.error());
    history_ = {hash_of(model_)};
  }
  void sync_one(std::size_t i) {
    const auto done = sync_file(core(), *files_[i], random_.chance(1, 2));
    ASSERT_TRUE(done) << error_words(done.error());
  }
  // Data is where the model is not zero; a hole reads as zeroes.
  void seek(std::size_t i) {
    const auto& bytes = model_[i];
    for (std::uint64_t at = 0;;) {
      const auto data = seek_data(core(), *files_[i], at);
      const std::uint64_t hole_end = data ? *data : bytes.size();
      for (std::uint64_t k = at; k < hole_end; ++k) ASSERT_EQ(bytes[k], 0) << k;
      if (!data) return;
      const auto hole = seek_hole(core(), *files_[i], *data);
      ASSERT_TRUE(hole);
      ASSERT_GT(*hole, *data);
      if (*hole >= bytes.size()) return;
      at = *hole;
    }
  }

  TestMount disk_;
  Prng random_;
  Model model_;
  std::vector<NodeRef> files_;
  std::vector<std::vector<std::uint64_t>> history_;
};

struct Kind {
  const char* name;
  const char* mke2fs;
};
class RandomFileKinds : public ::testing::TestWithParam<Kind> {};

TEST_P(RandomFileKinds, AreAsTheModelSays) {
  SKIP_WITHOUT_TOOL("mke2fs");
  RandomFiles files(GetParam().mke2fs, 7);
  for (int i = 1; i <= 400 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE("step " + std::to_string(i));
    files.step();
    if (i % 10 == 0 && !HasFatalFailure()) files.compare_all();
    if (i % 40 == 0 && !HasFatalFailure()) files.cut();
    if (i % 100 == 0 && !HasFatalFailure()) files.remount();
  }
  if (!HasFatalFailure()) files.unmount();
}

INSTANTIATE_TEST_SUITE_P(
    Of, RandomFileKinds,
    ::testing::Values(Kind{"Default", ""}, Kind{"Small", "-b 1024 -J size=1"},
                      Kind{"Middle", "-b 2048"},
                      Kind{"Large", "-b 4096 -J size=4 -O orphan_file,metadata_csum_seed"},
                      Kind{"NoChecksums", "-O ^metadata_csum"},
                      Kind{"Plain", "-b 1024 -O ^metadata_csum,^64bit,^flex_bg,uninit_bg"}),
    [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace powercut::fs
