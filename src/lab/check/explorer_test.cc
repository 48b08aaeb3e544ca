#include "lab/check/explorer.h"

#include <gtest/gtest.h>

#include <array>

#include "format/ext4.h"
#include "lab/check/slow_recovery.h"
#include "tests/support/logged_image.h"

namespace powercut::lab {
namespace {

using powercut::testing::LoggedImage;

// A disk with a file system whose journal is written by the builder: what comes is put into a
// recording, as the test asks for it.
class Writer {
 public:
  explicit Writer(const powercut::testing::LoggedImageOptions& options = {}) : image_(options) {
    image_.builder().add_transaction(image_.blocks(0, 3));
    image_.write();
    base_ = image_.image().bytes();
    recording_.disk_bytes = base_.size();
    RecordedEvent event;
    event.kind = EventKind::kBase;
    event.length = base_.size();
    event.data = base_;
    recording_.events.push_back(event);
  }

  LoggedImage& image() { return image_; }
  const JournalMap& map() const { return image_.map(); }
  BlockStream stream() const {
    return BlockStream::make(recording_, image_.block_bytes(), std::uint64_t{1} << 30).value();
  }

  void put(BlockNo block, std::vector<std::uint8_t> bytes, bool is_completed = true) {
    recording_.frames.push_back(std::move(bytes));
    RecordedEvent event;
    event.request = RequestKind::kWrite;
    event.offset = block.value() * image_.block_bytes();
    event.length = image_.block_bytes();
    event.data = recording_.frames.back();
    submit(event, is_completed);
  }
  void put(const BuiltWrite& write, bool is_completed = true) {
    put(map().device_block(write.log), write.bytes, is_completed);
  }
  void flush() {
    RecordedEvent event;
    event.request = RequestKind::kFlush;
    submit(event, true);
  }
  void mark(std::string_view text) {
    recording_.frames.emplace_back(text.begin(), text.end());
    RecordedEvent event;
    event.kind = EventKind::kMark;
    event.data = recording_.frames.back();
    recording_.events.push_back(event);
  }

  // A transaction as Linux writes it, up to its commit block.
  std::vector<BuiltWrite> begin(const TransactionSpec& spec) {
    const auto writes = image_.builder().add_transaction(spec);
    for (const BuiltWrite& write : writes) {
      if (write.kind != BuiltWrite::Kind::kCommit) put(write);
    }
    return writes;
  }
  void commit(const TransactionSpec& spec) {
    const auto writes = begin(spec);
    flush();
    put(writes.back());
    flush();
  }
  void home(const TransactionSpec& spec) {
    for (const DataSpec& block : spec.blocks) put(block.home, block.content);
  }

 private:
  void submit(RecordedEvent event, bool is_completed) {
    event.kind = EventKind::kSubmitted;
    event.sequence = ++sequence_;
    recording_.events.push_back(event);
    if (!is_completed) return;
    RecordedEvent done;
    done.kind = EventKind::kCompleted;
    done.sequence = sequence_;
    recording_.events.push_back(done);
  }

  LoggedImage image_;
  std::vector<std::uint8_t> base_;
  Recording recording_;
  std::uint64_t sequence_ = 0;
};

// Holds that it is told of every change, and calls a state wrong if a certain block is of a certain
// content.
class WatchJudge final : public StateJudge {
 public:
  WatchJudge(BlockNo block, std::uint8_t first_byte) : block_(block), first_byte_(first_byte) {}
  JudgeName name() const override { return JudgeName::kContent; }
  void begin(const StateImage& image) override {
    image_ = &image;
    sum_ = sum_of_all();
  }
  void change(BlockNo block, ContentId from, ContentId to) override {
    sum_ += part_of_sum(block, to) - part_of_sum(block, from);
  }
  void learn(std::string_view mark) override { marks_ += std::string(mark) + ";"; }
  bool settle() override {
    EXPECT_EQ(sum_, sum_of_all());
    ++settled_;
    return image_->bytes(block_)[0] != first_byte_;
  }
  std::vector<CheckFinding> findings(std::size_t) const override {
    if (image_->bytes(block_)[0] != first_byte_) return {};
    CheckFinding finding;
    finding.judge = name();
    finding.rule = "watched";
    return {finding};
  }
  std::uint64_t settled() const { return settled_; }
  const std::string& marks() const { return marks_; }

