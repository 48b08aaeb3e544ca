// Random operations on a tree against a model, with commits, remounts and power cuts.  After a cut
// the tree is as it was after one of the operations since the last commit.
#include <gtest/gtest.h>

#include <deque>

#include "tests/support/long_form.h"
#include "tests/support/mounted_image.h"
#include "tests/support/tree_model.h"

namespace powercut::fs {
namespace {

class RandomTree {
 public:
  RandomTree(const std::string& mke2fs, std::uint64_t seed) : disk_(mke2fs, "16M"), random_(seed) {
    disk_.mount();
    commit();
  }

  void step() {
    switch (random_.below(16)) {
      case 0:
      case 1:
      case 2: make(InodeType::kRegular); break;
      case 3:
      case 4: make(InodeType::kDirectory); break;
      case 5: make(InodeType::kSymlink); break;
      case 6: make(random_.chance(1, 2) ? InodeType::kFifo : InodeType::kSocket); break;
      case 7: link(); break;
      case 8: remove(); break;
      case 9: remove_dir(); break;
      case 10: move(RenameHow::kReplace); break;
      case 11: move(random_.chance(1, 2) ? RenameHow::kNoReplace : RenameHow::kReplace); break;
      case 12: move(RenameHow::kExchange); break;
      case 13: set_attribute(); break;
      case 14: remove_attribute(); break;
      case 15: change(); break;
    }
    history_.push_back(model_.words());
  }
  void commit() {
    const auto done = disk_.mounted->sync();
    ASSERT_TRUE(done) << error_words(done.error());
    history_ = {model_.words()};
  }
  void remount() {
    while (!open_.empty()) close_one();
    disk_.remount();
    ASSERT_TRUE(is_clean(disk_.unmounted_image()));
    const TreeWords there = ImageTree(disk_.unmounted_image()).words();
    ASSERT_EQ(difference(model_.words(), there), "");
    history_ = {model_.words()};
  }
  // A copy of the disk as it is, recovered: one of the states since the last commit.
  void cut() {
    TestMount recovered(disk_.crashed());
    recovered.mount();
    if (::testing::Test::HasFatalFailure()) return;
    recovered.unmount();
    ASSERT_TRUE(is_clean(recovered.device.bytes()));
    const TreeWords there = ImageTree(recovered.device.bytes()).words();
    const bool is_known = std::ranges::find(history_, there) != history_.end();
    ASSERT_TRUE(is_known) << "first difference to the newest:\n"
                          << difference(history_.back(), there);
  }
  void end() {
    while (!open_.empty()) close_one();
    disk_.unmount();
    ASSERT_TRUE(is_clean(disk_.device.bytes()));
    ASSERT_EQ(difference(model_.words(), ImageTree(disk_.device.bytes()).words()), "");
  }

