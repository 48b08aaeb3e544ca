#include "lab/record/log_writes.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/machine.h"
#include "host/process.h"
#include "lab/record/recording_file.h"
#include "lab/record/recording_test_support.h"
#include "tests/support/files.h"

namespace powercut::lab {
namespace {

// A reader of such logs written from the kernel's document alone: plays one onto a disk, up to a
// mark or to the end.  Shares nothing with the code that is tested.
struct PlainReader {
  std::vector<std::uint8_t> log, disk;
  std::string story;  // a letter for each entry

  std::uint64_t number(std::size_t at, int bytes) const {
    std::uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; --i)
      value = value << 8 | log.at(at + static_cast<std::size_t>(i));
    return value;
  }
  void play(const std::string& up_to = "") {
    ASSERT_EQ(number(0, 8), 0x6a736677736872u);
    ASSERT_EQ(number(8, 8), 1u);
    const std::uint64_t sector_bytes = number(24, 4);
    std::size_t at = sector_bytes;
    for (std::uint64_t left = number(16, 8); left > 0; --left) {
      const std::uint64_t flags = number(at + 16, 8);
      const std::uint64_t offset = number(at, 8) * sector_bytes;
      const std::uint64_t length = number(at + 8, 8) * sector_bytes;
      const std::string text(reinterpret_cast<const char*>(log.data()) + at + 32,
                             (flags & 8) != 0 ? number(at + 24, 8) : 0);
      at += sector_bytes;
      story += (flags & 8) != 0 ? 'm' : (flags & 4) != 0 ? 'd' : (flags & 1) != 0 ? 'f' : 'w';
      if ((flags & 2) != 0) story += '!';
      if ((flags & 8) != 0 && !up_to.empty() && text == up_to) return;
      if ((flags & 8) != 0) continue;
      ASSERT_LE(offset + length, disk.size());
      const auto target = MutableBytes(disk).subspan(offset, length);
      if ((flags & 4) != 0) {
        std::ranges::fill(target, std::uint8_t{0});
        continue;
      }
      ASSERT_LE(at + length, log.size());
      copy_bytes(Bytes(log).subspan(at, length), target);
      at += length;
    }
    EXPECT_EQ(at, log.size());
  }
};

class LogWrites : public ::testing::Test {
 protected:
  std::filesystem::path path(const char* name) const { return folder_.path() / name; }
  template <class Use>
  void record(Use use) {
    const auto writer = RecordingWriter::create(path("rec"), disk_, 1u << 30).value();
    RecordedDisk recorded(disk_, clock_, {writer.get()});
    use(recorded, *writer);
    ASSERT_TRUE(writer->close());
  }
  LogCounts export_it(const LogExportOptions& options = {}) {
    const File file = File::open(path("rec"), File::Access::kRead).value();
    const auto reader = RecordingReader::open(file).value();
    File log = File::create(path("log"), 0).value();
    return export_log(*reader, log, options).value();
  }
  static std::vector<std::uint8_t> filled(std::size_t size, std::uint8_t with) {
    return std::vector<std::uint8_t>(size, with);
  }