 private:
  std::uint64_t sum_of_all() const {
    std::uint64_t sum = 0;
    for (std::uint64_t block = 0; block < image_->block_count(); ++block) {
      sum += part_of_sum(BlockNo(block), image_->at(BlockNo(block)));
    }
    return sum;
  }
  const BlockNo block_;
  const std::uint8_t first_byte_;
  const StateImage* image_ = nullptr;
  std::uint64_t sum_ = 0, settled_ = 0;
  std::string marks_;
};

struct Explored {
  ExplorerCounts counts;
  std::vector<GroupedFinding> findings;
  std::string rules() const {
    std::string all;
    for (const GroupedFinding& each : findings) {
      all += (all.empty() ? "" : " ") + each.finding.rule;
    }
    return all;
  }
};

// Every state is held against the slow way.
Explored explore(const Writer& writer, std::vector<StateJudge*> judges = {},
                 ExplorerOptions options = {}) {
  BlockStream stream = writer.stream();
  const SteadyClock clock;
  options.compare_every = options.compare_every == 2000 ? 1 : options.compare_every;
  Explorer explorer(stream, writer.map(), std::move(judges), clock, options);
  const auto run = explorer.run([](const ExplorerCounts&) { return true; });
  EXPECT_TRUE(run) << error_words(run.error());
  return {explorer.counts(), explorer.findings()};
}

class ExplorerTest : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_TOOL("mke2fs"); }
};

TEST_F(ExplorerTest, AJournalAsLinuxWritesItHasNoFinding) {
  Writer writer;
  writer.home(writer.image().blocks(0, 3));
  writer.commit(writer.image().blocks(1, 5, 2));
  writer.flush();
  TransactionSpec revoking = writer.image().blocks(10, 3, 3);
  revoking.revokes = {writer.image().pool()[2]};
  writer.commit(revoking);
  writer.put(writer.image().pool()[40], patterned_block(writer.image().block_bytes(), 99));
  WatchJudge judge(writer.image().pool()[0], 0xEE);
  const Explored explored = explore(writer, {&judge});
  EXPECT_EQ(explored.rules(), "");
  EXPECT_EQ(explored.counts.explored, explored.counts.crash_points);
  EXPECT_EQ(explored.counts.whole, explored.counts.explored);
  EXPECT_EQ(judge.settled(), explored.counts.judged + explored.counts.compared);
  // The first three homes are overridden by the log: no state differs in them.  With the base: one
  // state for each of the two commits, and one for the last write.
  EXPECT_EQ(explored.counts.recovered, 4u);
  EXPECT_EQ(explored.counts.judged, 4u);
  EXPECT_EQ(explored.counts.distinct, 7u);
}

TEST_F(ExplorerTest, HomeBlocksThatNothingOverridesAreWalked) {
  Writer writer;
  for (std::size_t i = 0; i < 6; ++i) {
    writer.put(writer.image().pool()[30 + i], patterned_block(writer.image().block_bytes(), i));
  }
  WatchJudge judge(writer.image().pool()[0], 0xEE);
  EXPECT_EQ(explore(writer, {&judge}).counts.judged, 64u);
  const Explored sampled = explore(writer, {}, {.walk = {.all_max = 30, .some_max = 30}});
  EXPECT_EQ(sampled.counts.walked, 30u);
  EXPECT_EQ(sampled.counts.whole, 0u);
}

