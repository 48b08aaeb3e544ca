// Each rule fires where it is broken, and not where a neighbour is lawful.
#include "lab/check/order_judge.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "lab/check/order_recording.h"
#include "tests/support/journaled_stream.h"

namespace powercut::lab {
namespace {

using testing::JournaledStream;
using Kind = BuiltWrite::Kind;

class OrderJudgeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::small_image().empty()) GTEST_SKIP() << "mke2fs is not here";
  }
};

// "rule@request rule@request", in the order of the requests.
std::string rules(const OrderVerification& verification) {
  std::string text = verification.trouble;
  for (const CheckFinding& finding : verification.findings) {
    if (!text.empty()) text += " ";
    text += finding.rule + "@" + std::to_string(finding.sequence.value_or(0));
  }
  return text;
}
std::string verdict(JournaledStream& stream) {
  const Recording recording = stream.take();
  return rules(verify_order(recording));
}
std::string at(std::string_view rule, std::uint64_t sequence) {
  return std::string(rule) + "@" + std::to_string(sequence);
}

TransactionSpec logs(JournaledStream& stream, std::size_t file_block, std::uint64_t seed) {
  TransactionSpec spec;
  spec.blocks.push_back({stream.file_block(file_block), stream.content(seed)});
  return spec;
}

// A transaction sent by hand: its writes, the commit block last.
std::vector<BuiltWrite> built(JournaledStream& stream, const TransactionSpec& spec) {
  return stream.builder().add_transaction(spec);
}

TEST_F(OrderJudgeTest, ALawfulLifeHasNoFinding) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  stream.commit(logs(stream, 0, 2));
  TransactionSpec other = logs(stream, 1, 3);
  other.blocks.push_back({stream.file_block(2), magic_block(4096, 4)});  // is escaped in the log
  stream.commit(other);
  stream.write_home(stream.file_block(0), stream.content(2));
  stream.write_home(stream.file_block(1), stream.content(3));
  stream.write_home(stream.file_block(2), magic_block(4096, 4));
  stream.stream().flush();
  stream.write_tail(LogBlock(0), Tid(4));
  stream.stream().flush();
  stream.announce_file_system(false);
  const Recording recording = stream.take();
  const OrderVerification verification = verify_order(recording);
  EXPECT_EQ(rules(verification), "");
  EXPECT_EQ(verification.counters.transaction_count, 3u);
  EXPECT_EQ(verification.counters.version_count, 4u);
  EXPECT_EQ(verification.counters.home_write_count, 3u);
}

TEST_F(OrderJudgeTest, HomeBeforeCommit) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  const auto early = stream.write_home(stream.file_block(0), stream.content(2));
  const auto new_block = stream.write_home(stream.file_block(1), stream.content(3));
  TransactionSpec spec = logs(stream, 0, 2);
  spec.blocks.push_back({stream.file_block(1), stream.content(3)});
  stream.commit(spec);
  // Of block 0 the log holds an older version, which a recovery would write over it.
  EXPECT_EQ(verdict(stream), at("home-ahead", early) + " " + at("home-before-commit", new_block));
}

// The stream from behind that request on.
Recording rest_of(const Recording& whole, std::uint64_t sequence) {
  RecordedView view(whole);
  Recording rest;
  rest.disk_bytes = whole.disk_bytes;
  std::vector<std::uint8_t> image(whole.disk_bytes);
  for (RecordedEvent event : whole.events) {
    const bool is_before = event.kind == EventKind::kBase || event.sequence <= sequence;
    if (is_before && event.kind != EventKind::kCompleted) view.apply(event);
    event.sequence -= std::min(event.sequence, sequence);
    if (!is_before) rest.events.push_back(event);
  }
  CHECK(view.read(0, image), "the disk can be read");
  rest.frames.push_back(std::move(image));
  RecordedEvent base;
  base.length = whole.disk_bytes;
  base.data = rest.frames.back();
  rest.events.insert(rest.events.begin(), base);
  return rest;
}

