// The `content` judge on real images: nothing where the kernel kept its promises, and each kind of
// loss where we make one.
#include <gtest/gtest.h>

#include <map>

#include "base/prng.h"
#include "tests/content/loaded_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::content_testing {
namespace {

using lab::ContentJudge;
using lab::SelfWord;
using lab::WordCode;
constexpr std::size_t kAll = 100'000;

void learn_all(ContentJudge& judge, const std::vector<std::string>& marks) {
  for (const std::string& mark : marks) judge.learn(mark);
  EXPECT_EQ(judge.book().bad_mark_count(), 0u);
}

// A file's unit that was promised, and where it lies.
struct Place {
  std::uint32_t run = 0;
  SelfWord first;  // of the block
  std::uint32_t floor = 0;
  BlockNo block;
};

// Blocks of files, all of whose units were promised a version of `floor_least` or more.
std::vector<Place> promised_blocks(const State& state, const lab::PromiseBook& book,
                                   std::uint32_t floor_least) {
  std::vector<Place> places;
  const lab::StateView view(state.image());
  const auto volume = Volume::open(view);
  if (!volume) return places;
  const std::uint32_t units = state.image().block_bytes() / lab::kUnitBytes;
  for (const lab::PromisedFile& file : book.files()) {
    const auto inode = volume->inode(file.inode);
    if (!inode || inode->generation != file.generation || file.is_gone) continue;
    const auto take = [&](const FileRun& run) {
      for (std::uint64_t i = 0; i < run.count; ++i) {
        const auto unit = static_cast<std::uint32_t>(run.file.value() + i) * units;
        bool is_high = true;
        for (std::uint32_t j = 0; j < units; ++j) {
          const lab::UnitFloor floor = file.floor(unit + j);
          is_high = is_high && floor.words == lab::kUnitWords && floor.version >= floor_least &&
                    floor.version <= lab::kVersionMax;
        }
        const std::uint32_t floor = file.floor(unit).version;
        if (is_high) {
          places.push_back(
              {file.run, {file.number, unit * lab::kUnitWords, 1}, floor, run.device + i});
        }
      }
      return true;
    };
    ignore_error(volume->for_each_run(file.inode, *inode, take), "what was taken is enough");
  }
  return places;
}

class Loaded : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_TOOL("mke2fs");
    SKIP_WITHOUT_TOOL("debugfs");
    SKIP_WITHOUT_LOOP_MOUNTS();
  }
};

class CleanEnd : public Loaded,
                 public ::testing::WithParamInterface<std::tuple<const char*, const char*>> {};

TEST_P(CleanEnd, KeepsAllPromises) {
  const auto [kind, mode] = GetParam();
  for (const char* const mke2fs : {"-b 4096 -J size=4", "-b 1024 -J size=4"}) {
    SCOPED_TRACE(mke2fs);
    const LoadedImage loaded(
        {.kind = kind, .mount = "data=" + std::string(mode), .mke2fs = mke2fs});
    ASSERT_EQ(loaded.trouble(), "");
    State state(loaded.bytes(), loaded.block_bytes());
    ContentJudge judge;
    judge.begin(state.image());
    learn_all(judge, loaded.marks());
    EXPECT_EQ(lab::data_mode_name(judge.book().data_mode()), mode);
    EXPECT_TRUE(judge.settle()) << text_of(judge.findings(10));
    EXPECT_TRUE(judge.findings(kAll).empty());
    // And none is kept by what was there before.
    State before(loaded.bytes_before(), loaded.block_bytes());
    judge.begin(before.image());
    EXPECT_FALSE(judge.settle());
  }
}

INSTANTIATE_TEST_SUITE_P(Loads, CleanEnd,
                         ::testing::Combine(::testing::Values("write", "mmap", "append", "rename",
                                                              "mixed"),
                                            ::testing::Values("journal", "ordered", "writeback")),
                         [](const auto& one) {
                           return std::string(std::get<0>(one.param)) + "_" +
                                  std::get<1>(one.param);
                         });

// Puts another content into one block of many, one after another; each must be found as `rule`, and
// nothing must be left when it is taken back.
using Damage = std::function<std::vector<std::uint8_t>(const Place&)>;
void expect_each_found(State& state, ContentJudge& judge, const std::vector<Place>& places,
                       const Damage& damage, const std::string& rule) {
  ASSERT_FALSE(places.empty()) << rule;
  for (const Place& place : places) {
    const lab::ContentId right = state.image().at(place.block);
    state.change(judge, place.block, state.add(damage(place)));
    EXPECT_FALSE(judge.settle()) << rule;
    const auto found = judge.findings(kAll);
    ASSERT_EQ(found.size(), 1u) << rule << "\n" << text_of(found);
    EXPECT_EQ(found.front().rule, rule) << text_of(found);
    EXPECT_EQ(found.front().block, place.block);
    state.change(judge, place.block, right);
    ASSERT_TRUE(judge.settle()) << text_of(judge.findings(10));
  }
}

