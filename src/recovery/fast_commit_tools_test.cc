// Fast commits that the running kernel wrote: what we list is what debugfs lists, and what the
// kernel's next mount makes of a damaged area is what the plan says.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "base/stored_int.h"
#include "block/memory_device.h"
#include "recovery/recovery.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
#include "tests/support/loop_mount.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;
using Contents = std::vector<std::uint8_t>;
using testing::read_file;
using testing::write_file;

constexpr std::uint32_t kFastBlockBytes = 4096;

bool append_and_sync(const fs::path& path, std::size_t bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return false;
  const std::string text(bytes, 'x');
  const bool is_written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file) == 0;
  ::close(file);
  return is_written;
}

bool sync_file(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool is_synced = file >= 0 && ::fsync(file) == 0;
  if (file >= 0) ::close(file);
  return is_synced;
}

// Changes of all kinds, each fsynced: the first one is a full commit, the others are fast ones.
bool make_fast_commits(const fs::path& root) {
  bool is_good = append_and_sync(root / "a", 5000);
  for (const std::size_t bytes : {100u, 9000u, 40000u}) {
    is_good = is_good && append_and_sync(root / ("file" + std::to_string(bytes)), bytes);
  }
  fs::create_hard_link(root / "a", root / "linked");
  is_good = is_good && append_and_sync(root / "a", 10);
  fs::rename(root / "file100", root / "renamed");
  is_good = is_good && sync_file(root / "renamed");
  fs::resize_file(root / "file40000", 5000);
  is_good = is_good && sync_file(root / "file40000");
  fs::remove(root / "file9000");
  is_good = is_good && append_and_sync(root / "a", 10);
  // Names that take more than one block.
  for (char each = 'a'; each <= 'z'; ++each) {
    std::ofstream(root / std::string(200, each)) << each;
  }
  return is_good && append_and_sync(root / std::string(200, 'z'), 10);
}

// One line a record, in the words of `debugfs logdump`.
std::string in_words_of_debugfs(const FastCommits& commits) {
  std::string text;
  for (const FastCommitRecord& record : commits.records) {
    const std::string inode = "inode " + std::to_string(record.inode.value());
    const std::string range =
        inode + ", lblk " + std::to_string(static_cast<std::int32_t>(record.file.value()));
    const std::string name = "parent " + std::to_string(record.parent.value()) + ", ino " +
                             std::to_string(record.inode.value()) + ", name \"" + record.name +
                             "\"";
    const std::string length = ", len " + std::to_string(record.count);
    const std::string tid = "tid " + std::to_string(commits.tid.value());
    text += "tag ";
    switch (record.tag) {
      case FastCommitTag::kAddRange:
        text += "ADD_RANGE, " + range + ", pblk " + std::to_string(record.device.value()) + length;
        break;
      case FastCommitTag::kDeleteRange: text += "DEL_RANGE, " + range + length; break;
      case FastCommitTag::kCreate: text += "CREAT_DENTRY, " + name; break;
      case FastCommitTag::kLink: text += "ADD_ENTRY, " + name; break;
      case FastCommitTag::kUnlink: text += "DEL_ENTRY, " + name; break;
      case FastCommitTag::kInode: text += "INODE, " + inode; break;
      case FastCommitTag::kPad: text += "PAD"; break;
      case FastCommitTag::kTail: text += "TAIL, " + tid; break;
      case FastCommitTag::kHead: text += "HEAD, features 0x0, " + tid; break;
    }
    text += "\n";
  }
  return text;
}

