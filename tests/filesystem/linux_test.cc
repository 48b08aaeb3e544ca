// The running kernel agrees, over seeds: it reads what we unmounted and recovers what was cut under
// us; we recover what was cut under it, go on, and it reads that again.  Needs root and loop
// devices.
//
// A cut under the kernel: ext4's shutdown (FS_IOC_SHUTDOWN), which ends all writing at once, the
// log's too.  So the device has what a power cut leaves that loses nothing that was completed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "tests/filesystem/model_run.h"
#include "tests/support/files.h"
#include "tests/support/long_form.h"
#include "tests/support/loop_mount.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

namespace host = std::filesystem;

constexpr std::array kLinuxForms = {
    Form{"Blocks1kLinux", "-b 1024 -N 1024 -J size=4", "12M"},
    Form{"Blocks4kLinux", "-b 4096 -N 1024 -J size=4", "16M"},
    Form{"OrphanFileLinux", "-b 1024 -N 1024 -J size=4 -O orphan_file,metadata_csum_seed", "12M"},
    Form{"NoChecksumsLinux", "-b 2048 -N 1024 -J size=4 -I 128 -O ^metadata_csum,^64bit", "12M"},
    Form{"SingleWaitLinux", "-b 1024 -N 1024 -J size=4 -O ^metadata_csum", "12M", 512, 150'000, 0,
         true},
};