  TempDirectory folder_ = TempDirectory::make("log-writes-test").value();
  MemoryDevice disk_{64 * 1024};
  ManualClock clock_;
};

TEST_F(LogWrites, AnExportedLogIsReadByTheDocument) {
  ASSERT_TRUE(disk_.write(8192, filled(512, 3)));
  record([&](RecordedDisk& disk, RecordingWriter&) {
    ASSERT_TRUE(disk.write(0, filled(1024, 1), Durability::kCached));
    ASSERT_TRUE(disk.mark("before"));
    ASSERT_TRUE(disk.write(4096, filled(512, 2), Durability::kFua));
    ASSERT_TRUE(disk.flush());
    ASSERT_TRUE(disk.mark("after"));
    ASSERT_TRUE(disk.discard(0, 512));
    ASSERT_TRUE(disk.write_zeroes(8192, 1024, Durability::kCached));
  });
  const LogCounts counts = export_it();
  EXPECT_EQ(counts.entries, 9u);
  // The base; the mark and the write with FUA at once, the first write only with the flush.
  PlainReader whole{testing::read_file(path("log")), filled(disk_.size_bytes(), 0), ""};
  whole.play();
  EXPECT_EQ(whole.story, "wmw!wfmdwm");
  EXPECT_TRUE(std::ranges::equal(whole.disk, disk_.bytes()));
  PlainReader part{whole.log, filled(disk_.size_bytes(), 0), ""};
  part.play("before");
  EXPECT_EQ(part.disk[0], 0);
  EXPECT_EQ(part.disk[8192], 3);
}

// The example of the document: W1, W2, W3, C3, C2, Wflush, C1, Cflush.
TEST_F(LogWrites, OnlyWhatWasCompletedBeforeAFlushComesBeforeIt) {
  record([&](RecordedDisk&, RecordingWriter& writer) {
    const auto data = filled(512, 1);
    const auto write = [&](std::uint64_t n) {
      return Request{RequestKind::kWrite, Durability::kCached, n, n * 512, 512, data};
    };
    const Request flush{RequestKind::kFlush, Durability::kCached, 4, 0, 0, {}};
    for (const std::uint64_t n : {1u, 2u, 3u}) writer.on_submitted(write(n), clock_.now());
    for (const std::uint64_t n : {3u, 2u}) writer.on_completed(write(n), clock_.now());
    writer.on_submitted(flush, clock_.now());
    writer.on_completed(write(1), clock_.now());
    writer.on_completed(flush, clock_.now());
  });
  export_it();
  const File log = File::open(path("log"), File::Access::kRead).value();
  LogWritesReader reader = LogWritesReader::open(log).value();
  std::string order;
  while (const auto entry = reader.next().value()) {
    order += entry->is_flush ? "f" : entry->is_mark ? "m" : std::to_string(entry->offset / 512);
  }
  EXPECT_EQ(order, "32f1m");
}

TEST_F(LogWrites, ABaseOfItsOwnHoldsWhatWasThereAtFirst) {
  ASSERT_TRUE(disk_.write(8192, filled(512, 3)));
  record([&](RecordedDisk& disk, RecordingWriter&) {
    ASSERT_TRUE(disk.write(0, filled(512, 1), Durability::kCached));
  });
  File base = File::create(path("base"), disk_.size_bytes()).value();
  export_it({512, &base});
  PlainReader reader{testing::read_file(path("log")), testing::read_file(path("base")), ""};
  reader.play();
  EXPECT_EQ(reader.story, "wm");
  EXPECT_TRUE(std::ranges::equal(reader.disk, disk_.bytes()));
}

TEST_F(LogWrites, ARequestThatIsNoWholeNumberOfSectorsIsRefused) {
  record([&](RecordedDisk& disk, RecordingWriter&) {
    ASSERT_TRUE(disk.write(100, filled(512, 1), Durability::kFua));
  });
  const File file = File::open(path("rec"), File::Access::kRead).value();
  const auto reader = RecordingReader::open(file).value();
  File log = File::create(path("log"), 0).value();
  EXPECT_EQ(export_log(*reader, log, {}).error().code, Errc::kUnsupported);
}

// Out and in again: the same disk, and the same marks.
TEST_F(LogWrites, AnExportedLogIsImported) {
  record([&](RecordedDisk& disk, RecordingWriter&) {
    ASSERT_TRUE(disk.write(0, filled(3 * 4096 + 512, 1), Durability::kCached));
    ASSERT_TRUE(disk.flush());
    ASSERT_TRUE(disk.mark("a mark"));
    ASSERT_TRUE(disk.discard(512, 4096));
  });
  export_it();
  const File log = File::open(path("log"), File::Access::kRead).value();
  const std::uint64_t disk_bytes = disk_bytes_of_log(log).value();
  EXPECT_EQ(disk_bytes, 3u * 4096 + 512);
  const auto writer =
      RecordingWriter::create(path("again"), MemoryDevice(disk_bytes), 1u << 30).value();
  const LogCounts counts = import_log(log, disk_bytes, *writer).value();
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(counts.marks, 2u);
  EXPECT_FALSE(counts.is_cut);
  const File file = File::open(path("again"), File::Access::kRead).value();
  const auto reader = RecordingReader::open(file).value();
  ASSERT_TRUE(reader->start_at(8));
  const Told told = tell(*reader).value();
  EXPECT_TRUE(std::ranges::equal(told.base, disk_.bytes().first(disk_bytes)));
}

TEST_F(LogWrites, ALogThatIsCutSaysSo) {
  record([&](RecordedDisk& disk, RecordingWriter&) {
    ASSERT_TRUE(disk.write(0, filled(8192, 1), Durability::kFua));
  });
  export_it();
  std::filesystem::resize_file(path("log"), 3000);
  const File log = File::open(path("log"), File::Access::kRead).value();
  LogWritesReader reader = LogWritesReader::open(log).value();
  EXPECT_FALSE(reader.next().value());
  EXPECT_TRUE(reader.is_cut());
}

// As much of NBD as it takes to use a disk: the old way into an export, one request at a time.
class NbdClient {
 public:
  enum Command : std::uint16_t { kWrite = 1, kFlush = 3, kTrim = 4, kZero = 6 };

