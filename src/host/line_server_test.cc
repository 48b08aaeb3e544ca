#include "host/line_server.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "host/test_support.h"

namespace powercut {
namespace {

using host_testing::Folder;

// A client that waits; its waits are bounded by what the server does for it.
class Caller {
 public:
  explicit Caller(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    socket_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    is_connected_ =
        ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool is_connected() const { return is_connected_; }
  void say(std::string_view text) const {
    EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // The next line; empty at the end.
  std::string hear() const {
    std::string line;
    char letter = 0;
    while (::recv(socket_.get(), &letter, 1, 0) == 1 && letter != '\n') line += letter;
    return line;
  }

 private:
  Fd socket_;
  bool is_connected_ = false;
};

std::string backwards(std::string_view line) {
  return {line.rbegin(), line.rend()};
}

TEST(LineServer, AnswersEachOfManyClients) {
  const Folder folder;
  const auto server = LineServer::open(folder / "s", 100, backwards);
  ASSERT_TRUE(server);
  const Caller one(folder / "s"), two(folder / "s");
  one.say("abc\n");
  EXPECT_EQ(one.hear(), "cba");
  two.say("de");
  one.say("1\n23\n");
  EXPECT_EQ(one.hear(), "1");
  EXPECT_EQ(one.hear(), "32");
  two.say("f\n\n");
  EXPECT_EQ(two.hear(), "fed");
  EXPECT_EQ(two.hear(), "");
}

TEST(LineServer, DropsWhoSendsALineThatIsTooLong) {
  const Folder folder;
  const auto server = LineServer::open(folder / "s", 10, backwards);
  ASSERT_TRUE(server);
  const Caller good(folder / "s"), bad(folder / "s");
  bad.say("12345678901");
  EXPECT_EQ(bad.hear(), "");
  good.say("1234567890\n");
  EXPECT_EQ(good.hear(), "0987654321");
}

// More than it takes at a time: the others wait their turn, and get it.
TEST(LineServer, ServesMoreClientsThanItHoldsAtATime) {
  const Folder folder;
  const auto server = LineServer::open(folder / "s", 10, backwards);
  ASSERT_TRUE(server);
  std::list<Caller> callers;
  for (std::size_t i = 0; i < LineServer::kClientsMax + 5; ++i) {
    callers.emplace_back(folder / "s");
    ASSERT_TRUE(callers.back().is_connected());
    callers.back().say("ab\n");
  }
  while (!callers.empty()) {
    EXPECT_EQ(callers.front().hear(), "ba");
    callers.pop_front();
  }
}

TEST(LineServer, LeavesNothingAndTakesNothingAway) {
  const Folder folder;
  { ASSERT_TRUE(LineServer::open(folder / "s", 10, backwards)); }
  EXPECT_FALSE(std::filesystem::exists(folder / "s"));
  const auto first = LineServer::open(folder / "s", 10, backwards);
  ASSERT_TRUE(first);
  const auto second = LineServer::open(folder / "s", 10, backwards);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kExists);
  const auto third = LineServer::open(folder / std::string(200, 'x'), 10, backwards);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Errc::kInvalid);
}

}  // namespace
}  // namespace powercut