TEST_F(ExplorerTest, TimeThatDoesNotDoForAllIsSpreadOverThem) {
  constexpr std::uint8_t kPuts = 24;
  Writer writer;
  for (std::uint8_t i = 0; i < kPuts; ++i) {
    writer.put(writer.image().pool()[30 + i],
               std::vector<std::uint8_t>(writer.image().block_bytes(), i));
    writer.flush();
  }
  BlockStream stream = writer.stream();
  struct Walked {
    ExplorerCounts counts;
    std::size_t finding_count = 0;
    Nanoseconds time{0};
  };
  const auto walk = [&](std::optional<Nanoseconds> time_max) {
    WatchJudge judge(writer.image().pool()[30 + kPuts * 3 / 4], kPuts * 3 / 4);
    ManualClock clock;
    Explorer explorer(stream, writer.map(), {&judge}, clock, {.time_max = time_max});
    std::uint64_t walked = 0;
    EXPECT_TRUE(explorer.run([&clock, &walked](const ExplorerCounts& counts) {
      if (counts.walked != walked) clock.advance(std::chrono::seconds(1));
      walked = counts.walked;
      return true;
    }));
    return Walked{explorer.counts(), explorer.findings().size(), clock.now()};
  };
  const Walked all = walk(std::nullopt);
  EXPECT_EQ(all.counts.explored, all.counts.crash_points);
  EXPECT_EQ(all.finding_count, 1u);
  const Walked half = walk(all.time / 2);
  EXPECT_EQ(half.finding_count, 1u);
  EXPECT_GT(half.counts.explored, half.counts.crash_points / 4);
  EXPECT_LT(half.counts.explored, half.counts.crash_points * 3 / 4);
}

TEST_F(ExplorerTest, AStateIsMadeAgainByItsName) {
  Writer writer;
  const std::uint32_t block_bytes = writer.image().block_bytes();
  for (std::uint8_t i = 0; i < 5; ++i) {
    writer.put(writer.image().pool()[30 + i], std::vector<std::uint8_t>(block_bytes, i));
  }
  writer.mark("first");
  writer.commit(writer.image().blocks(1, 5, 2));
  writer.mark("second");
  WatchJudge judge(writer.image().pool()[33], 3);
  const Explored explored = explore(writer, {&judge});
  ASSERT_EQ(explored.rules(), "watched");
  EXPECT_EQ(judge.marks(), "first;second;");
  const StateId id = explored.findings[0].first;
  BlockStream stream = writer.stream();
  const SteadyClock clock;
  WatchJudge again(writer.image().pool()[33], 3);
  Explorer explorer(stream, writer.map(), {&again}, clock, {});
  const auto findings = explorer.judge_one(id);
  ASSERT_TRUE(findings) << error_words(findings.error());
  ASSERT_EQ(findings->size(), 1u);
  EXPECT_EQ((*findings)[0].rule, "watched");
  EXPECT_EQ(again.marks(), "first;");
  Explorer other(stream, writer.map(), {}, clock, {});
  EXPECT_EQ(other.judge_one({id.crash_point + 1, "none"}).error().code, Errc::kInvalid);
}

// Counts the blocks in which a state's recovery differs from what the explorer says of it.
class ChangesExaminer final : public StateExaminer {
 public:
  explicit ChangesExaminer(std::uint32_t block_bytes) : one_(block_bytes), other_(block_bytes) {}
  JudgeName name() const override { return JudgeName::kDifferential; }
  Result<std::vector<CheckFinding>> examine(const ExaminedState& state) override {
    if (state.recovered == nullptr) return std::vector<CheckFinding>{};
    if (!state.changed) return fail(Errc::kInvalid, "it does not say what changed");
    for (std::uint64_t at = 0; at < state.crashed.size_bytes(); at += one_.size()) {
      TRY(state.crashed.read(at, one_));
      TRY(state.recovered->read(at, other_));
      const bool is_said = std::ranges::binary_search(*state.changed, BlockNo(at / one_.size()));
      changed_ += one_ != other_ ? 1 : 0;
      wrong_ += (one_ != other_) != is_said ? 1 : 0;
    }
    return std::vector<CheckFinding>{};
  }
  int changed() const { return changed_; }
  int wrong() const { return wrong_; }

