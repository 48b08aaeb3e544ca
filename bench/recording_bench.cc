// What recording costs a disk, and how small a recording is.
//
//   recording_bench FOLDER [RECORDING]
//
// The requests of a recording (without one: 512 MiB of writes in which every third block comes a
// second time, as from a journal and home) are sent to a disk in memory: alone, which is the
// baseline, and recorded, at once until the recording is closed, nine times in turn.  The recording
// of the last turn is then read: event by event, and as whole blocks for the explorer.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/prng.h"
#include "block/memory_device.h"
#include "host/usage.h"
#include "lab/record/block_stream.h"
#include "lab/record/recorded_disk.h"

namespace {

using namespace powercut;
using namespace powercut::lab;

constexpr int kTurns = 9;
constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;

struct Stream {
  Recording recording;
  std::uint64_t written_bytes = 0;
};

// Blocks as file systems have them: text that packs well, a part that does not.
Stream make_stream() {
  constexpr std::uint64_t kDiskBytes = 256 * kMebibyte, kWriteBytes = 32 * 4096;
  Stream stream;
  stream.recording.disk_bytes = kDiskBytes;
  Prng prng(1);
  auto& frames = stream.recording.frames;
  for (std::uint64_t sequence = 1; stream.written_bytes < 512 * kMebibyte; ++sequence) {
    const bool comes_again = sequence % 3 == 0;
    if (!comes_again) {
      std::vector<std::uint8_t> data(kWriteBytes);
      for (std::size_t at = 0; at < data.size(); at += 4096) {
        prng.fill(MutableBytes(data).subspan(at, 1536));
      }
      frames.push_back(std::move(data));
    }
    RecordedEvent event;
    event.kind = EventKind::kSubmitted;
    event.sequence = sequence;
    event.offset = prng.below(kDiskBytes / kWriteBytes) * kWriteBytes;
    event.length = kWriteBytes;
    event.data = frames[frames.size() - (comes_again ? 2 : 1)];
    stream.recording.events.push_back(event);
    stream.written_bytes += kWriteBytes;
  }
  return stream;
}

Stream stream_of(const char* path) {
  const auto file = File::open(path, File::Access::kRead);
  CHECK(file, "the recording cannot be opened");
  auto recording = read_recording(*file, std::uint64_t{8} << 30);
  CHECK(recording, "the recording cannot be read");
  Stream stream{std::move(*recording), 0};
  for (const RecordedEvent& event : stream.recording.events) {
    if (event.kind == EventKind::kSubmitted) stream.written_bytes += event.data.size();
  }
  return stream;
}

void send(const RecordedEvent& event, RecordedDisk& disk) {
  if (event.kind == EventKind::kMark) CHECK(disk.mark("a mark"), "short");
  if (event.kind != EventKind::kSubmitted) return;
  switch (event.request) {
    case RequestKind::kWrite:
      CHECK(disk.write(event.offset, event.data, event.durability), "in range");
      break;
    case RequestKind::kZero:
      CHECK(disk.write_zeroes(event.offset, event.length, event.durability), "in range");
      break;
    case RequestKind::kDiscard: CHECK(disk.discard(event.offset, event.length), "in range"); break;
    case RequestKind::kFlush: CHECK(disk.flush(), "in memory"); break;
  }
}

struct Spent {
  double seconds = 0, closed_seconds = 0, cpu_seconds = 0;
};

Spent use(const Stream& stream, MemoryDevice& memory, RecordingWriter* writer) {
  const SteadyClock clock;
  std::vector<DiskObserver*> observers;
  if (writer != nullptr) observers.push_back(writer);
  RecordedDisk disk(memory, clock, observers);
  const Nanoseconds begin = clock.now();
  const double cpu = own_cpu_seconds();
  for (const RecordedEvent& event : stream.recording.events) send(event, disk);
  Spent spent;
  spent.seconds = seconds_of(clock.now() - begin);
  if (writer != nullptr) CHECK(writer->close(), "the folder has room");
  spent.closed_seconds = seconds_of(clock.now() - begin);
  spent.cpu_seconds = own_cpu_seconds() - cpu;
  return spent;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void read_it(const std::filesystem::path& path, double mebibytes) {
  const SteadyClock clock;
  const File file = File::open(path, File::Access::kRead).value();
  Nanoseconds begin = clock.now();
  const auto reader = RecordingReader::open(file).value();
  while (reader->next().value() != nullptr) continue;
  fmt::print("read event by event: {:.0f} MiB/s\n", mebibytes / seconds_of(clock.now() - begin));
  begin = clock.now();
  const auto again = RecordingReader::open(file).value();
  const auto stream = BlockStream::make(*again, 4096, std::uint64_t{8} << 30, {});
  CHECK(stream, "it was written just now");
  fmt::print("read as blocks: {:.0f} MiB/s, {} contents\n",
             mebibytes / seconds_of(clock.now() - begin), stream->pool().size());
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 2) return 2;
  const auto path = std::filesystem::path(arguments[1]) / "recording_bench.pcrec";
  const Stream stream = argument_count > 2 ? stream_of(arguments[2]) : make_stream();
  const double mebibytes = static_cast<double>(stream.written_bytes) / kMebibyte;
  MemoryDevice memory(stream.recording.disk_bytes);
  std::vector<double> alone, recorded, closed, alone_cpu, recorded_cpu;
  for (int turn = 0; turn < kTurns; ++turn) {
    const Spent base = use(stream, memory, nullptr);
    std::filesystem::remove(path);
    const MemoryDevice empty(stream.recording.disk_bytes);
    const auto writer = RecordingWriter::create(path, empty, std::uint64_t{1} << 40).value();
    const Spent spent = use(stream, memory, writer.get());
    alone.push_back(mebibytes / base.seconds);
    alone_cpu.push_back(base.cpu_seconds);
    recorded.push_back(mebibytes / spent.seconds);
    closed.push_back(mebibytes / spent.closed_seconds);
    recorded_cpu.push_back(spent.cpu_seconds);
  }
  const double stored = static_cast<double>(std::filesystem::file_size(path)) / kMebibyte;
  fmt::print("{:.0f} MiB in {} events\n", mebibytes, stream.recording.events.size());
  fmt::print("alone {:.0f} MiB/s; recorded {:.0f} MiB/s, until it was closed {:.0f} MiB/s\n",
             median(alone), median(recorded), median(closed));
  fmt::print("processor time: alone {:.2f} s, recorded {:.2f} s\n", median(alone_cpu),
             median(recorded_cpu));
  fmt::print("stored {:.1f} MiB: {:.1f} % of what was written\n", stored, 100 * stored / mebibytes);
  read_it(path, mebibytes);
  std::filesystem::remove(path);
  return 0;
}
