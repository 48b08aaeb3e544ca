#include "lab/record/simulated_stream.h"

#include <gtest/gtest.h>

#include <string>

#include "base/simulation.h"
#include "base/task.h"
#include "block/simulated_disk.h"

namespace powercut::lab {
namespace {

// Holds the rules of request.h over what it is told.
class Rules final : public DiskObserver {
 public:
  void on_submitted(const Request& request, Nanoseconds when) override {
    EXPECT_EQ(request.sequence, ++last_);
    EXPECT_GE(when, when_);
    when_ = when;
    in_flight_ += 1;
    overlaps = overlaps || in_flight_ > 1;
    EXPECT_EQ(request.data.size(), request.kind == RequestKind::kWrite ? request.length : 0);
  }
  void on_completed(const Request& request, Nanoseconds when) override {
    EXPECT_LE(request.sequence, last_);
    EXPECT_GE(when, when_);
    when_ = when;
    in_flight_ -= 1;
    ++completed;
  }
  void on_power_cycle(Nanoseconds) override { notes += 'p'; }
  void on_mark(std::string_view text, Nanoseconds) override { notes += text; }

  bool overlaps = false;
  int completed = 0;
  std::string notes;

 private:
  std::uint64_t last_ = 0;
  Nanoseconds when_{0};
  int in_flight_ = 0;
};

TEST(SimulatedStream, TellsBothMomentsOfEachRequest) {
  Rules rules;
  const SimulatedClock clock;
  SimulatedStream stream(clock, {&rules});
  SimulatedDisk disk(std::vector<std::uint8_t>(1 << 16), {}, &stream);
  const SimulationResult result = Simulation({.seed = 2}).run([&] {
    const auto write = [&] {
      const std::vector<std::uint8_t> data(4096, 1);
      const powercut::BlockWrite writes[] = {{0, data, {}}, {8192, data, Durability::kFua}};
      CHECK(disk.write_all(writes).has_value() && disk.flush().has_value(), "written");
      CHECK(disk.write_zeroes(0, 512).has_value() && disk.discard(0, 512).has_value(), "written");
      stream.mark("m");
    };
    Task one = Task::start("one", write);
    Task other = Task::start("other", write);
  });
  EXPECT_FALSE(result.has_finding()) << result.what;
  stream.power_cycle();
  EXPECT_EQ(rules.completed, 10);
  EXPECT_TRUE(rules.overlaps);
  EXPECT_EQ(rules.notes, "mmp");
}

}  // namespace
}  // namespace powercut::lab
