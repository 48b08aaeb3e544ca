// How fast the tag judge goes over a recording, against bare crc32c (ISA-L) over the same bytes.
//
//   verify_bench [RECORDING]
//
// Without a recording one is made in memory: 512 MiB of journal in transactions of 22 blocks, the
// size that stress-ng's line gives.  Both go over the recording in turn, nine times; the medians
// and the median of the ratios pair by pair are printed.  The peer sums exactly the journal blocks
// that the judge sums (each once, with no start value).  The do-nothing baseline plays the
// recording to nobody.
#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "base/crc32c.h"
#include "base/prng.h"
#include "block/memory_device.h"
#include "host/file.h"
#include "lab/verify/verify_recording.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/journal_builder.h"

namespace {

using namespace powercut;
using namespace powercut::lab;

constexpr int kTurns = 9;
constexpr std::uint32_t kBlocksPerTransaction = 22;
constexpr std::uint64_t kJournalBytes = std::uint64_t{512} << 20;

// The events of a good stream on a small file system whose journal goes round and round.
class MadeRecording {
 public:
  MadeRecording() {
    const testing::E2fsImage image({.mke2fs = "-b 4096 -J size=64", .size = "256M"});
    CHECK(image.is_made(), "mke2fs is needed");
    MemoryDevice disk(image.bytes());
    const auto map = locate_journal(Volume::open(disk).value()).value();
    spec_.log_block_count = map.block_count();
    recording.disk_bytes = disk.size_bytes();
    const auto superblock = JournalBuilder(spec_).superblock_write();
    CHECK(disk.write(map.device_block(LogBlock(0)).value() * 4096, superblock.bytes), "in range");
    add_base(disk);
    for (std::uint64_t bytes = 0; bytes < kJournalBytes;) bytes += add_transaction(map);
  }
  Recording recording;

