// Thousands of names in one directory against a map, in every form that directories have.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/long_form.h"
#include "tests/support/mounted_image.h"
#include "tests/support/tree_model.h"

namespace powercut::fs {
namespace {

struct Form {
  const char* name;
  const char* mke2fs;
  const char* hash = nullptr;
};

std::vector<std::uint8_t> image_of(const Form& form) {
  testing::ImageOptions options;
  options.mke2fs = form.mke2fs;
  options.size = "24M";
  const testing::E2fsImage image(options);
  EXPECT_TRUE(image.is_made()) << image.log();
  if (form.hash != nullptr) {
    image.debugfs(std::string("set_super_value def_hash_version ") + form.hash + "\n", true);
  }
  return image.bytes();
}

class Names : public ::testing::TestWithParam<Form> {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    disk_ = std::make_unique<TestMount>(image_of(GetParam()));
    disk_->mount();
    const bool is_usual = core().shape.hash_version == static_cast<int>(DirectoryHash::kHalfMd4);
    ASSERT_EQ(is_usual, GetParam().hash == nullptr);
    root_ = *core().nodes->get(kRootInode);
  }
  void TearDown() override {
    root_.reset();
    directory_.reset();
    if (disk_ && disk_->mounted) disk_->unmount();
    if (!disk_) return;
    EXPECT_TRUE(is_clean(disk_->device.bytes()));
  }
  Core& core() { return disk_->core(); }

  // One inode with many names: it costs nothing but the names.
  void begin() {
    const auto made = make_directory(core(), *root_, "many", {.permissions = 0755});
    ASSERT_TRUE(made) << error_words(made.error());
    directory_ = *made;
  }
  std::string draw_name() {
    const std::size_t length = 1 + random_.below(random_.chance(1, 4) ? 255 : 20);
    std::string name;
    for (std::size_t i = 0; i < length; ++i) {
      const char c = static_cast<char>(1 + random_.below(255));
      name.push_back(c == '/' ? '_' : c);
    }
    return name == "." || name == ".." ? "dots" : name;
  }
  void add() {
    const std::string name = draw_name();
    const bool is_there = model_.contains(name);
    const auto made = make_file(core(), *directory_, name, {});
    EXPECT_EQ(made.has_value(), !is_there);
    if (is_there) return;
    ASSERT_TRUE(made) << error_words(made.error()) << " after " << model_.size();
    model_[name] = (*made)->number.value();
  }
  void remove_one() {
    if (model_.empty()) return;
    auto victim = model_.lower_bound(draw_name());
    if (victim == model_.end()) victim = model_.begin();
    const auto removed = remove_file(core(), *directory_, victim->first);
    ASSERT_TRUE(removed) << error_words(removed.error());
    model_.erase(victim);
  }
  void move_one() {
    if (model_.empty()) return;
    auto moved = model_.lower_bound(draw_name());
    if (moved == model_.end()) moved = model_.begin();
    const std::string name = draw_name(), from = moved->first;
    const std::uint32_t inode = moved->second;
    const auto done = rename(core(), {*directory_, from}, {*directory_, name}, RenameHow::kReplace);
    ASSERT_TRUE(done) << error_words(done.error());
    model_.erase(from);
    model_[name] = inode;
  }
  void compare() {
    std::map<std::string, std::uint32_t> listed;
    std::vector<std::string> order;
    const auto done = read_directory(core(), *directory_, 0, [&](const ListedName& entry) {
      order.push_back(entry.name);
      if (entry.name != "." && entry.name != "..") {
        EXPECT_TRUE(listed.try_emplace(entry.name, entry.inode.value()).second) << entry.name;
      }
      return true;
    });
    ASSERT_TRUE(done) << error_words(done.error());
    ASSERT_GE(order.size(), 2u);
    EXPECT_EQ(order[0], ".");
    EXPECT_EQ(order[1], "..");
    EXPECT_EQ(listed, model_);
    for (const auto& [name, inode] : model_) {
      const auto found = lookup(core(), *directory_, name);
      ASSERT_TRUE(found) << error_words(found.error());
      ASSERT_EQ((*found)->number.value(), inode);
    }
    EXPECT_FALSE(lookup(core(), *directory_, "there is none of this name"));
  }