TEST_F(OrderJudgeTest, ARecoveryMayWriteWhatIsLoggedAgainLater) {
  JournaledStream stream;
  stream.announce();
  const auto cut = stream.commit(logs(stream, 0, 1)) + 1;
  const auto home = stream.write_home(stream.file_block(0), stream.content(1));
  stream.stream().flush();
  stream.write_tail(LogBlock(0), Tid(2));
  stream.stream().flush();
  const auto late = stream.write_home(stream.file_block(1), stream.content(2));
  stream.write_tail(stream.builder().head(), Tid(2));
  stream.stream().flush();
  TransactionSpec spec = logs(stream, 0, 1);
  spec.blocks.push_back({stream.file_block(1), stream.content(2)});
  stream.commit(spec);
  const Recording whole = stream.take();
  EXPECT_EQ(home, cut + 1);
  EXPECT_EQ(rules(verify_order(rest_of(whole, cut))), at("home-before-commit", late - cut));
}

TEST_F(OrderJudgeTest, TheTailMustNotPassABlockThatIsAheadOfItsCommit) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  const LogBlock head = stream.builder().head();
  stream.commit(logs(stream, 1, 2));
  const auto ahead = stream.write_home(stream.file_block(0), stream.content(3));
  stream.stream().flush();
  const auto tail = stream.write_tail(head, Tid(2));
  stream.commit(logs(stream, 0, 3));
  EXPECT_EQ(verdict(stream), at("home-ahead", ahead) + " " + at("tail-before-home", tail));
}

TEST_F(OrderJudgeTest, HomeBetweenTheCommitBlockAndItsFlush) {
  JournaledStream stream;
  stream.announce();
  std::uint64_t early = 0;
  for (const BuiltWrite& write : built(stream, logs(stream, 0, 1))) {
    if (write.kind == Kind::kCommit) stream.stream().flush();
    stream.write_log(write);
    if (write.kind != Kind::kCommit) continue;
    early = stream.write_home(stream.file_block(0), stream.content(1));
    stream.stream().flush();
    stream.write_home(stream.file_block(0), stream.content(1));
  }
  EXPECT_EQ(verdict(stream), at("home-before-commit", early));
}

TEST_F(OrderJudgeTest, AFuaCommitBlockIsDurableAtOnce) {
  JournaledStream stream;
  stream.announce();
  for (const BuiltWrite& write : built(stream, logs(stream, 0, 1))) {
    if (write.kind != Kind::kCommit) {
      stream.write_log(write);
      continue;
    }
    stream.stream().flush();
    stream.stream().write(stream.map().device_block(write.log).value() * 4096, write.bytes,
                          Durability::kFua);
  }
  stream.write_home(stream.file_block(0), stream.content(1));
  EXPECT_EQ(verdict(stream), "");
}

TEST_F(OrderJudgeTest, HomeThatIsNoVersion) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  const auto foreign = stream.write_home(stream.file_block(0), stream.content(99));
  stream.write_home(stream.file_block(5), stream.content(98));  // was never logged: direct
  stream.commit(logs(stream, 1, 2));
  stream.commit(logs(stream, 1, 3));
  EXPECT_EQ(verdict(stream), at("home-not-a-version", foreign));
}

TEST_F(OrderJudgeTest, AnOlderVersionMayComeHomeWhileTheLogHasTheNewOne) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  stream.commit(logs(stream, 0, 2));
  stream.write_home(stream.file_block(0), stream.content(1));
  EXPECT_EQ(verdict(stream), "");
}

TEST_F(OrderJudgeTest, ButTheTailMustNotPassTheNewOneThen) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  stream.commit(logs(stream, 0, 2));
  stream.write_home(stream.file_block(0), stream.content(2));
  stream.write_home(stream.file_block(0), stream.content(1));
  stream.stream().flush();
  const LogBlock head = stream.builder().head();
  stream.commit(logs(stream, 1, 3));
  const auto tail = stream.write_tail(head, Tid(3));
  EXPECT_EQ(verdict(stream), at("tail-before-home", tail));
}

TEST_F(OrderJudgeTest, TailBeforeHome) {
  for (const bool is_flushed : {false, true}) {
    JournaledStream stream;
    stream.announce();
    stream.commit(logs(stream, 0, 1));
    const LogBlock head = stream.builder().head();
    stream.commit(logs(stream, 1, 2));
    stream.write_home(stream.file_block(0), stream.content(1));
    if (is_flushed) stream.stream().flush();
    const auto tail = stream.write_tail(head, Tid(2));
    EXPECT_EQ(verdict(stream), is_flushed ? "" : at("tail-before-home", tail));
  }
}