// An image in a folder, mounted by the kernel.
class Kernel {
 public:
  explicit Kernel(Bytes image) {
    testing::write_file(image_path(), image);
    mount_.emplace(image_path(), root(), "data=journal,commit=300");
    EXPECT_TRUE(mount_->is_mounted()) << mount_->log() << mount_->kernel_words();
  }
  host::path root() const { return folder_.path() / "mount"; }
  TreeWords words() const { return words_of_folder(root().string()); }
  std::vector<std::uint8_t> unmounted() {
    EXPECT_TRUE(mount_->unmount()) << mount_->log();
    return testing::read_file(image_path());
  }
  void sync() const {
    const int folder = open(root().c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(syncfs(folder), 0);
    close(folder);
  }
  std::vector<std::uint8_t> cut() {
    constexpr std::uint32_t kWithoutLog = 2;
    constexpr unsigned long kShutdown = _IOR('X', 125, std::uint32_t);
    std::uint32_t how = kWithoutLog;
    const int folder = open(root().c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(ioctl(folder, kShutdown, &how), 0);
    close(folder);
    return unmounted();
  }

 private:
  host::path image_path() const { return folder_.path() / "image"; }
  testing::TemporaryFolder folder_;
  std::optional<testing::LoopMount> mount_;
};

// Something of a tree, or a new name in one of its folders.
class Chooser {
 public:
  Chooser(const host::path& root, Prng& random) : random_(random), folders_{root} {
    for (const auto& entry : host::recursive_directory_iterator(root)) {
      if (entry.path().filename() == "lost+found") continue;
      (!entry.is_symlink() && entry.is_directory() ? folders_ : others_).push_back(entry.path());
    }
  }
  host::path fresh() {
    return folders_[random_.below(folders_.size())] / ("k" + std::to_string(random_.below(1000)));
  }
  host::path any() {
    const auto& from = others_.empty() || random_.chance(1, 6) ? folders_ : others_;
    return from[random_.below(from.size())];
  }

 private:
  Prng& random_;
  std::vector<host::path> folders_, others_;
};

// Called after every change.
using Told = std::function<void()>;
// The kernel writes a longer content in several transactions, so it may be found in parts.
enum class Written : std::uint8_t { kSome, kNone };

void put(const host::path& path, Prng& random, Written content) {
  const int file =
      open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
  if (file < 0) return;
  if (content == Written::kSome) {
    const auto bytes = pattern(1 + random.below(30'000), random.next());
    const auto at = static_cast<off_t>(random.below(50'000));
    // What is full or no file refuses; that is the kernel's matter.
    [[maybe_unused]] const ssize_t written = pwrite(file, bytes.data(), bytes.size(), at);
    if (random.chance(1, 3)) fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, 9000);
    if (random.chance(1, 4)) fallocate(file, 0, at, 20'000);
  }
  close(file);
}

void work_by_linux(
    const host::path& root, Prng& random, int count, Written content, const Told& told = [] {}) {
  for (int i = 0; i < count; ++i) {
    Chooser chooser(root, random);
    const host::path fresh = chooser.fresh(), any = chooser.any();
    std::error_code ignored;
    switch (random.below(9)) {
      case 0:
      case 1: put(fresh, random, content); break;
      case 2: put(any, random, content); break;
      case 3: host::create_directory(fresh, ignored); break;
      case 4: host::rename(any, fresh, ignored); break;
      case 5: host::remove(any, ignored); break;
      case 6: host::create_symlink(std::string(1 + random.below(200), 's'), fresh, ignored); break;
      case 7: host::create_hard_link(any, fresh, ignored); break;
      case 8: {
        const std::string value(random.below(300), 'v');
        lsetxattr(any.c_str(), "trusted.k", value.data(), value.size(), 0);
        break;
      }
    }
    told();
  }
}

// Whatever is refused is refused for what the tree is, not for damage.
void expect_no_damage(const std::optional<Error>& error) {
  if (!error) return;
  const bool is_damage = error->code == Errc::kCorrupt || error->code == Errc::kChecksum ||
                         error->code == Errc::kIo || error->code == Errc::kAborted;
  EXPECT_FALSE(is_damage) << error_words(*error);
}
template <class T>
bool done(const Result<T>& result) {
  expect_no_damage(result ? std::nullopt : std::optional(result.error()));
  return result.has_value();
}

// In the root, with a directory that becomes an htree.
void work_by_us(Core& core, Prng& random) {
  const NodeRef root = *core.nodes->get(kRootInode);
  std::vector<std::string> names;
  ASSERT_TRUE(done(read_directory(core, *root, 0, [&](const ListedName& listed) {
    names.emplace_back(listed.name);
    return true;
  })));
  for (const std::string& name : names) {
    if (name == "." || name == ".." || name == "lost+found") continue;
    switch (random.below(4)) {
      case 0: done(remove_file(core, *root, name)); break;
      case 1: done(rename(core, {*root, name}, {*root, name + "x"}, RenameHow::kReplace)); break;
      case 2: {
        const auto node = lookup(core, *root, name);
        if (done(node)) done(write_file(core, **node, 100, pattern(5000, random.next())));
        break;
      }
      default: break;
    }
  }
  const auto many = make_directory(core, *root, "many", {});
  if (!done(many)) return;
  for (int i = 0; i < 150; ++i) {
    const std::string name = std::to_string(i) + std::string(random.below(90), 'm');
    const auto made = make_file(core, **many, name, {});
    if (done(made) && i % 5 == 0) done(write_file(core, **made, 0, pattern(3000, random.next())));
  }
}

std::vector<std::uint8_t> gone_on_with(std::vector<std::uint8_t> image, std::uint64_t seed) {
  TestMount disk(std::move(image));
  disk.mount();
  if (::testing::Test::HasFatalFailure()) return {};
  Prng random(seed);
  work_by_us(disk.core(), random);
  disk.unmount();
  EXPECT_TRUE(is_clean(disk.device.bytes()));
  return disk.crashed();
}

std::vector<std::uint8_t> recovered_by_us(std::vector<std::uint8_t> image) {
  TestMount disk(std::move(image));
  disk.mount();
  if (!::testing::Test::HasFatalFailure()) disk.unmount();
  return disk.crashed();
}

void take_turns(const Form& form, std::uint64_t seed) {
  ModelRun run(form, {.seed = seed});
  Prng random(seed);
  Mix mix = plain_mix();
  // The kernel would commit with each change of what is marked as synchronous.
  mix[static_cast<std::size_t>(Verb::kSetFlags)] = 0;
  for (const auto& operation : draw_operations(random, 250, mix)) run.carry_out(operation);
  {
    Kernel kernel(run.cut_image());
    run.expect_moment(kernel.words(), Detail::kAsShown, "the kernel");
    EXPECT_TRUE(is_clean(kernel.unmounted()));
  }
  run.end();
  Kernel kernel(run.unmounted());
  EXPECT_EQ(difference(run.model().words(Detail::kAsShown), kernel.words()), "");
  work_by_linux(kernel.root(), random, 60, Written::kSome);
  kernel.sync();
  // The kernel may commit by itself: each moment since the sync may be found.
  std::vector<TreeWords> moments{kernel.words()};
  work_by_linux(kernel.root(), random, 25, Written::kNone,
                [&] { moments.push_back(kernel.words()); });
  const std::vector<std::uint8_t> left = kernel.cut();
  const auto recovered = recovered_by_us(left);
  EXPECT_TRUE(is_clean(recovered));
  const TreeWords found = words_of_image(recovered, Detail::kAsShown);
  EXPECT_NE(std::ranges::find(moments, found), moments.end()) << "against what was synced:\n"
                                                              << difference(moments.front(), found);
  const auto image = gone_on_with(left, seed);
  if (::testing::Test::HasFatalFailure()) return;
  Kernel again(image);
  EXPECT_EQ(difference(words_of_image(image, Detail::kAsShown), again.words()), "");
  work_by_linux(again.root(), random, 20, Written::kSome);
  const TreeWords last = again.words();
  const auto end = again.unmounted();
  EXPECT_TRUE(is_clean(end));
  EXPECT_EQ(difference(last, words_of_image(end, Detail::kAsShown)), "");
}

class WithLinux : public ::testing::TestWithParam<Form> {};

TEST_P(WithLinux, TakesTurns) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  for (std::uint64_t seed = 1; seed <= (testing::is_long_form() ? 40 : 1); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    try {
      take_turns(GetParam(), seed);
    } catch (const Differs& differs) {
      FAIL() << differs.what();
    }
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Of, WithLinux, ::testing::ValuesIn(kLinuxForms),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace powercut::fs
