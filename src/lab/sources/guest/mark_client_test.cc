// Marks from a load's side to the stream.
#include "lab/sources/guest/mark_client.h"

#include <gtest/gtest.h>

#include <thread>

#include "block/memory_device.h"
#include "host/machine.h"
#include "lab/sources/mark_door.h"

namespace powercut::lab {
namespace {

// Writes down what it is told, a word each.
class Notes final : public DiskObserver {
 public:
  void on_submitted(const Request& request, Nanoseconds) override {
    text += "s" + std::to_string(request.sequence) + " ";
  }
  void on_completed(const Request& request, Nanoseconds) override {
    text += "c" + std::to_string(request.sequence) + " ";
  }
  void on_power_cycle(Nanoseconds) override {}
  void on_mark(std::string_view mark, Nanoseconds) override {
    text += "[" + std::string(mark) + "] ";
  }
  std::string text;
};

class Marks : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempDirectory::make("mark-test");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    auto door = MarkDoor::open(socket(), disk_);
    ASSERT_TRUE(door);
    door_ = std::move(*door);
  }
  std::string socket() const { return (folder_->path() / "marks").string(); }
  std::string notes() const {
    std::string text;
    disk_.while_still([&] { text = notes_.text; });
    return text;
  }

  SteadyClock clock_;
  MemoryDevice device_{1 << 16};
  Notes notes_;
  RecordedDisk disk_{device_, clock_, {&notes_}};
  std::optional<TempDirectory> folder_;
  std::unique_ptr<MarkDoor> door_;
};

TEST_F(Marks, StandBetweenTheRequestsThatTheyWereSaidBetween) {
  auto client = MarkClient::open(socket(), clock_);
  ASSERT_TRUE(client);
  const std::vector<std::uint8_t> block(512);
  ASSERT_TRUE(disk_.write(0, block, Durability::kCached));
  ASSERT_TRUE(client->say("one"));
  ASSERT_TRUE(disk_.flush());
  ASSERT_TRUE(client->say("two words"));
  EXPECT_EQ(notes(), "s1 c1 [one] s2 c2 [two words] ");
}

TEST_F(Marks, OfManyThreadsAllCome) {
  auto client = MarkClient::open(socket(), clock_);
  ASSERT_TRUE(client);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&client, i] {
        for (int j = 0; j < 50; ++j) EXPECT_TRUE(client->say(std::to_string(i * 50 + j)));
      });
    }
  }
  const std::string text = notes();
  for (int i = 0; i < 200; ++i) {
    EXPECT_NE(text.find("[" + std::to_string(i) + "]"), std::string::npos) << i;
  }
}

TEST_F(Marks, ThatCannotBeAreRefusedAndTheNextOneIsTaken) {
  auto client = MarkClient::open(socket(), clock_);
  ASSERT_TRUE(client);
  for (const std::string& text :
       {std::string(), std::string("a\nb"), std::string(kMarkBytesMax + 1, 'x')}) {
    const auto said = client->say(text);
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().code, Errc::kInvalid);
  }
  EXPECT_TRUE(client->say(std::string(kMarkBytesMax, 'x')));
  door_.reset();
  const auto said = client->say("nobody is there");
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code, Errc::kIo);
}

TEST_F(Marks, AsACommand) {
  EXPECT_EQ(mark_main(socket(), {"a", "few", "words"}), 0);
  EXPECT_EQ(notes(), "[a few words] ");
  EXPECT_EQ(mark_main(socket(), {}), 2);
  EXPECT_EQ(mark_main(socket(), {"a\nb"}), 2);
  EXPECT_EQ(mark_main("", {"text"}), 3);
  EXPECT_EQ(mark_main(socket() + "-absent", {"text"}), 3);
  EXPECT_EQ(mark_main("/etc/passwd", {"text"}), 2);
}

}  // namespace
}  // namespace powercut::lab