 private:
  void add(EventKind kind, RequestKind request, std::uint64_t offset, Bytes data) {
    RecordedEvent event;
    event.kind = kind;
    event.request = request;
    event.sequence = sequence_;
    event.offset = offset;
    event.length = data.size();
    event.data = data;
    recording.events.push_back(event);
  }
  Bytes keep(std::vector<std::uint8_t> bytes) {
    recording.frames.push_back(std::move(bytes));
    return recording.frames.back();
  }
  void add_base(const MemoryDevice& disk) {
    const Bytes all = keep({disk.bytes().begin(), disk.bytes().end()});
    add(EventKind::kBase, RequestKind::kWrite, 0, all);
  }
  void request(RequestKind kind, std::uint64_t offset, Bytes data) {
    ++sequence_;
    add(EventKind::kSubmitted, kind, offset, data);
    add(EventKind::kCompleted, kind, offset, data);
  }
  // Descriptor and data in one request, as virtio merges them, two where the ring wraps; then
  // flush, commit block, flush.
  std::uint64_t add_transaction(const JournalMap& map) {
    JournalBuilder builder(spec_);
    TransactionSpec transaction;
    for (std::uint32_t i = 0; i < kBlocksPerTransaction; ++i) {
      transaction.blocks.push_back({BlockNo(40'000 + i), patterned_block(4096, prng_.next())});
    }
    const auto writes = builder.add_transaction(transaction);
    for (std::size_t first = 0; first + 1 < writes.size();) {
      std::vector<std::uint8_t> pieces;
      std::size_t end = first;
      while (end + 1 < writes.size() &&
             writes[end].log == writes[first].log + std::uint32_t(end - first)) {
        pieces.insert(pieces.end(), writes[end].bytes.begin(), writes[end].bytes.end());
        ++end;
      }
      request(RequestKind::kWrite, place_of(map, writes[first].log), keep(std::move(pieces)));
      first = end;
    }
    request(RequestKind::kFlush, 0, {});
    request(RequestKind::kWrite, place_of(map, writes.back().log), keep(writes.back().bytes));
    request(RequestKind::kFlush, 0, {});
    spec_.start = builder.head();
    spec_.sequence = builder.next_tid();
    return writes.size() * 4096;
  }
  static std::uint64_t place_of(const JournalMap& map, LogBlock log) {
    return map.device_block(log).value() * 4096;
  }

  JournalSpec spec_;
  Prng prng_{7};
  std::uint64_t sequence_ = 0;
};

// The journal blocks of a recording, in the order in which they were written.
std::vector<Bytes> journal_pieces(const Recording& recording, std::uint64_t& bytes) {
  RecordedView view(recording);
  for (const RecordedEvent& event : recording.events) {
    if (event.kind == EventKind::kBase) view.apply(event);
  }
  const auto map = locate_journal(Volume::open(view).value()).value();
  std::vector<Bytes> pieces;
  for (const RecordedEvent& event : recording.events) {
    if (event.kind != EventKind::kSubmitted || event.request != RequestKind::kWrite) continue;
    for (std::uint64_t at = 0; at + 4096 <= event.length; at += 4096) {
      if (!map.log_block(BlockNo((event.offset + at) / 4096))) continue;
      pieces.push_back(event.data.subspan(at, 4096));
      bytes += 4096;
    }
  }
  return pieces;
}

template <class Work>
double seconds_for(Work work) {
  const SteadyClock clock;
  const Nanoseconds before = clock.now();
  work();
  return seconds_of(clock.now() - before);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void compare(const Recording& recording) {
  const SteadyClock clock;
  std::uint64_t bytes = 0;
  const std::vector<Bytes> pieces = journal_pieces(recording, bytes);
  std::uint32_t sum = 0;
  std::vector<double> peer, judge, baseline, ratios;
  std::uint64_t commits = 0, verified = 0, findings = 0;
  for (int turn = 0; turn <= kTurns; ++turn) {
    const double bare = seconds_for([&] {
      for (const Bytes piece : pieces) sum ^= crc32c(0, piece);
    });
    const double full = seconds_for([&] {
      const Verification verification = verify_recording(recording, clock);
      commits = verification.counters.commit_count;
      verified = verification.counters.verified_count;
      findings = verification.findings.size();
    });
    const double nothing = seconds_for([&] {
      RecordedView view(recording);
      play(recording, view, {});
    });
    if (turn == 0) continue;  // warm-up
    peer.push_back(bare);
    judge.push_back(full);
    baseline.push_back(nothing);
    ratios.push_back(bare / full);
  }
  const double gib = static_cast<double>(bytes) / (1 << 30);
  fmt::print("journal bytes       {:.3f} GiB, {} commits, {} blocks checked, {} mismatches\n", gib,
             commits, verified, findings);
  fmt::print("bare crc32c         {:7.2f} GiB/s   ({:.1f} ms; sum {:08x})\n", gib / median(peer),
             1e3 * median(peer), sum);
  fmt::print("verify a recording  {:7.2f} GiB/s   ({:.1f} ms)\n", gib / median(judge),
             1e3 * median(judge));
  fmt::print("play it to nobody            -       ({:.1f} ms)\n", 1e3 * median(baseline));
  fmt::print("ratio               {:7.1f} %       (median of {} pairs, {:.1f} to {:.1f})\n",
             100 * median(ratios), kTurns, 100 * std::ranges::min(ratios),
             100 * std::ranges::max(ratios));
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 2) {
    const MadeRecording made;
    compare(made.recording);
    return 0;
  }
  const auto file = File::open(arguments[1], File::Access::kRead);
  if (!file) {
    fmt::print(stderr, "cannot open {}\n", arguments[1]);
    return 3;
  }
  const auto recording = read_recording(*file, std::uint64_t{8} << 30);
  if (!recording) {
    fmt::print(stderr, "cannot read {}: {}\n", arguments[1], recording.error().what);
    return 3;
  }
  compare(*recording);
  return 0;
}