class FastCommitTools : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    SKIP_WITHOUT_TOOL("debugfs");
    SKIP_WITHOUT_LOOP_MOUNTS();
    const testing::E2fsImage made({.mke2fs = "-b 4096 -O fast_commit -J size=8", .size = "24M"});
    ASSERT_TRUE(made.is_made()) << made.log();
    fs::copy_file(made.path(), path("live"));
    {
      testing::LoopMount mount(path("live"), path("mount"));
      ASSERT_TRUE(mount.is_mounted()) << mount.log();
      ASSERT_TRUE(make_fast_commits(path("mount")));
      ASSERT_TRUE(sync_file(path("live")));
      fs::copy_file(path("live"), path("image"));
    }
    image_ = read_file(path("image"));
    std::istringstream words(debugfs("blocks <8>"));
    std::vector<JournalMap::Run> runs;
    for (std::string word; words >> word;) {
      if (word.find_first_not_of("0123456789") != std::string::npos) continue;
      const auto log = static_cast<std::uint32_t>(runs.size());
      runs.push_back({LogBlock(log), BlockNo(std::stoull(word)), 1});
    }
    auto map = JournalMap::make(runs, kFastBlockBytes, image_.size() / kFastBlockBytes);
    ASSERT_TRUE(map);
    map_ = *std::move(map);
  }

  fs::path path(const std::string& name) const { return folder_.path() / name; }
  std::string debugfs(const std::string& command) const {
    return testing::run_shell(*testing::find_tool("debugfs") + " -c -R '" + command + "' " +
                              path("image").string() + " 2>/dev/null")
        .output;
  }
  Result<RecoveryPlan> plan(const Contents& image) const {
    return plan_recovery(MemoryDevice(image), map_, {.lists_fast_commits = true});
  }
  // Where the area's byte `offset` lies in the image.
  std::size_t in_area(const RecoveryPlan& plan, std::size_t offset) const {
    const LogBlock block = fast_commit_area(plan.superblock).first +
                           static_cast<std::uint32_t>(offset / kFastBlockBytes);
    return map_.device_block(block).value() * kFastBlockBytes + offset % kFastBlockBytes;
  }
  bool kernel_mounts(const Contents& image) const {
    write_file(path("copy"), image);
    // For writing: a read-only mount cannot replay fast commits, and refuses.
    const testing::LoopMount mount(path("copy"), path("mount"));
    return mount.is_mounted();
  }

  testing::TemporaryFolder folder_;
  Contents image_;
  JournalMap map_;
};

TEST_F(FastCommitTools, AreListedAsDebugfsListsThem) {
  const auto made = plan(image_);
  ASSERT_TRUE(made) << made.error().what;
  if (!made->fast_commits) GTEST_SKIP() << "this kernel makes no fast commits";
  EXPECT_GE(made->fast_commits->commit_count, 7u);
  const std::string text = debugfs("logdump -a");
  const std::string heading = "*** Fast Commit Area ***\n";
  ASSERT_NE(text.find(heading), std::string::npos);
  std::istringstream lines(text.substr(text.find(heading) + heading.size()));
  std::string expected;
  for (std::string line; std::getline(lines, line);) {
    // debugfs prints one byte too many of a name: the tag behind it.
    std::erase_if(line, [](char each) { return each < ' '; });
    if (!line.starts_with("tag PAD")) expected += line + "\n";
  }
  EXPECT_EQ(in_words_of_debugfs(*made->fast_commits), expected);
}

// The area damaged here and there: refused by both or by none, and as many commits as we say.
TEST_F(FastCommitTools, OfADamagedAreaCountWhatTheKernelCounts) {
  const auto made = plan(image_);
  ASSERT_TRUE(made);
  if (!made->fast_commits) GTEST_SKIP() << "this kernel makes no fast commits";
  std::vector<std::size_t> tails;
  for (const FastCommitRecord& record : made->fast_commits->records) {
    if (record.tag == FastCommitTag::kTail) tails.push_back(record.offset);
  }
  ASSERT_GE(tails.size(), 3u);
  struct Case {
    const char* name;
    std::size_t offset;
    std::uint32_t commits;
    bool is_refused;
  };
  const auto all = static_cast<std::uint32_t>(tails.size());
  const Case cases[] = {{"behind a tail", tails[0] + 12, all, false},
                        {"head, tid", 8, 0, false},
                        {"head, features", 4, 0, true},
                        {"first record", 12 + 30, 0, true},
                        {"first tail, tid", tails[0] + 4, 0, true},
                        {"first tail, sum", tails[0] + 8, 0, true},
                        {"second tail, sum", tails[1] + 8, 1, false},
                        {"third tail, tag", tails[2], 2, false}};
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    Contents damaged = image_;
    damaged[in_area(*made, each.offset)] ^= 1;
    const auto ours = plan(damaged);
    ASSERT_TRUE(ours);
    EXPECT_EQ(ours->fast_commits ? ours->fast_commits->commit_count : 0, each.commits);
    EXPECT_EQ(ours->end == RecoveryEnd::kRefused, each.is_refused);
    EXPECT_EQ(kernel_mounts(damaged), !each.is_refused);
  }
}

}  // namespace
}  // namespace powercut
