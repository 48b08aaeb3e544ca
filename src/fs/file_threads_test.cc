// Threads that write, read, cut and sync files at once, while the journal commits beside them.
#include <gtest/gtest.h>

#include <thread>

#include "base/sync.h"
#include "fs/file.h"
#include "tests/support/mounted_image.h"
#include "tests/support/passing_device.h"

namespace powercut::fs {
namespace {

// One request at a time, as a disk in memory wants it.
class OneAtATime final : public testing::PassingDevice {
 public:
  using PassingDevice::PassingDevice;

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override {
    Lock lock(mutex_);
    return PassingDevice::do_read(offset, into);
  }
  Result<void> do_write(std::uint64_t offset, Bytes from, Durability durability) override {
    Lock lock(mutex_);
    return PassingDevice::do_write(offset, from, durability);
  }
  Result<void> do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                               Durability durability) override {
    Lock lock(mutex_);
    return PassingDevice::do_write_zeroes(offset, length, durability);
  }
  Result<void> do_discard(std::uint64_t offset, std::uint64_t length) override {
    Lock lock(mutex_);
    return PassingDevice::do_discard(offset, length);
  }
  Result<void> do_flush() override { return {}; }
  mutable Mutex mutex_{LockRank::kDevice};
};

TEST(FileThreads, WriteReadCutAndSyncAtOnce) {
  SKIP_WITHOUT_TOOL("mke2fs");
  constexpr std::size_t kThreads = 4;
  constexpr int kRounds = 150;
  TestMount disk("-b 1024 -J size=4", "48M");
  OneAtATime one(disk.device);
  disk.on = &one;
  disk.options.journal = {.commit_interval = std::chrono::milliseconds(20), .has_service = true};
  disk.mount();
  Core& core = disk.core();
  std::vector<NodeRef> own;
  for (std::size_t t = 0; t < kThreads; ++t) own.push_back(disk.make_file(std::to_string(t)));
  const NodeRef shared = disk.make_file("shared");
  std::vector<std::vector<std::uint8_t>> models(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Prng random(t);
      std::vector<std::uint8_t>& model = models[t];
      // A record of the shared file is one append: all of one letter.
      const std::vector<std::uint8_t> record(700, static_cast<std::uint8_t>('a' + t));
      for (int i = 0; i < kRounds; ++i) {
        EXPECT_TRUE(append_file(core, *shared, record));
        const auto bytes = pattern(1 + random.below(30'000), random.next());
        const std::uint64_t offset = random.below(model.size() + 5000);
        EXPECT_TRUE(write_file(core, *own[t], offset, bytes));
        model.resize(std::max<std::size_t>(model.size(), offset + bytes.size()));
        std::ranges::copy(bytes, model.begin() + static_cast<std::ptrdiff_t>(offset));
        if (i % 7 == 0) {
          model.resize(random.below(model.size()));
          EXPECT_TRUE(truncate_file(core, own[t], model.size()));
        }
        if (i % 5 == 0) {
          EXPECT_TRUE(sync_file(core, *own[t], i % 2 == 0));
        }
        std::vector<std::uint8_t> back(model.size());
        EXPECT_TRUE(read_file(core, *own[t], 0, back));
        EXPECT_TRUE(back == model);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  own.clear();
  disk.unmount();
  EXPECT_TRUE(is_clean(disk.device.bytes()));
  for (std::size_t t = 0; t < kThreads; ++t) {
    EXPECT_TRUE(content_of(disk.device.bytes(), "/" + std::to_string(t)) == models[t]);
  }
  const auto records = content_of(disk.device.bytes(), "/shared");
  ASSERT_EQ(records.size(), 700u * kThreads * kRounds);
  for (std::size_t at = 0; at < records.size(); ++at) {
    ASSERT_EQ(records[at], records[at / 700 * 700]) << "a record is whole";
  }
}

}  // namespace
}  // namespace powercut::fs