TEST_F(Loaded, EachLossOfContentIsFoundAsWhatItIs) {
  const LoadedImage loaded({.kind = "write"});
  ASSERT_EQ(loaded.trouble(), "");
  State state(loaded.bytes(), loaded.block_bytes());
  ContentJudge judge;
  judge.begin(state.image());
  learn_all(judge, loaded.marks());
  ASSERT_TRUE(judge.settle()) << text_of(judge.findings(10));
  const std::size_t length = loaded.block_bytes();
  const auto filled = [length](const Place& place, std::uint32_t file, std::uint32_t index,
                               std::uint32_t version) {
    std::vector<std::uint8_t> block(length);
    WordCode(place.run).fill(block, {file, index, version});
    return block;
  };
  const auto places = promised_blocks(state, judge.book(), 1);
  expect_each_found(
      state, judge, places, [&](const Place&) { return std::vector<std::uint8_t>(length); },
      "words-lost");
  expect_each_found(
      state, judge, promised_blocks(state, judge.book(), 2),
      [&](const Place& at) { return filled(at, at.first.file, at.first.index, at.floor - 1); },
      "words-stale");
  expect_each_found(
      state, judge, places,
      [&](const Place& at) { return filled(at, at.first.file, at.first.index + 512, 900); },
      "words-foreign");
  expect_each_found(
      state, judge, places,
      [&](const Place& at) { return filled(at, at.first.file + 1, at.first.index, 900); },
      "words-foreign");
  expect_each_found(
      state, judge, places, [&](const Place&) { return std::vector<std::uint8_t>(length, 0x11); },
      "words-garbage");
  // Half a word of another version: what data=journal never leaves.
  expect_each_found(
      state, judge, places,
      [&](const Place& at) {
        auto block = filled(at, at.first.file, at.first.index, 0x5500);
        do ++block[800];
        while (WordCode(at.run).is_own(lab::word_at(block, 800)));
        return block;
      },
      "words-torn");
}

TEST_F(Loaded, StoresOfAPageThatAreNoCutAreFoundUnderDataJournal) {
  const LoadedImage loaded({.kind = "mmap"});
  ASSERT_EQ(loaded.trouble(), "");
  State state(loaded.bytes(), loaded.block_bytes());
  ContentJudge judge;
  judge.begin(state.image());
  learn_all(judge, loaded.marks());
  ASSERT_TRUE(judge.settle()) << text_of(judge.findings(10));
  const auto mixed = [&](const Place& at, std::uint32_t front, std::uint32_t back,
                         std::size_t bytes) {
    std::vector<std::uint8_t> block(loaded.block_bytes());
    WordCode(at.run).fill(block, {at.first.file, at.first.index, back});
    WordCode(at.run).fill(MutableBytes(block).first(bytes), {at.first.file, at.first.index, front});
    return block;
  };
  const auto places = promised_blocks(state, judge.book(), 1);
  for (const std::size_t bytes : {std::size_t{8}, std::size_t{2048}, std::size_t{4088}}) {
    const auto new_behind_old = [&](const Place& at) { return mixed(at, 90, 91, bytes); };
    expect_each_found(state, judge, places, new_behind_old, "words-out-of-order");
    const auto two_passes = [&](const Place& at) { return mixed(at, 92, 90, bytes); };
    expect_each_found(state, judge, places, two_passes, "words-out-of-order");
  }
  // A cut in the middle of a pass is right, wherever it is.
  for (const Place& place : places) {
    const auto cut = mixed(place, 91, 90, 8 * (place.block.value() % 512));
    const lab::ContentId right = state.image().at(place.block);
    state.change(judge, place.block, state.add(cut));
    EXPECT_TRUE(judge.settle()) << text_of(judge.findings(10));
    state.change(judge, place.block, right);
  }
}

// What debugfs makes of the image, as another state of it.
std::string rules_after(const LoadedImage& loaded, const std::string& commands) {
  loaded.image().debugfs(commands, /*writes=*/true);
  State state(loaded.bytes(), loaded.block_bytes());
  ContentJudge judge;
  learn_all(judge, loaded.marks());
  judge.begin(state.image());
  judge.settle();
  std::string rules;
  for (const lab::CheckFinding& finding : judge.findings(kAll)) rules += finding.rule + " ";
  return rules;
}