 private:
  Core& core() { return disk_.core(); }
  std::string draw_name() {
    std::string name = "n" + std::to_string(random_.below(30));
    if (random_.chance(1, 5)) name += std::string(random_.below(240), 'l');
    return name;
  }
  // A directory of the model, and its node.
  std::size_t draw_directory() {
    std::size_t at = 0;
    while (random_.chance(2, 3)) {
      std::vector<std::size_t> below;
      for (const auto& [name, inode] : model_[at].names) {
        if (model_.is_directory(inode)) below.push_back(inode);
      }
      if (below.empty()) break;
      at = below[random_.below(below.size())];
    }
    return at;
  }
  NodeRef node_of(std::size_t directory) {
    std::vector<std::string> names;
    while (directory != 0) {
      const std::size_t parent = model_[directory].parent;
      for (const auto& [name, inode] : model_[parent].names) {
        if (inode == directory) names.push_back(name);
      }
      directory = parent;
    }
    NodeRef node = *core().nodes->get(kRootInode);
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      const auto next = lookup(core(), *node, *name);
      EXPECT_TRUE(next) << *name << ": " << error_words(next.error());
      node = *next;
    }
    return node;
  }
  // A name that is there, likely.
  std::string draw_existing(std::size_t directory) {
    const auto& names = model_[directory].names;
    if (names.empty() || random_.chance(1, 8)) return draw_name();
    auto at = names.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_.below(names.size())));
    return at->first == "lost+found" ? draw_name() : at->first;
  }
  bool has(std::size_t directory, const std::string& name) {
    return model_[directory].names.contains(name);
  }

  void make(InodeType type) {
    const std::size_t directory = draw_directory();
    const std::string name = draw_name();
    ModelInode inode;
    inode.type = type;
    const auto random_bits = static_cast<unsigned>(random_.below(0100));
    inode.permissions = type == InodeType::kSymlink ? 0777u : 0600u + random_bits;
    inode.parent = directory;
    const NewInode what{.permissions = static_cast<std::uint16_t>(inode.permissions)};
    const NodeRef parent = node_of(directory);
    Result<NodeRef> made = fail(Errc::kInvalid, "");
    if (type == InodeType::kRegular) made = make_file(core(), *parent, name, what);
    if (type == InodeType::kDirectory) made = make_directory(core(), *parent, name, what);
    if (type == InodeType::kSymlink) {
      inode.target = std::string(1 + random_.below(random_.chance(1, 2) ? 59 : 900), 't');
      made = make_symlink(core(), *parent, name, inode.target, what);
    }
    if (type == InodeType::kFifo || type == InodeType::kSocket) {
      made = make_special(core(), *parent, name, type, {}, what);
    }
    ASSERT_EQ(made.has_value(), !has(directory, name))
        << name << (made ? "" : error_words(made.error()));
    if (!made) return;
    if (type == InodeType::kRegular && random_.chance(1, 3)) {
      const auto written = write_file(core(), **made, 0, pattern(random_.below(20000), 3));
      ASSERT_TRUE(written) << error_words(written.error());
    }
    model_[directory].names[name] = model_.add(std::move(inode));
  }
  void link() {
    const std::size_t from = draw_directory(), to = draw_directory();
    const std::string old = draw_existing(from), name = draw_name();
    if (!has(from, old)) return;
    const std::size_t inode = model_[from].names[old];
    const NodeRef node = *lookup(core(), *node_of(from), old);
    const auto linked = make_link(core(), node, *node_of(to), name);
    ASSERT_EQ(linked.has_value(), !has(to, name) && !model_.is_directory(inode));
    if (linked) model_[to].names[name] = inode;
  }
  void remove() {
    const std::size_t directory = draw_directory();
    const std::string name = draw_existing(directory);
    const bool is_file =
        has(directory, name) && !model_.is_directory(model_[directory].names[name]);
    NodeRef held;
    if (is_file && random_.chance(1, 4)) {
      held = *lookup(core(), *node_of(directory), name);
      ASSERT_TRUE(open_node(*held));
    }
    const auto removed = remove_file(core(), *node_of(directory), name);
    ASSERT_EQ(removed.has_value(), is_file);
    if (removed) model_[directory].names.erase(name);
    if (held) open_.push_back(held);
    if (open_.size() > 3) close_one();
  }
  void close_one() {
    const auto closed = close_node(core(), open_.front());
    ASSERT_TRUE(closed) << error_words(closed.error());
    open_.pop_front();
  }
  void remove_dir() {
    const std::size_t directory = draw_directory();
    const std::string name = draw_existing(directory);
    const bool is_empty = has(directory, name) &&
                          model_.is_directory(model_[directory].names[name]) &&
                          model_[model_[directory].names[name]].names.empty();
    const auto removed = remove_directory(core(), *node_of(directory), name);
    ASSERT_EQ(removed.has_value(), is_empty) << name;
    if (removed) model_[directory].names.erase(name);
  }
  bool may_move(std::size_t from, const std::string& old, std::size_t to, const std::string& name,
                RenameHow how) {
    if (!has(from, old)) return false;
    const std::size_t source = model_[from].names[old];
    if (from != to && model_.lies_in(to, source)) return false;
    if (!has(to, name)) return how != RenameHow::kExchange;
    const std::size_t target = model_[to].names[name];
    if (how == RenameHow::kNoReplace) return false;
    if (source == target) return true;
    if (from != to && model_.lies_in(from, target)) return false;
    if (how == RenameHow::kExchange) return true;
    if (model_.is_directory(source) != model_.is_directory(target)) return false;
    return !model_.is_directory(target) || model_[target].names.empty();
  }
  void move(RenameHow how) {
    const std::size_t from = draw_directory(), to = draw_directory();
    const std::string old = draw_existing(from);
    const std::string name = random_.chance(1, 2) ? draw_name() : draw_existing(to);
    const NodeRef from_node = node_of(from), to_node = node_of(to);
    const auto moved = rename(core(), {*from_node, old}, {*to_node, name}, how);
    ASSERT_EQ(moved.has_value(), may_move(from, old, to, name, how))
        << old << " to " << name << (moved ? "" : error_words(moved.error()));
    if (!moved) return;
    const std::size_t source = model_[from].names[old];
    const bool has_target = has(to, name);
    const std::size_t target = has_target ? model_[to].names[name] : source;
    if (source == target && has_target) return;
    model_[from].names.erase(old);
    model_[to].names[name] = source;
    model_[source].parent = to;
    if (how != RenameHow::kExchange) return;
    model_[from].names[old] = target;
    model_[target].parent = from;
  }
  void set_attribute() {
    const std::size_t directory = draw_directory();
    const std::string name = draw_existing(directory);
    if (!has(directory, name)) return;
    ModelInode& inode = model_[model_[directory].names[name]];
    const std::string attribute =
        (random_.chance(1, 2) ? "trusted.a" : "security.b") + std::to_string(random_.below(4));
    const std::string value(random_.below(random_.chance(1, 5) ? 700 : 40), 'v');
    const NodeRef node = *lookup(core(), *node_of(directory), name);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(value.data());
    const auto done =
        set_xattr(core(), *node, attribute, Bytes(bytes, value.size()), SetMode::kEither);
    ASSERT_TRUE(done || done.error().code == Errc::kNoSpace) << error_words(done.error());
    if (done) inode.attributes[attribute] = value;
  }
  void remove_attribute() {
    const std::size_t directory = draw_directory();
    const std::string name = draw_existing(directory);
    if (!has(directory, name)) return;
    ModelInode& inode = model_[model_[directory].names[name]];
    const std::string attribute = "trusted.a" + std::to_string(random_.below(4));
    const NodeRef node = *lookup(core(), *node_of(directory), name);
    const auto done = remove_xattr(core(), *node, attribute);
    ASSERT_EQ(done.has_value(), inode.attributes.erase(attribute) == 1);
  }
  void change() {
    const std::size_t directory = draw_directory();
    const std::string name = draw_existing(directory);
    if (!has(directory, name)) return;
    ModelInode& inode = model_[model_[directory].names[name]];
    const NodeRef node = *lookup(core(), *node_of(directory), name);
    StatusChange change;
    if (inode.type != InodeType::kSymlink) {
      change.permissions = static_cast<std::uint16_t>(random_.below(0777));
      inode.permissions = *change.permissions;
    }
    change.uid = static_cast<std::uint32_t>(random_.below(100'000));
    inode.uid = *change.uid;
    const auto done = change_status(core(), *node, change);
    ASSERT_TRUE(done) << error_words(done.error());
  }

  TestMount disk_;
  Prng random_;
  ModelTree model_;
  std::deque<TreeWords> history_;
  std::deque<NodeRef> open_;
};

constexpr const char* kForms[] = {
    "-b 4096 -N 2048", "-b 1024 -N 2048", "-b 1024 -N 2048 -O orphan_file,metadata_csum_seed",
    "-b 2048 -N 2048 -I 128 -O ^metadata_csum,^64bit", "-b 1024 -N 2048 -O ^dir_index"};

void run(const std::string& mke2fs, std::uint64_t seed, int steps) {
  SKIP_WITHOUT_TOOL("mke2fs");
  RandomTree tree(mke2fs, seed);
  for (int i = 0; i < steps; ++i) {
    SCOPED_TRACE("step " + std::to_string(i) + " of seed " + std::to_string(seed));
    tree.step();
    if (::testing::Test::HasFatalFailure()) return;
    if (i % 37 == 36) tree.commit();
    if (i % 250 == 150) tree.cut();
    if (i % 600 == 599) tree.remount();
    if (::testing::Test::HasFatalFailure()) return;
  }
  tree.end();
}

TEST(RandomTrees, ManySeeds) {
  if (!testing::is_long_form()) GTEST_SKIP() << "the long form";
  for (std::uint64_t seed = 100; seed < 130; ++seed) {
    run(kForms[seed % std::size(kForms)], seed, 3000);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(RandomTrees, Blocks4k) {
  run(kForms[0], 1, 1200);
}
TEST(RandomTrees, Blocks1k) {
  run(kForms[1], 2, 1200);
}
TEST(RandomTrees, OrphanFile) {
  run(kForms[2], 3, 1200);
}
TEST(RandomTrees, NoChecksums) {
  run(kForms[3], 4, 1200);
}
TEST(RandomTrees, Linear) {
  run(kForms[4], 5, 1200);
}

}  // namespace
}  // namespace powercut::fs