TEST_F(OrderJudgeTest, TheTailMayPassWhatIsSupersededInTheLog) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  const LogBlock head = stream.builder().head();
  stream.commit(logs(stream, 0, 2));
  stream.write_tail(head, Tid(2));
  stream.stream().flush();
  // And not when the superseding one goes, too.
  const auto tail = stream.write_tail(LogBlock(0), Tid(3));
  EXPECT_EQ(verdict(stream), at("tail-before-home", tail));
}

TEST_F(OrderJudgeTest, TheTailMayPassWhatIsRevokedOrFreed) {
  JournaledStream stream;
  stream.announce();
  TransactionSpec both = logs(stream, 0, 1);
  both.blocks.push_back({stream.file_block(1), stream.content(2)});
  stream.commit(both);
  TransactionSpec gone;
  gone.revokes = {stream.file_block(0)};
  gone.blocks.push_back({stream.bitmap(), stream.bitmap_without({stream.file_block(1)})});
  stream.commit(gone);
  stream.write_home(stream.bitmap(), stream.bitmap_without({stream.file_block(1)}));
  stream.stream().flush();
  stream.write_tail(LogBlock(0), Tid(3));
  EXPECT_EQ(verdict(stream), "");
}

TEST_F(OrderJudgeTest, TailBeforeTheCommitIsDurable) {
  JournaledStream stream;
  stream.announce();
  const auto writes = built(stream, logs(stream, 0, 1));
  for (const BuiltWrite& write : writes) {
    if (write.kind == Kind::kCommit) stream.stream().flush();
    stream.write_log(write);
  }
  const auto tail = stream.write_tail(LogBlock(0), Tid(2));
  EXPECT_EQ(verdict(stream), at("tail-before-commit", tail));
}

TEST_F(OrderJudgeTest, LogOverwritten) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  const BuiltWrite hit = stream.builder().write_of(Tid(1), Kind::kData);
  BuiltWrite other = hit;
  other.bytes = stream.content(77);
  const auto over = stream.write_log(other);
  EXPECT_EQ(verdict(stream), at("log-overwritten", over));
}

TEST_F(OrderJudgeTest, TheLogMayBeOverwrittenBehindADurableTailOnly) {
  for (const bool is_flushed : {false, true}) {
    JournaledStream stream;
    stream.announce();
    stream.commit(logs(stream, 0, 1));
    stream.write_home(stream.file_block(0), stream.content(1));
    const LogBlock head = stream.builder().head();
    stream.commit(logs(stream, 1, 2));
    stream.write_tail(head, Tid(2));
    if (is_flushed) stream.stream().flush();
    BuiltWrite other = stream.builder().write_of(Tid(1), Kind::kData);
    other.bytes = stream.content(77);
    const auto over = stream.write_log(other);
    EXPECT_EQ(verdict(stream), is_flushed ? "" : at("log-overwritten", over));
  }
}

TEST_F(OrderJudgeTest, LogNotAnnounced) {
  JournaledStream stream;
  stream.announce_file_system(true);
  stream.stream().flush();
  const auto commit = stream.commit(logs(stream, 0, 1));
  EXPECT_EQ(verdict(stream), at("log-not-announced", commit));
}

TEST_F(OrderJudgeTest, RecoveryNotAnnounced) {
  JournaledStream stream;
  stream.write_tail(LogBlock(1), Tid(1));
  const auto commit = stream.commit(logs(stream, 0, 1));
  EXPECT_EQ(verdict(stream), at("recovery-not-announced", commit));
}

TEST_F(OrderJudgeTest, ReuseBeforeTheRevokeIsDurable) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  const auto early = stream.write_home(stream.file_block(0), stream.content(50));
  TransactionSpec revoke = logs(stream, 1, 2);
  revoke.revokes = {stream.file_block(0)};
  stream.commit(revoke);
  stream.write_home(stream.file_block(0), stream.content(51));  // lawful
  stream.commit(logs(stream, 2, 3));
  stream.commit(logs(stream, 2, 4));
  EXPECT_EQ(verdict(stream), at("reuse-before-revoke", early));
}

