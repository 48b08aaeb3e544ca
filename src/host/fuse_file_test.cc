#include "host/fuse_file.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>

#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include "host/disk_image.h"
#include "host/fuse_mount.h"
#include "host/machine.h"
#include "host/pipe.h"

namespace powercut {
namespace {

constexpr std::uint64_t kSize = std::uint64_t{8} << 20;
constexpr std::size_t kPage = 4096;

// A file in memory that writes down a letter a moment: w z p s for begins, W Z P S for finishes.
class Letters final : public FileService {
 public:
  std::uint64_t size_bytes() const override { return kSize; }
  Result<void> read(std::uint64_t offset, MutableBytes into) override {
    if (fails_) return fail(Errc::kIo, "told to fail");
    std::memcpy(into.data(), content_.data() + offset, into.size());
    return {};
  }
  void begin(FileChange& change) override {
    text_ += "wzps"[static_cast<int>(change.kind)];
    change.sequence = ++count_;
  }
  Result<void> finish(const FileChange& change) override {
    text_ += "WZPS"[static_cast<int>(change.kind)];
    last_sequence_ = change.sequence;
    if (fails_) return fail(Errc::kNoSpace, "told to fail");
    if (change.kind == FileChange::Kind::kSync) last_sync_ = change;
    std::uint8_t* const place = content_.data() + change.offset;
    switch (change.kind) {
      case FileChange::Kind::kWrite: std::memcpy(place, change.data.data(), change.length); break;
      case FileChange::Kind::kZero:
      case FileChange::Kind::kPunch: std::memset(place, 0, change.length); break;
      case FileChange::Kind::kSync: break;
    }
    return {};
  }

  // Looked at by the test while nothing is under way.
  std::vector<std::uint8_t> content_ = std::vector<std::uint8_t>(kSize);
  std::string text_;
  std::atomic<std::uint64_t> count_ = 0;
  std::uint64_t last_sequence_ = 0;
  FileChange last_sync_;
  std::atomic<bool> fails_ = false;
};

class FuseFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!is_root()) GTEST_SKIP() << "mounting FUSE needs root";
    auto mount = make_fuse_mount();
    if (!mount && mount.error().code == Errc::kNotFound) GTEST_SKIP() << mount.error().what;
    ASSERT_TRUE(mount) << error_words(mount.error());
    mount_ = std::move(*mount);
    auto ends = make_pipe();
    ASSERT_TRUE(ends);
    stop_ = std::move(*ends);
  }
  void TearDown() override {
    // Closing a file waits for an answer, which nobody gives any more.
    if (!server_.joinable()) served_.reset();
    file_.reset();
    mount_.root.reset();
    if (server_.joinable()) server_.join();
  }
  void serve(Nanoseconds write_delay = Nanoseconds{0}, std::uint64_t second_at = 0) {
    auto served =
        FuseFile::open(std::move(mount_.device), letters_, clock_, {write_delay, second_at});
    ASSERT_TRUE(served);
    served_ = std::move(*served);
    server_ = std::thread([this] { end_ = served_->serve(stop_.read.get()); });
    auto opened = open_direct(mount_.root, FuseFile::kName);
    ASSERT_TRUE(opened) << error_words(opened.error());
    file_ = std::move(*opened);
  }
  // A page of that byte, aligned as O_DIRECT wants it.
  std::uint8_t* page(std::uint8_t value) {
    std::memset(page_, value, sizeof page_);
    return page_;
  }
  bool write_page(std::uint64_t offset, std::uint8_t value) {
    return ::pwrite(file_.get(), page(value), kPage, static_cast<off_t>(offset)) == kPage;
  }

  const SteadyClock clock_;
  Letters letters_;
  FuseMount mount_;
  PipeEnds stop_;
  std::unique_ptr<FuseFile> served_;
  Fd file_;
  std::thread server_;
  Result<void> end_;
  alignas(4096) std::uint8_t page_[kPage];
};

