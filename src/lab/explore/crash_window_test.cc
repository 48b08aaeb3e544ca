#include "lab/explore/crash_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lab/explore/test_stream.h"

namespace powercut::lab {
namespace {

using testing::TestStream;

char letter_of(const BlockStream& stream, ContentId content) {
  const std::uint8_t byte = stream.pool().bytes(content)[0];
  return byte == 0 ? '.' : static_cast<char>(byte);
}

// The candidates of every block that was written, the durable one first: "0=.a 1=b".
std::string words_of(const CrashWindow& window, const BlockStream& stream) {
  std::map<std::uint64_t, std::string> blocks;
  for (std::uint64_t block = 0; block < stream.block_count(); ++block) {
    const char durable = letter_of(stream, window.durable(BlockNo(block)));
    if (durable != '.') blocks[block] = durable;
  }
  for (const PendingBlock& pending : window.pending()) {
    std::string& word = blocks[pending.block.value()] = "";
    for (const Candidate& each : window.candidates(pending)) {
      word += letter_of(stream, each.content);
    }
  }
  std::string words;
  for (const auto& [block, word] : blocks) {
    words += (words.empty() ? "" : " ") + std::to_string(block) + '=' + word;
  }
  return words;
}

// Of the last crash point: the end of the stream.
std::string left_by(std::string_view text, const CrashModel& model = {}) {
  BlockStream stream = TestStream(text).make();
  CrashWindow window(stream, model);
  while (window.advance().value()) {
  }
  return words_of(window, stream);
}

// All crash points: "N: words; N: words".
std::string crash_points(std::string_view text, const CrashModel& model = {}) {
  BlockStream stream = TestStream(text).make();
  CrashWindow window(stream, model);
  std::string all;
  while (window.advance().value()) {
    all += (all.empty() ? "" : "; ") + std::to_string(window.crash_point()) + ": " +
           words_of(window, stream);
  }
  return all;
}

// One letter a request: w write, u write with FUA, i write in flight, d discard, p flush and write,
// F flush; each write goes to a block of its own.  M: surely there, o: perhaps, -: a flush.
std::string verdict(std::string_view requests) {
  std::string text, blocks;
  char block = '0';
  for (const char request : requests) {
    blocks += request == 'F' ? '-' : block;
    if (request == 'F' || request == 'p') text += "F ";
    if (request == 'F') continue;
    if (request == 'd') text += std::string{block, 'z'} + "^ ";  // or there would be no difference
    text += block;
    text += request == 'd' ? "-" : "a";
    text += request == 'u' ? "^ " : request == 'i' ? "+ " : " ";
    ++block;
  }
  BlockStream stream = TestStream(text).make();
  CrashWindow window(stream, {});
  while (window.advance().value()) {
  }
  std::string letters;
  for (const char each : blocks) {
    const auto of_block = [&](const PendingBlock& pending) {
      return pending.block.value() == static_cast<std::uint64_t>(each - '0');
    };
    letters += each == '-' ? '-' : std::ranges::any_of(window.pending(), of_block) ? 'o' : 'M';
  }
  return letters;
}

TEST(CrashWindow, FlushesAndFuaPromiseEarlierWrites) {
  EXPECT_EQ(verdict("ww"), "oo");
  EXPECT_EQ(verdict("wwF"), "MM-");
  EXPECT_EQ(verdict("wwFwuw"), "MM-oMo");
  EXPECT_EQ(verdict("wwpw"), "MMoo");
  EXPECT_EQ(verdict("wiF"), "Mo-");
  EXPECT_EQ(verdict("wuw"), "oMo");
  EXPECT_EQ(verdict("wdFd"), "MM-o");
  EXPECT_EQ(verdict("FFw"), "--o");
}

TEST(CrashWindow, SeveralWritesOfABlock) {
  EXPECT_EQ(left_by("0a"), "0=.a");
  EXPECT_EQ(left_by("0a 0b"), "0=.ab");
  EXPECT_EQ(left_by("0a F 0b"), "0=ab");
  EXPECT_EQ(left_by("0a 0b F"), "0=b");
  EXPECT_EQ(left_by("0a 0b^"), "0=b");
  EXPECT_EQ(left_by("0a^ 0b"), "0=ab");
  EXPECT_EQ(left_by("0a F 0b 0a"), "0=ab");
  EXPECT_EQ(left_by("0a F 0a"), "0=a");
  EXPECT_EQ(left_by("0a F 0-"), "0=a.");
  EXPECT_EQ(left_by("0a F 0- F"), "");
}

TEST(CrashWindow, RequestsThatOverlapInTime) {
  // The flush was submitted before the write was completed.
  EXPECT_EQ(left_by("0a+ F+ 0a! F!"), "0=.a");
  EXPECT_EQ(left_by("0a+ 0a! F+ F!"), "0=a");
  EXPECT_EQ(left_by("0a F+ 0b F!"), "0=ab");
  // Two writes at once, both covered: either may have come last.
  EXPECT_EQ(left_by("0a+ 0b+ 0a! 0b! F"), "0=ba");
  EXPECT_EQ(left_by("0a+ 0b+ 0a! 0b! F 0c F"), "0=c");
  // One of two is still in flight: it may come last.
  EXPECT_EQ(left_by("0a+ 0b F"), "0=ba");
  EXPECT_EQ(left_by("0a+ 0b F 0a! F"), "0=ba");
  // A flush that has not come back promises nothing.
  EXPECT_EQ(left_by("0a F+"), "0=.a");
}

TEST(CrashWindow, PowerCycle) {
  // What was in flight may have come or not, and stays so.
  EXPECT_EQ(left_by("0a+ P F"), "0=a.");
  EXPECT_EQ(left_by("0a^ 0b+ P F"), "0=ba");
  EXPECT_EQ(left_by("0a+ P 0b F"), "0=b");
  EXPECT_EQ(left_by("0a P F"), "0=a");
}

TEST(CrashWindow, CrashPointsAreBeforeEachCover) {
  EXPECT_EQ(crash_points(""), "0: ");
  EXPECT_EQ(crash_points("0a F"), "3: 0=.a; 4: 0=a");
  EXPECT_EQ(crash_points("F 0a 1b F F =mark 0c"), "7: 0=.a 1=.b; 13: 0=ac 1=b");
  EXPECT_EQ(crash_points("1a 0a^ F"), "3: 0=.a 1=.a; 5: 0=a 1=.a; 6: 0=a 1=a");
  // A write of what is there already is no reason to look.
  EXPECT_EQ(crash_points("0a F 0a F"), "3: 0=.a; 8: 0=a");
}

TEST(CrashWindow, ADiskThatLiesAboutFlushes) {
  EXPECT_EQ(left_by("0a F 1b F 2c", {.lied_flushes = 1}), "0=a 1=.b 2=.c");
  EXPECT_EQ(left_by("0a F 1b F 2c", {.lied_flushes = 2}), "0=.a 1=.b 2=.c");
  EXPECT_EQ(left_by("0a^", {.lied_flushes = 1}), "0=.a");
}

TEST(CrashWindow, TornBlocks) {
  BlockStream stream = TestStream("0a F 0b").make();
  CrashWindow window(stream, {.atomic_bytes = 1024});
  while (window.advance().value()) {
  }
  ASSERT_EQ(window.pending().size(), 1u);
  const auto candidates = window.candidates(window.pending()[0]);
  ASSERT_EQ(candidates.size(), 5u);
  for (std::uint32_t pieces = 1; pieces < 4; ++pieces) {
    const Candidate& torn = candidates[1 + pieces];
    EXPECT_EQ(torn.pieces, pieces);
    EXPECT_EQ(torn.number, 1u);
    EXPECT_EQ(stream.pool().bytes(torn.content)[pieces * 1024 - 1], 'b');
    EXPECT_EQ(stream.pool().bytes(torn.content)[pieces * 1024], 'a');
  }
}

TEST(CrashWindow, NumbersAreInOrderOfSubmission) {
  BlockStream stream = TestStream("3a 1b 3c 1b 2d").make();
  CrashWindow window(stream, {});
  ASSERT_TRUE(window.advance().value());
  std::string order;
  for (const Choice& step : window.steps()) {
    const PendingBlock& pending = window.pending()[step.slot];
    order += std::to_string(pending.block.value());
    order += letter_of(stream, window.candidates(pending)[step.digit].content);
  }
  EXPECT_EQ(order, "3a1b3c1b2d");
  EXPECT_DOUBLE_EQ(window.log2_states(), std::log2(3 * 2 * 2));
}

TEST(CrashWindow, AFlushIsOfItsDevice) {
  EXPECT_EQ(left_by("0a 5b F1"), "0=a 5=.b");
  EXPECT_EQ(left_by("0a 5b F2"), "0=.a 5=b");
  EXPECT_EQ(left_by("0a 5b F1 F2"), "0=a 5=b");
  EXPECT_EQ(left_by("0a 5b F1 F"), "0=a 5=b");
  EXPECT_EQ(left_by("0a 5b^ F1+"), "0=.a 5=b");
  EXPECT_EQ(left_by("0a F1+ 0b F1!"), "0=ab");
  EXPECT_EQ(left_by("5a F2+ F1 F2!"), "5=a");
  // A flush of one is no crash point of what lies on the other.
  EXPECT_EQ(crash_points("5b F1 F2"), "5: 5=.b; 6: 5=b");
  EXPECT_EQ(crash_points("0a 5b F2 F1"), "5: 0=.a 5=.b; 7: 0=.a 5=b; 8: 0=a 5=b");
  // Each lies about its own.
  EXPECT_EQ(left_by("0a 5b F1 F2", {.lied_flushes = 1}), "0=.a 5=.b");
  EXPECT_EQ(left_by("0a 5b F1 F2 F1", {.lied_flushes = 1}), "0=a 5=.b");
}

TEST(CrashWindow, SaysWhatBecameDurable) {
  BlockStream stream = TestStream("0a 1b F 0c").make();
  CrashWindow window(stream, {});
  ASSERT_TRUE(window.advance().value());
  EXPECT_TRUE(window.changed().empty());
  ASSERT_TRUE(window.advance().value());
  EXPECT_EQ(window.changed().size(), 2u);
  EXPECT_FALSE(window.advance().value());
}

}  // namespace
}  // namespace powercut::lab