 private:
  std::vector<std::uint8_t> one_, other_;
  int changed_ = 0;
  int wrong_ = 0;
};

TEST_F(ExplorerTest, ExaminersAreToldWhatTheRecoveryChanges) {
  Writer writer;
  writer.commit(writer.image().blocks(1, 5, 2));
  writer.home(writer.image().blocks(1, 3, 2));
  writer.put(writer.image().pool()[40], patterned_block(writer.image().block_bytes(), 99));
  ChangesExaminer examiner(writer.image().block_bytes());
  const Explored explored =
      explore(writer, {}, {.examiners = {&examiner}, .examine_every = 1, .examined_max = 100});
  EXPECT_GT(explored.counts.examined, 2u);
  EXPECT_GT(examiner.changed(), 0);
  EXPECT_EQ(examiner.wrong(), 0);
}

TEST_F(ExplorerTest, MarksMakeJudgedStatesNewAgain) {
  const auto count_with = [](bool has_mark) {
    Writer writer;
    writer.commit(writer.image().blocks(1, 2, 2));
    if (has_mark) writer.mark("promise");
    writer.put(writer.image().pool()[40], patterned_block(writer.image().block_bytes(), 1));
    WatchJudge judge(writer.image().pool()[0], 0xEE);
    return explore(writer, {&judge}).counts;
  };
  EXPECT_EQ(count_with(false).recovered, count_with(true).recovered);
  EXPECT_EQ(count_with(false).judged + 1, count_with(true).judged);
}

// The judge must find each of these.
TEST_F(ExplorerTest, AFlushThatIsMissingBeforeTheCommitBlock) {
  Writer writer;
  const auto writes = writer.begin(writer.image().blocks(5, 4, 2));
  writer.put(writes.back());
  writer.flush();
  EXPECT_EQ(explore(writer).rules(), "recovery-refused");
}

TEST_F(ExplorerTest, ALogBlockThatIsOverwrittenWhileItIsNeeded) {
  Writer writer;
  const TransactionSpec spec = writer.image().blocks(5, 4, 2);
  const auto writes = writer.begin(spec);
  writer.flush();
  writer.put(writes.back());
  writer.flush();
  writer.put(writer.map().device_block(writes.front().log),
             patterned_block(writer.image().block_bytes(), 1));
  EXPECT_EQ(explore(writer).rules(), "commit-lost");
}

const powercut::testing::LoggedImageOptions kAsynchronous = {
    .mke2fs = "-b 1024 -J size=1 -O ^metadata_csum",
    .checksum = ChecksumKind::kV1,
    .is_async = true};

// The commit block is durable by another's flush, before the rest of its transaction.
TEST_F(ExplorerTest, AnAsynchronousCommitIsLostOnlyOnceTheNextBegan) {
  for (const bool is_overwritten : {false, true}) {
    Writer writer(kAsynchronous);
    const auto writes = writer.image().builder().add_transaction(writer.image().blocks(5, 4, 2));
    writer.put(writes.back());
    writer.flush();
    for (std::size_t i = 0; i + 1 < writes.size(); ++i) writer.put(writes[i]);
    writer.flush();
    for (const auto& write :
         writer.image().builder().add_transaction(writer.image().blocks(9, 3, 3))) {
      writer.put(write);
    }
    writer.flush();
    if (is_overwritten) {
      writer.put(writer.map().device_block(writes.front().log),
                 patterned_block(writer.image().block_bytes(), 1));
    }
    EXPECT_EQ(explore(writer).rules(), is_overwritten ? "commit-lost" : "");
  }
}

TEST_F(ExplorerTest, ADescriptorThatIsDamagedInTheLog) {
  Writer writer;
  auto writes = writer.begin(writer.image().blocks(5, 4, 2));
  writes[2].bytes[100] ^= 1;
  writer.put(writes[2]);
  writer.flush();
  writer.put(writes.back());
  writer.flush();
  const Explored explored = explore(writer);
  EXPECT_EQ(explored.rules(), "recovery-refused");
  EXPECT_EQ(explored.findings[0].finding.tid, writes.back().tid);
}