  std::unique_ptr<TestMount> disk_;
  NodeRef root_, directory_;
  Prng random_{7};
  std::map<std::string, std::uint32_t> model_;
};

TEST_P(Names, AsAMapHasThem) {
  begin();
  for (int i = 0; i < 1500; ++i) add();
  compare();
  for (int i = 0; i < 600; ++i) {
    if (random_.chance(1, 3)) {
      add();
    } else if (random_.chance(1, 2)) {
      move_one();
    } else {
      remove_one();
    }
  }
  compare();
  directory_.reset();
  root_.reset();
  disk_->remount();
  EXPECT_TRUE(is_clean(disk_->unmounted_image()));
  root_ = *core().nodes->get(kRootInode);
  directory_ = *lookup(core(), *root_, "many");
  compare();
  while (!model_.empty()) remove_one();
  compare();
  const auto gone = remove_directory(core(), *root_, "many");
  EXPECT_TRUE(gone) << error_words(gone.error());
}

// Names that are there the whole time are listed once, whatever comes and goes meanwhile.
TEST_P(Names, CookiesStay) {
  begin();
  for (int i = 0; i < 300; ++i) add();
  const auto constant = model_;
  std::map<std::string, int> listed;
  std::uint64_t cookie = 0;
  std::vector<std::string> added;
  for (bool goes_on = true; goes_on;) {
    goes_on = false;
    int left = 17;
    const auto done = read_directory(core(), *directory_, cookie, [&](const ListedName& entry) {
      ++listed[entry.name];
      cookie = entry.next_cookie;
      goes_on = true;
      return --left > 0;
    });
    ASSERT_TRUE(done) << error_words(done.error());
    for (int i = 0; i < 20; ++i) {
      const std::string name = "new" + std::to_string(added.size()) + std::string(40, 'x');
      if (added.size() < 2000 && make_file(core(), *directory_, name, {})) added.push_back(name);
    }
    for (int i = 0; i < 5 && !added.empty(); ++i) {
      ASSERT_TRUE(remove_file(core(), *directory_, added.back()));
      added.pop_back();
    }
  }
  for (const auto& [name, inode] : constant) EXPECT_EQ(listed[name], 1) << name;
}

INSTANTIATE_TEST_SUITE_P(
    Forms, Names,
    ::testing::Values(Form{"block1k", "-b 1024 -N 4096"}, Form{"block2k", "-b 2048 -N 4096"},
                      Form{"block4k", "-b 4096 -N 4096"},
                      Form{"nochecksums", "-b 1024 -N 4096 -O ^metadata_csum"},
                      Form{"linear", "-b 1024 -N 4096 -O ^dir_index"},
                      Form{"notypes", "-b 1024 -N 4096 -O ^filetype"},
                      Form{"largedir", "-b 1024 -N 4096 -O large_dir"},
                      Form{"tea", "-b 1024 -N 4096", "tea"},
                      Form{"legacy", "-b 4096 -N 4096", "legacy"},
                      Form{"newer", "-b 1024 -N 4096 -O orphan_file,metadata_csum_seed"}),
    [](const auto& form) { return std::string(form.param.name); });

// Links of one file, so that only names take room; long ones, so that few fit into a block.
int link_until_full(TestMount& disk, int most) {
  Core& core = disk.core();
  const NodeRef root = *core.nodes->get(kRootInode);
  const NodeRef many = *make_directory(core, *root, "many", {});
  const NodeRef one = *make_file(core, *root, "one", {});
  for (int i = 0; i < most; ++i) {
    const std::string number = std::to_string(i);
    const auto made = make_link(core, one, *many, number + std::string(250 - number.size(), '.'));
    if (made) continue;
    EXPECT_EQ(made.error().code, Errc::kNoSpace) << error_words(made.error());
    return i;
  }
  return most;
}

TEST(ManyNames, AnIndexOfTwoLevelsThatIsFull) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 1024 -N 64", "64M");
  disk.mount();
  const int names = link_until_full(disk, 60000);
  EXPECT_GT(names, 15000);
  EXPECT_LT(names, 60000);
  disk.unmount();
  EXPECT_TRUE(is_clean(disk.device.bytes()));
}

TEST(ManyNames, AnIndexOfThreeLevels) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 1024 -N 64 -O large_dir", "64M");
  disk.mount();
  EXPECT_EQ(link_until_full(disk, 60000), 60000);
  disk.unmount();
  EXPECT_TRUE(is_clean(disk.device.bytes()));
}

TEST(ManyNames, MoreDirectoriesThanAreCounted) {
  if (!testing::is_long_form()) GTEST_SKIP() << "the long form";
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk("-b 1024 -N 70000", "160M");
  disk.mount();
  Core& core = disk.core();
  const NodeRef root = *core.nodes->get(kRootInode);
  const NodeRef many = *make_directory(core, *root, "many", {});
  for (int i = 0; i < 65100; ++i) {
    const auto made = make_directory(core, *many, std::to_string(i), {});
    ASSERT_TRUE(made) << error_words(made.error()) << " after " << i;
  }
  EXPECT_EQ(status_of(core, *many).inode.links, 1u);
  ASSERT_TRUE(remove_directory(core, *many, "7"));
  disk.unmount();
  EXPECT_TRUE(is_clean(disk.device.bytes()));
}

}  // namespace
}  // namespace powercut::fs