TEST_F(OrderJudgeTest, ReuseWithoutRevoke) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  TransactionSpec frees;
  frees.blocks.push_back({stream.bitmap(), stream.bitmap_without({stream.file_block(0)})});
  stream.commit(frees);
  const auto reuse = stream.write_home(stream.file_block(0), stream.content(50));
  EXPECT_EQ(verdict(stream), at("reuse-without-revoke", reuse));
}

// What is written is what lies there: a recovery would put the old version over it all the same.
TEST_F(OrderJudgeTest, ReuseWithoutRevokeOfWhatTheDiskHoldsAlready) {
  for (const bool is_freed : {false, true}) {
    JournaledStream stream;
    stream.announce();
    stream.write_home(stream.file_block(0), stream.content(50));
    stream.commit(logs(stream, 0, 1));
    TransactionSpec frees;
    frees.blocks.push_back({stream.bitmap(), stream.bitmap_without({stream.file_block(0)})});
    if (is_freed) stream.commit(frees);
    const auto reuse = stream.write_home(stream.file_block(0), stream.content(50));
    stream.commit(logs(stream, 1, 2));
    stream.commit(logs(stream, 1, 3));
    EXPECT_EQ(verdict(stream), is_freed ? at("reuse-without-revoke", reuse) : "");
  }
}

TEST_F(OrderJudgeTest, DiscardBeforeFree) {
  for (const bool is_freed : {false, true}) {
    JournaledStream stream;
    stream.announce();
    stream.commit(logs(stream, 0, 1));
    TransactionSpec frees;
    frees.blocks.push_back({stream.bitmap(), stream.bitmap_without({stream.file_block(0)})});
    if (is_freed) stream.commit(frees);
    const auto discard =
        stream.stream().submit(RequestKind::kDiscard, stream.file_block(0).value() * 4096, 4096);
    stream.stream().complete(discard);
    EXPECT_EQ(verdict(stream), is_freed ? "" : at("discard-before-free", discard));
  }
}

TEST_F(OrderJudgeTest, CommitBeforeFlush) {
  JournaledStream stream;
  stream.announce();
  std::uint64_t commit = 0;
  for (const BuiltWrite& write : built(stream, logs(stream, 0, 1))) {
    commit = stream.write_log(write);
  }
  stream.stream().flush();
  EXPECT_EQ(verdict(stream), at("commit-before-flush", commit));
}

TEST_F(OrderJudgeTest, AnAsyncCommitNeedsNoFlushBefore) {
  JournalSpec spec;
  spec.is_async = true;
  JournaledStream stream(spec);
  stream.announce();
  for (int i = 0; i < 3; ++i) {
    const auto writes = built(stream, logs(stream, 0, static_cast<std::uint64_t>(i)));
    for (auto write = writes.rbegin(); write != writes.rend(); ++write) stream.write_log(*write);
    stream.stream().flush();
  }
  EXPECT_EQ(verdict(stream), "");
}

TEST_F(OrderJudgeTest, CommitOvertakes) {
  JournaledStream stream;
  stream.announce();
  const auto writes = built(stream, logs(stream, 0, 1));
  stream.write_log(writes[0]);
  const auto commit = stream.write_log(writes[2]);
  stream.write_log(writes[1]);
  stream.stream().flush();
  EXPECT_EQ(verdict(stream), at("commit-overtakes", commit));
}

TEST_F(OrderJudgeTest, ACommitBlockThatIsSentWhileABlockIsUnderWay) {
  JournaledStream stream;
  stream.announce();
  const auto writes = built(stream, logs(stream, 0, 1));
  stream.write_log(writes[0]);
  const auto data = stream.stream().submit(RequestKind::kWrite,
                                           stream.map().device_block(writes[1].log).value() * 4096,
                                           4096, writes[1].bytes);
  stream.stream().flush();
  const auto commit = stream.write_log(writes[2]);
  stream.stream().complete(data);
  stream.stream().flush();
  EXPECT_EQ(verdict(stream), at("commit-overtakes", commit));
}