TEST_F(ExplorerTest, AJournalSuperblockThatIsDamaged) {
  Writer writer;
  writer.put(writer.map().device_block(LogBlock(0)),
             std::vector<std::uint8_t>(writer.image().block_bytes(), 7));
  EXPECT_EQ(explore(writer).rules(), "superblock-unreadable");
}

TEST_F(ExplorerTest, ALogThatTheSuperblockDoesNotSpeakOf) {
  Writer writer;
  writer.image().write({}, false);
  const auto clean = writer.image().image().bytes();
  const std::size_t size = writer.image().block_bytes();
  const std::size_t at = kSuperblockOffset / size * size;
  const auto first = clean.begin() + static_cast<std::ptrdiff_t>(at);
  writer.put(BlockNo(at / size), {first, first + static_cast<std::ptrdiff_t>(size)});
  EXPECT_EQ(explore(writer).rules(), "log-ignored");
}

TEST_F(ExplorerTest, ADiskThatLiesLosesCommits) {
  Writer writer;
  writer.commit(writer.image().blocks(5, 4, 2));
  writer.commit(writer.image().blocks(15, 4, 3));
  EXPECT_EQ(explore(writer).rules(), "");
  ExplorerOptions options;
  options.model.lied_flushes = 1;
  EXPECT_EQ(explore(writer, {}, options).rules(), "recovery-refused");
}

TEST_F(ExplorerTest, TornBlocksAreFoundWhereTheAtomicSizeIsSmall) {
  Writer writer;
  writer.commit(writer.image().blocks(5, 4, 2));
  ExplorerOptions options;
  options.model.atomic_bytes = 512;
  const Explored torn = explore(writer, {}, options);
  EXPECT_GT(torn.counts.distinct, explore(writer).counts.distinct);
}

class RandomStreams : public ExplorerTest, public ::testing::WithParamInterface<int> {};

// Streams in which anything may be wrong: each state must recover as the slow way says.
TEST_P(RandomStreams, RecoverAsTheSlowWaySays) {
  SKIP_WITHOUT_TOOL("mke2fs");
  Prng prng(static_cast<std::uint64_t>(GetParam()));
  constexpr std::array kKinds = {ChecksumKind::kV3, ChecksumKind::kV2, ChecksumKind::kV1,
                                 ChecksumKind::kNone};
  Writer writer({.checksum = kKinds[prng.below(kKinds.size())], .is_async = prng.chance(1, 4)});
  const auto maybe_flush = [&] {
    if (prng.chance(4, 5)) writer.flush();
  };
  for (std::uint64_t i = 0; i < 6; ++i) {
    TransactionSpec spec = writer.image().blocks(prng.below(20), 1 + prng.below(6), i + 2);
    if (prng.chance(1, 3)) spec.revokes = {writer.image().pool()[prng.below(20)]};
    if (prng.chance(1, 4)) {
      spec.blocks[0].content = magic_block(writer.image().block_bytes(), i);
    }
    auto writes = writer.begin(spec);
    if (prng.chance(1, 3)) {
      BuiltWrite& damaged = writes[prng.below(writes.size())];
      damaged.bytes[prng.below(damaged.bytes.size())] ^= 1;
      writer.put(damaged, prng.chance(3, 4));
    }
    maybe_flush();
    writer.put(writes.back(), prng.chance(5, 6));
    maybe_flush();
    if (prng.chance(1, 2)) writer.home(spec);
  }
  ExplorerOptions options;
  options.compare_every = 3;
  options.runs = {.all_max = 24, .random_max = 8};
  options.walk = {.all_max = 24, .some_max = 24};
  const Explored explored = explore(writer, {}, options);
  EXPECT_GT(explored.counts.compared, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomStreams, ::testing::Range(0, 8));

}  // namespace
}  // namespace powercut::lab
