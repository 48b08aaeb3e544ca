#include "host/pipe.h"

#include <gtest/gtest.h>

#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "host/test_support.h"

namespace powercut {
namespace {

using Lines = std::vector<std::string>;

using host_testing::kLong;

constexpr std::size_t kLineMax = LineReader::kLineMax;

// All lines until the writer's end.
Lines lines_until_end(LineReader& reader) {
  Lines lines;
  while (!reader.is_at_end()) {
    const auto line = reader.next(kLong);
    EXPECT_TRUE(line);
    if (!line) break;
    if (*line) lines.push_back(**line);
  }
  return lines;
}

// What a reader makes of pieces that are written one after another.
Lines lines_of(const std::vector<std::string>& pieces) {
  auto pipe = make_pipe();
  EXPECT_TRUE(pipe);
  LineReader reader(std::move(pipe->read));
  std::jthread writer([&pieces, end = std::move(pipe->write)]() mutable {
    for (const std::string& piece : pieces) EXPECT_TRUE(write_pipe(end, piece));
    end.reset();
  });
  return lines_until_end(reader);
}

TEST(LineReader, CutsLines) {
  const struct {
    std::vector<std::string> pieces;
    Lines lines;
  } kCases[] = {{{}, {}},
                {{"\n"}, {""}},
                {{"a\n"}, {"a"}},
                {{"a\nb\n\nc\n"}, {"a", "b", "", "c"}},
                {{"a", "b", "\n", "c\nd", "\n"}, {"ab", "c", "d"}},
                {{"a\nno newline"}, {"a", "no newline"}},
                {{std::string("\0x\n", 3)}, {std::string("\0x", 2)}}};
  for (const auto& one : kCases) {
    EXPECT_EQ(lines_of(one.pieces), one.lines) << ::testing::PrintToString(one.pieces);
  }
}

TEST(LineReader, CutsALongLineAndSkipsItsRest) {
  const std::string longest(kLineMax, 'x');
  for (const std::size_t more : {std::size_t{0}, std::size_t{1}, kLineMax, 3 * kLineMax}) {
    SCOPED_TRACE(more);
    const std::string line = longest + std::string(more, 'y');
    EXPECT_EQ(lines_of({"a\n", line + "\nb\n"}), (Lines{"a", longest, "b"}));
    EXPECT_EQ(lines_of({line, "z\nb"}), (Lines{longest, "b"}));
    EXPECT_EQ(lines_of({line}), (Lines{longest}));
  }
}

TEST(LineReader, WaitsNoLongerThanItsLimit) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  LineReader reader(std::move(pipe->read));
  const auto nothing = reader.next(Nanoseconds{0});
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
  EXPECT_FALSE(reader.is_at_end());
  ASSERT_TRUE(write_pipe(pipe->write, "part"));
  const auto still_nothing = reader.next(std::chrono::milliseconds(1));
  ASSERT_TRUE(still_nothing);
  EXPECT_FALSE(*still_nothing);
  ASSERT_TRUE(write_pipe(pipe->write, " of a line\nnext"));
  EXPECT_EQ(reader.next(kLong).value(), "part of a line");
  pipe->write.reset();
  EXPECT_FALSE(reader.is_at_end());
  EXPECT_EQ(reader.next(kLong).value(), "next");
  EXPECT_TRUE(reader.is_at_end());
  EXPECT_EQ(reader.next(kLong).value(), std::nullopt);
}

TEST(WritePipe, WritesMoreThanAPipeHolds) {
  const std::string text(kLineMax / 2, 'x');
  EXPECT_EQ(lines_of({text + "\n", text + "\n"}), (Lines{text, text}));
}

TEST(WritePipe, SaysThatNobodyReads) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  pipe->read.reset();
  for (int i = 0; i < 2; ++i) {
    const auto written = write_pipe(pipe->write, "x");
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Errc::kAborted);
  }
}

TEST(WritePipe, SaysSoAlsoInTheMiddle) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  std::jthread reader([end = std::move(pipe->read)]() mutable {
    char first = 0;
    EXPECT_EQ(::read(end.get(), &first, 1), 1);
    end.reset();
  });
  const auto written = write_pipe(pipe->write, std::string(kLineMax, 'x'));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::kAborted);
}

TEST(Pipe, EndsAtExec) {
  auto pipe = make_pipe();
  ASSERT_TRUE(pipe);
  EXPECT_NE(::fcntl(pipe->read.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(::fcntl(pipe->write.get(), F_GETFD) & FD_CLOEXEC, 0);
}

}  // namespace
}  // namespace powercut