TEST_F(Loaded, LossesOfNamesAndSizesAreFound) {
  const LoadedImage loaded({.kind = "rename", .threads = 1, .files = 4, .sync_percent = 100});
  ASSERT_EQ(loaded.trouble(), "");
  EXPECT_EQ(rules_after(loaded, "stats"), "");
  const std::string listing = loaded.image().debugfs("ls -p /");
  const std::size_t at = listing.find("rename-");
  ASSERT_NE(at, std::string::npos) << listing;
  const std::string folder = "/" + listing.substr(at, listing.find('/', at) - at);
  EXPECT_EQ(rules_after(loaded, "set_inode_field " + folder + "/config0 size 512"), "size-short ");
  EXPECT_EQ(rules_after(loaded, "unlink " + folder + "/config1"),
            "name-lost held-count size-short ");
  EXPECT_EQ(rules_after(loaded, "ln " + folder + "/config2 " + folder + "/config1"),
            "name-wrong held-count size-short ");
  EXPECT_EQ(rules_after(loaded, "ln " + folder + "/config2 " + folder + "/config3.new"),
            "name-wrong name-left held-count size-short ");
}

class SameAnswer : public Loaded, public ::testing::WithParamInterface<const char*> {};

// The invariant of a judge that follows changes: what it knows is what a new one would know.
TEST_P(SameAnswer, AsOfOneThatBegan) {
  const LoadedImage loaded({.kind = GetParam()});
  ASSERT_EQ(loaded.trouble(), "");
  State state(loaded.bytes(), loaded.block_bytes());
  // Blocks that mean something, now or before, and what may lie in them.
  std::vector<BlockNo> blocks;
  std::vector<lab::ContentId> contents{lab::kZeroContent};
  std::map<std::uint64_t, lab::ContentId> old;
  const std::vector<std::uint8_t> bytes_before = loaded.bytes_before();
  for (std::uint64_t i = 0; i < state.image().block_count(); ++i) {
    const std::size_t length = loaded.block_bytes();
    const auto was = Bytes(bytes_before).subspan(i * length, length);
    old[i] = *state.pool().add(was);
    const lab::ContentId now = state.image().at(BlockNo(i));
    if (now == lab::kZeroContent && old[i] == lab::kZeroContent) continue;
    // Not the journal, which is most of what is not zero.
    const bool is_of_load = now != old[i];
    if (is_of_load) blocks.push_back(BlockNo(i));
    contents.push_back(now);
  }
  const std::vector<lab::ContentId> right = [&] {
    std::vector<lab::ContentId> all;
    for (std::uint64_t i = 0; i < state.image().block_count(); ++i) {
      all.push_back(state.image().at(BlockNo(i)));
    }
    return all;
  }();
  ContentJudge judge;
  judge.begin(state.image());
  const auto& marks = loaded.marks();
  std::size_t learned = 0;
  Prng prng(7);
  int wrong_count = 0;
  constexpr int kSteps = 400;
  for (int step = 0; step < kSteps; ++step) {
    while (learned < marks.size() * static_cast<std::size_t>(step) / 300 &&
           learned < marks.size()) {
      judge.learn(marks[learned++]);
    }
    for (std::uint64_t i = prng.below(6); i > 0; --i) {
      // Now and then the superblock, without which nothing can be read.
      const bool is_first = i == 1 && step % 8 == 0;
      const BlockNo block = is_first ? BlockNo(0) : blocks[prng.below(blocks.size())];
      // Mostly what is right, so that damage goes away again.
      const std::uint64_t draw = prng.below(8);
      const lab::ContentId to = draw < 4   ? right[block.value()]
                                : draw < 6 ? old[block.value()]
                                           : contents[prng.below(contents.size())];
      state.change(judge, block, to);
    }
    const bool is_right = judge.settle();
    ContentJudge fresh;
    for (std::size_t i = 0; i < learned; ++i) fresh.learn(marks[i]);
    fresh.begin(state.image());
    ASSERT_EQ(fresh.settle(), is_right) << "step " << step;
    const auto found = judge.findings(kAll);
    ASSERT_EQ(text_of(found), text_of(fresh.findings(kAll))) << "step " << step;
    ASSERT_EQ(found.empty(), is_right) << "step " << step;
    wrong_count += is_right ? 0 : 1;
  }
  EXPECT_GT(wrong_count, kSteps / 10);
  // All put right again: nothing is left.
  blocks.push_back(BlockNo(0));
  for (const BlockNo block : blocks) state.change(judge, block, right[block.value()]);
  EXPECT_TRUE(judge.settle()) << text_of(judge.findings(10));
}

INSTANTIATE_TEST_SUITE_P(Loads, SameAnswer,
                         ::testing::Values("write", "mmap", "append", "rename", "mixed"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace powercut::content_testing