TEST_F(OrderJudgeTest, CommitNotFlushed) {
  JournaledStream stream;
  stream.announce();
  for (const BuiltWrite& write : built(stream, logs(stream, 0, 1))) {
    if (write.kind == Kind::kCommit) stream.stream().flush();
    stream.write_log(write);
  }
  const auto next = stream.stream().sequence() + 1;
  stream.commit(logs(stream, 0, 2));
  EXPECT_EQ(verdict(stream), at("commit-not-flushed", next));
}

TEST_F(OrderJudgeTest, StaleLog) {
  JournaledStream stream;
  stream.announce();
  stream.commit(logs(stream, 0, 1));
  // What an earlier life of the journal left, two transactions on.
  JournalSpec old = stream.builder().spec();
  old.start = stream.builder().head() + 3;
  old.sequence = Tid(3);
  JournalBuilder earlier(old);
  stream.write_log(earlier.add_transaction(logs(stream, 3, 9)).front());
  const auto commit = stream.commit(logs(stream, 0, 2));
  EXPECT_EQ(verdict(stream), at("stale-log", commit));
}

TEST_F(OrderJudgeTest, MisdirectedWrite) {
  JournaledStream stream;
  stream.announce();
  TransactionSpec both = logs(stream, 0, 1);
  both.blocks.push_back({stream.file_block(1), stream.content(2)});
  stream.commit(both);
  const LogBlock head = stream.builder().head();
  stream.commit(logs(stream, 2, 3));
  stream.write_home(stream.file_block(1), stream.content(2));
  const auto astray = stream.write_home(stream.file_block(9), stream.content(1));
  stream.stream().flush();
  stream.write_tail(head, Tid(2));
  EXPECT_EQ(verdict(stream), at("misdirected-write", astray));
}

// ---- ordered mode

std::string verdict_ordered(JournaledStream& stream) {
  const Recording recording = stream.take();
  return rules(verify_order(recording, {.data = DataMode::kOrdered}));
}

TransactionSpec lengthens(JournaledStream& stream) {
  TransactionSpec spec;
  spec.blocks.push_back({stream.inode_block(), stream.longer_file(1)});
  return spec;
}

TEST_F(OrderJudgeTest, CommitWithoutData) {
  for (const bool is_written : {false, true}) {
    JournaledStream stream;
    stream.announce();
    if (is_written) stream.write_home(stream.file_block(31) + 1, stream.content(7));
    const auto commit = stream.commit(lengthens(stream));
    EXPECT_EQ(verdict_ordered(stream), is_written ? "" : at("commit-without-data", commit));
  }
}

TEST_F(OrderJudgeTest, CommitBeforeData) {
  JournaledStream stream;
  stream.announce();
  std::uint64_t commit = 0;
  for (const BuiltWrite& write : built(stream, lengthens(stream))) {
    if (write.is_preflush) {
      stream.stream().flush();
      stream.write_home(stream.file_block(31) + 1, stream.content(7));  // too late for the flush
    }
    commit = stream.write_log(write);
    if (write.is_fua) stream.stream().flush();
  }
  EXPECT_EQ(verdict_ordered(stream), at("commit-before-data", commit));
}

TEST_F(OrderJudgeTest, OtherModesPromiseNothingOfData) {
  JournaledStream stream;
  stream.announce();
  stream.commit(lengthens(stream));
  EXPECT_EQ(verdict(stream), "");
}

TEST_F(OrderJudgeTest, ReuseBeforeFree) {
  JournaledStream stream;
  stream.announce();
  stream.write_home(stream.file_block(3), stream.content(1));  // the old owner's
  TransactionSpec frees;
  frees.blocks.push_back({stream.bitmap(), stream.bitmap_without({stream.file_block(3)})});
  std::string expected;
  for (const BuiltWrite& write : built(stream, frees)) {
    if (write.is_preflush) stream.stream().flush();
    stream.write_log(write);
    const auto early =
        stream.write_home(stream.file_block(3), stream.content(50 + write.log.value()));
    expected += (expected.empty() ? "" : " ") + at("reuse-before-free", early);
    if (write.is_fua) stream.stream().flush();
  }
  stream.write_home(stream.file_block(3), stream.content(99));  // lawful
  EXPECT_EQ(verdict_ordered(stream), expected);
}