  bool connect_to(const std::filesystem::path& socket, const std::string& name) {
    fd_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return false;
    }
    const timeval limit{10, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    receive(18);  // two magics, flags
    std::string words;
    append(words, 3, 4);  // fixed newstyle, no zeroes
    words += "IHAVEOPT";
    append(words, 1, 4);  // the export of that name
    append(words, name.size(), 4);
    send_all(words + name);
    return receive(10).size() == 10;
  }
  bool request(Command command, std::uint64_t offset, std::size_t length, std::uint8_t with = 0) {
    std::string words;
    append(words, 0x25609513, 4);
    append(words, 0, 2);
    append(words, command, 2);
    append(words, 1, 8);
    append(words, offset, 8);
    append(words, length, 4);
    if (command == kWrite) words += std::string(length, static_cast<char>(with));
    send_all(words);
    const std::string reply = receive(16);
    return reply.size() == 16 && reply.substr(4, 4) == std::string(4, '\0');
  }

 private:
  static void append(std::string& to, std::uint64_t number, int bytes) {
    while (bytes-- > 0) to += static_cast<char>(number >> (8 * bytes));
  }
  void send_all(const std::string& words) const {
    EXPECT_EQ(::send(fd_.get(), words.data(), words.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(words.size()));
  }
  std::string receive(std::size_t size) const {
    std::string got(size, '\0');
    const ssize_t count = ::recv(fd_.get(), got.data(), size, MSG_WAITALL);
    got.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return got;
  }
  Fd fd_;
};

// QEMU writes a file and a log of it; the log, imported, must give that file.
TEST_F(LogWrites, ALogOfQemuIsImported) {
  if (!find_program("qemu-storage-daemon")) GTEST_SKIP() << "no qemu-storage-daemon";
  constexpr std::uint64_t kDiskBytes = 1u << 20;
  ASSERT_TRUE(File::create(path("disk"), kDiskBytes));
  ASSERT_TRUE(File::create(path("log"), 0));
  const std::string folder = folder_.path().native();
  ProcessOptions options;
  options.arguments = {"qemu-storage-daemon",
                       "--blockdev",
                       "driver=file,node-name=disk,discard=unmap,filename=" + folder + "/disk",
                       "--blockdev",
                       "driver=file,node-name=log,filename=" + folder + "/log",
                       "--blockdev",
                       "driver=blklogwrites,node-name=both,discard=unmap,file=disk,log=log",
                       "--nbd-server",
                       "addr.type=unix,addr.path=" + folder + "/socket",
                       "--export",
                       "type=nbd,id=nbd,node-name=both,name=disk,writable=on"};
  auto daemon = Process::start(options);
  ASSERT_TRUE(daemon);
  NbdClient client;
  bool is_connected = false;
  for (int turn = 0; turn < 600 && !is_connected && !daemon->wait(Nanoseconds(0)); ++turn) {
    is_connected = client.connect_to(path("socket"), "disk");
    if (!is_connected) ::usleep(50'000);
  }
  ASSERT_TRUE(is_connected) << daemon->read_output(Nanoseconds(0)).value();
  ASSERT_TRUE(client.request(NbdClient::kWrite, 4096, 65536, 'a'));
  ASSERT_TRUE(client.request(NbdClient::kFlush, 0, 0));
  ASSERT_TRUE(client.request(NbdClient::kWrite, 8192, 1024, 'b'));
  ASSERT_TRUE(client.request(NbdClient::kZero, 16384, 8192));
  ASSERT_TRUE(client.request(NbdClient::kTrim, 32768, 4096));
  ASSERT_TRUE(client.request(NbdClient::kWrite, 512, 512, 'c'));
  ASSERT_TRUE(client.request(NbdClient::kFlush, 0, 0));
  daemon->stop(std::chrono::seconds(20));

  const File log = File::open(path("log"), File::Access::kRead).value();
  const auto writer =
      RecordingWriter::create(path("rec"), MemoryDevice(kDiskBytes), 1u << 30).value();
  const auto counts = import_log(log, kDiskBytes, *writer);
  ASSERT_TRUE(counts) << counts.error().what;
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(counts->flushes, 2u);
  EXPECT_EQ(counts->discards, 1u);
  const auto recording =
      read_recording(File::open(path("rec"), File::Access::kRead).value(), 1u << 26).value();
  RecordedView view(recording);
  play(recording, view, {});
  std::vector<std::uint8_t> played(kDiskBytes);
  ASSERT_TRUE(view.read(0, played));
  EXPECT_EQ(played, testing::read_file(path("disk")));
}

}  // namespace
}  // namespace powercut::lab
