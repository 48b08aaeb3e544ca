#include "lab/check/request_times.h"

#include <gtest/gtest.h>

#include <string>

namespace powercut::lab {
namespace {

// A stream as a line: w a write, u one with FUA, f a flush; upper case W F is its submission alone,
// and a digit completes the request of that number.  The answer has a letter for each request: d
// durable, c completed, - neither; flushes are always as they are.  Of two devices v is a write of
// the second, e and g flush the first and the second.
std::string fates(std::string_view line) {
  constexpr DeviceSplit kSplit{4096};
  const bool is_split = line.find_first_of("veg") != std::string_view::npos;
  RequestTimes times(is_split ? kSplit : DeviceSplit{});
  std::vector<Request> requests;
  const auto submit = [&](char kind) {
    Request request;
    request.sequence = requests.size() + 1;
    const bool is_flush = std::string_view("fFeg").find(kind) != std::string_view::npos;
    request.kind = is_flush ? RequestKind::kFlush : RequestKind::kWrite;
    if (kind == 'v' || kind == 'g') request.offset = kSplit.second_at;
    if (kind == 'e' || kind == 'g') request.length = 4096;
    request.durability = kind == 'u' ? Durability::kFua : Durability::kCached;
    requests.push_back(request);
    times.submitted(request);
  };
  for (const char letter : line) {
    if (letter >= '1' && letter <= '9') {
      times.completed(requests[static_cast<std::size_t>(letter - '1')]);
      continue;
    }
    submit(letter);
    if (letter != 'W' && letter != 'F') times.completed(requests.back());
  }
  std::string answer;
  for (const Request& request : requests) {
    if (request.kind == RequestKind::kFlush) {
      answer += 'f';
    } else {
      answer += times.is_durable(request.sequence)     ? 'd'
                : times.is_completed(request.sequence) ? 'c'
                                                       : '-';
    }
  }
  return answer;
}

TEST(RequestTimes, Table) {
  EXPECT_EQ(fates("w"), "c");
  EXPECT_EQ(fates("u"), "d");
  EXPECT_EQ(fates("wf"), "df");
  EXPECT_EQ(fates("wfw"), "dfc");
  EXPECT_EQ(fates("Wf"), "-f");
  EXPECT_EQ(fates("Wf1"), "cf");  // completed after the flush came: not covered
  EXPECT_EQ(fates("wF"), "cf");   // the flush has not ended
  EXPECT_EQ(fates("wF2"), "df");
  EXPECT_EQ(fates("WF12"), "cf");  // completed while the flush was under way
  EXPECT_EQ(fates("WF12f"), "dff");
  EXPECT_EQ(fates("wFwf2"), "dfdf");
  EXPECT_EQ(fates("wFwF4"), "dfdf");  // a later flush covers what an earlier one would
  EXPECT_EQ(fates("wFwF2"), "dfcf");
}

TEST(RequestTimes, AFlushIsOfItsDevice) {
  EXPECT_EQ(fates("wve"), "dcf");
  EXPECT_EQ(fates("wvg"), "cdf");
  EXPECT_EQ(fates("wvf"), "ddf");
  EXPECT_EQ(fates("wveg"), "ddff");
  EXPECT_EQ(fates("vewg"), "dfcf");
  EXPECT_EQ(fates("vgvewe"), "dfcfdf");
}

TEST(RequestTimes, SaysWhatWasSoAtAnEarlierMoment) {
  RequestTimes times;
  const auto request = [](std::uint64_t sequence, RequestKind kind = RequestKind::kWrite) {
    Request made;
    made.sequence = sequence;
    made.kind = kind;
    return made;
  };
  const auto pass = [&](const Request& each) {
    times.submitted(each);
    times.completed(each);
  };
  pass(request(1));
  pass(request(2, RequestKind::kFlush));
  pass(request(3));
  times.submitted(request(4));
  pass(request(5));  // the moment asked about
  times.completed(request(4));
  pass(request(6, RequestKind::kFlush));
  EXPECT_TRUE(times.was_durable_before(1, 5));
  EXPECT_TRUE(times.was_completed_before(3, 5));
  EXPECT_FALSE(times.was_durable_before(3, 5));
  EXPECT_FALSE(times.was_completed_before(4, 5));
  EXPECT_TRUE(times.is_durable(3));
  EXPECT_EQ(times.durable_at(1), 4u);
  EXPECT_EQ(times.durable_at(3), times.now());
}

TEST(RequestTimes, APowerCycleLeavesWhatTheDiskHas) {
  RequestTimes times;
  Request request;
  request.sequence = 7;
  times.submitted(request);
  times.completed(request);
  EXPECT_FALSE(times.is_durable(7));
  times.power_cycled();
  EXPECT_TRUE(times.is_durable(7));
}

}  // namespace
}  // namespace powercut::lab