// What the tag judge reports is not reported again in other words.
TEST_F(OrderJudgeTest, DamageInTheLogIsTheTagJudges) {
  for (const Kind kind : {Kind::kData, Kind::kDescriptor, Kind::kRevoke, Kind::kCommit}) {
    JournaledStream stream;
    stream.announce();
    stream.commit(logs(stream, 0, 1));
    TransactionSpec spec = logs(stream, 0, 2);
    spec.blocks.push_back({stream.file_block(1), stream.content(3)});
    spec.revokes = {stream.file_block(4)};
    for (BuiltWrite write : built(stream, spec)) {
      if (write.kind == kind) write.bytes[20] ^= 4;
      if (write.is_preflush) stream.stream().flush();
      stream.write_log(write);
      if (write.is_fua) stream.stream().flush();
    }
    const LogBlock head = stream.builder().head();
    stream.commit(logs(stream, 2, 4));
    stream.write_home(stream.file_block(0), stream.content(2));
    stream.write_home(stream.file_block(1), stream.content(3));
    stream.stream().flush();
    stream.write_tail(head, Tid(3));
    EXPECT_EQ(verdict(stream), "") << static_cast<int>(kind);
  }
}

// Requests in no order at all: whatever comes, the judge ends, and says something of each finding.
TEST_F(OrderJudgeTest, TakesStreamsWithoutAnyOrder) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    Prng prng(seed);
    JournaledStream stream;
    stream.announce();
    std::vector<BuiltWrite> writes;
    for (std::uint64_t i = 0; i < 60; ++i) {
      TransactionSpec spec = logs(stream, i % 30, i);
      if (i % 3 == 0) spec.revokes = {stream.file_block(prng.below(30))};
      if (i % 4 == 0) spec.blocks.push_back({stream.bitmap(), stream.bitmap_without({})});
      if (i % 5 == 0) spec.blocks.push_back({stream.inode_block(), stream.longer_file(1)});
      for (BuiltWrite& write : built(stream, spec)) writes.push_back(std::move(write));
    }
    std::uint64_t open = 0;
    for (int turn = 0; turn < 600; ++turn) {
      BuiltWrite write = writes[prng.below(writes.size())];
      if (prng.below(8) == 0) write.bytes[prng.below(write.bytes.size())] ^= 1;
      const std::uint64_t place = stream.map().device_block(write.log).value() * 4096;
      switch (prng.below(8)) {
        case 0: stream.stream().flush(); break;
        case 1: stream.write_home(stream.file_block(prng.below(32)), write.bytes); break;
        case 2:
          stream.write_tail(LogBlock(static_cast<std::uint32_t>(prng.below(200))),
                            Tid(static_cast<std::uint32_t>(prng.below(70))));
          break;
        case 3:
          if (open != 0) stream.stream().complete(open);
          open = stream.stream().submit(RequestKind::kWrite, place, 4096, write.bytes);
          break;
        case 4: stream.stream().write(place + 512, Bytes(write.bytes).first(1000)); break;
        case 5: stream.stream().write(place, write.bytes, Durability::kFua); break;
        default: stream.write_log(write);
      }
    }
    const Recording recording = stream.take();
    const OrderVerification verification = verify_order(recording, {.data = DataMode::kOrdered});
    for (const CheckFinding& finding : verification.findings) {
      EXPECT_TRUE(finding.sequence && !finding.words.empty() && !finding.rule.empty());
    }
  }
}

TEST_F(OrderJudgeTest, TheRingWrapsAndSoDoTheTids) {
  JournalSpec spec;
  spec.sequence = Tid(0xFFFFFFF0);
  spec.start = LogBlock(1000);
  JournaledStream stream(spec);
  stream.announce();
  Tid tid = spec.sequence;
  for (std::uint64_t i = 0; i < 40; ++i, tid = tid.next()) {
    const LogBlock at_tail = stream.builder().head();
    stream.commit(logs(stream, i % 8, 100 + i));
    if (i % 5 != 4) continue;
    for (std::uint64_t k = i - 4; k <= i; ++k) {
      stream.write_home(stream.file_block(k % 8), stream.content(100 + k));
    }
    stream.stream().flush();
    stream.write_tail(at_tail, tid);
    stream.stream().flush();
  }
  EXPECT_EQ(verdict(stream), "");
}

}  // namespace
}  // namespace powercut::lab