TEST_F(FuseFileTest, RequestsReachTheServiceAndTheContentComesBack) {
  serve();
  EXPECT_EQ(::lseek(file_.get(), 0, SEEK_END), static_cast<off_t>(kSize));
  EXPECT_TRUE(write_page(kPage, 7));
  EXPECT_EQ(::fdatasync(file_.get()), 0);
  EXPECT_EQ(::pread(file_.get(), page(0), kPage, kPage), static_cast<ssize_t>(kPage));
  EXPECT_EQ(page_[0], 7);
  EXPECT_EQ(page_[kPage - 1], 7);
  EXPECT_EQ(::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kPage, 512), 0);
  EXPECT_EQ(::fallocate(file_.get(), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, kPage + 1024, 512),
            0);
  EXPECT_EQ(letters_.text_, "wWsSpPzZ");
  EXPECT_EQ(letters_.last_sequence_, 4u);
  EXPECT_EQ(letters_.content_[kPage + 511], 0);
  EXPECT_EQ(letters_.content_[kPage + 512], 7);
  EXPECT_EQ(letters_.content_[kPage + 1024], 0);
}

TEST_F(FuseFileTest, AnImageOfTwoDevicesIsTwoFiles) {
  constexpr std::uint64_t kSecondAt = kSize - 4 * kPage;
  serve(Nanoseconds{0}, kSecondAt);
  auto second = open_direct(mount_.root, FuseFile::kSecondName);
  ASSERT_TRUE(second) << error_words(second.error());
  EXPECT_EQ(::lseek(file_.get(), 0, SEEK_END), static_cast<off_t>(kSecondAt));
  EXPECT_EQ(::lseek(second->get(), 0, SEEK_END), static_cast<off_t>(4 * kPage));
  EXPECT_EQ(::pwrite(second->get(), page(5), kPage, kPage), static_cast<ssize_t>(kPage));
  EXPECT_EQ(letters_.content_[kSecondAt + kPage], 5);
  EXPECT_EQ(::pread(second->get(), page(0), kPage, kPage), static_cast<ssize_t>(kPage));
  EXPECT_EQ(page_[0], 5);
  EXPECT_EQ(::fsync(second->get()), 0);
  EXPECT_EQ(letters_.last_sync_.offset, kSecondAt);
  EXPECT_EQ(letters_.last_sync_.length, 4 * kPage);
  EXPECT_EQ(::fsync(file_.get()), 0);
  EXPECT_EQ(letters_.last_sync_.offset, 0u);
  EXPECT_EQ(letters_.last_sync_.length, kSecondAt);
  // Nobody gets from one into the other.
  EXPECT_EQ(::pwrite(file_.get(), page(6), kPage, static_cast<off_t>(kSecondAt)), -1);
  EXPECT_EQ(letters_.content_[kSecondAt], 0);
}

TEST_F(FuseFileTest, TheLastCloseEndsIt) {
  serve();
  EXPECT_TRUE(write_page(0, 1));
  file_.reset();
  mount_.root.reset();
  server_.join();
  EXPECT_TRUE(end_);
}

TEST_F(FuseFileTest, ALargeWriteComesInFewPieces) {
  serve();
  std::vector<std::uint8_t> large(4 << 20, 9);
  ASSERT_EQ(::fcntl(file_.get(), F_SETFL, ::fcntl(file_.get(), F_GETFL) & ~O_DIRECT), 0);
  EXPECT_EQ(::pwrite(file_.get(), large.data(), large.size(), 0),
            static_cast<ssize_t>(large.size()));
  EXPECT_EQ(::fsync(file_.get()), 0);
  EXPECT_LE(letters_.count_, 4u * 2 + 1);
  EXPECT_EQ(letters_.content_[large.size() - 1], 9);
  EXPECT_EQ(letters_.content_[large.size()], 0);
}

TEST_F(FuseFileTest, ErrorsOfTheServiceReachTheCaller) {
  serve();
  letters_.fails_ = true;
  EXPECT_FALSE(write_page(0, 1));
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_EQ(::pread(file_.get(), page(0), kPage, 0), -1);
  EXPECT_EQ(errno, EIO);
  letters_.fails_ = false;
  EXPECT_TRUE(write_page(0, 1));
  EXPECT_EQ(::ftruncate(file_.get(), 4096), -1) << "the disk keeps its size";
}

// Finished is what had begun, also when it was held back and the end comes first.
TEST_F(FuseFileTest, AHeldWriteIsFinishedAtTheEnd) {
  serve(std::chrono::hours(1));
  bool is_written = false;
  std::thread writer([&] { is_written = write_page(0, 1); });
  while (letters_.count_ == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(write_pipe(stop_.write, "x"));
  writer.join();
  server_.join();
  EXPECT_TRUE(end_);
  EXPECT_TRUE(is_written);
  EXPECT_EQ(letters_.text_, "wW");
}

}  // namespace
}  // namespace powercut
