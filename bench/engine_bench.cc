// How fast Powercut's own ext4 makes writes durable, against Linux's ext4 on a loop device over the
// same kind of file.
//
//   engine_bench [TURNS [SECONDS [FOLDER [TASK]]]]
//
// TASK: only those whose names begin so (fsync, beside, sequential, small).
// In each turn every contestant gets a fresh file system of mke2fs (the same options, 4 KiB blocks,
// 64 MiB of journal) in a file in FOLDER, and does
//   fsync       1, 2 and 8 threads, each with a file of 16 MiB of its own: 4 KiB at a random place,
//               then fsync, for SECONDS
//   sequential  one file of 1 GiB in writes of 1 MiB, then one sync
//   small       50,000 files of 4 KiB in 50 folders, then one sync
//   beside      1 and 2 threads, each in a file of 1 MiB of its own: 4 KiB at a random place, for
//               SECONDS, without a sync: what operations on different files cost each other
// Medians over the turns, and beside them the flushes that reached the file: Linux's as the loop
// device counts them, ours as the device was asked.  fuse2fs does the last two, where it is
// installed.  Needs root for Linux's.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>

#include "base/prng.h"
#include "bench/engine_peers.h"
#include "tests/support/e2fs_image.h"

namespace {

using namespace powercut;
using namespace powercut::bench;

constexpr std::uint64_t kFileBytes = std::uint64_t{16} << 20;
constexpr std::uint64_t kSequentialBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kHotBytes = std::uint64_t{1} << 20;
constexpr std::uint32_t kPieceBytes = 4096;
constexpr unsigned kSmallFiles = 50'000, kSmallFolders = 50;

using Piece = std::array<std::uint8_t, kPieceBytes>;

struct Figure {
  double value = 0;           // per second, or seconds
  std::uint64_t flushes = 0;  // that reached the file
  std::uint64_t operations = 0;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Calls step(thread, random) again and again, in so many threads for so long: steps a second.
Figure rate_of(Peer& peer, unsigned threads, double seconds, const auto& step) {
  const std::uint64_t before = peer.flushes();
  std::atomic<bool> ends = false;
  std::atomic<std::uint64_t> count = 0;
  std::vector<std::thread> running;
  const auto start = std::chrono::steady_clock::now();
  for (unsigned t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      Prng random(t);
      std::uint64_t done = 0;
      for (; !ends; ++done) step(t, random);
      count += done;
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  ends = true;
  for (std::thread& thread : running) thread.join();
  return {static_cast<double>(count) / seconds_since(start), peer.flushes() - before, count};
}

// A file of so many bytes for each thread, durable.
std::vector<std::unique_ptr<PeerFile>> files_of_threads(Peer& peer, unsigned threads,
                                                        std::uint64_t bytes) {
  std::vector<std::unique_ptr<PeerFile>> files;
  const std::vector<std::uint8_t> mebibyte(1 << 20, 0x5A);
  for (unsigned t = 0; t < threads; ++t) {
    files.push_back(peer.create(fmt::format("thread{}", t)));
    for (std::uint64_t at = 0; at < bytes; at += mebibyte.size()) files.back()->write(at, mebibyte);
  }
  peer.sync();
  return files;
}

// fsyncs a second.
Figure fsyncs(Peer& peer, unsigned threads, double seconds) {
  const auto files = files_of_threads(peer, threads, kFileBytes);
  std::vector<Piece> pieces(threads);
  return rate_of(peer, threads, seconds, [&](unsigned t, Prng& random) {
    random.fill(pieces[t]);
    files[t]->write(random.below(kFileBytes / kPieceBytes) * kPieceBytes, pieces[t]);
    files[t]->sync();
  });
}

// Writes a second.
Figure beside(Peer& peer, unsigned threads, double seconds) {
  const auto files = files_of_threads(peer, threads, kHotBytes);
  std::vector<Piece> pieces(threads);
  return rate_of(peer, threads, seconds, [&](unsigned t, Prng& random) {
    pieces[t][random.below(kPieceBytes)] ^= 1;
    files[t]->write(random.below(kHotBytes / kPieceBytes) * kPieceBytes, pieces[t]);
  });
}

// Seconds, the sync included.
Figure sequential(Peer& peer) {
  const std::vector<std::uint8_t> mebibyte(1 << 20, 0xA5);
  const std::uint64_t before = peer.flushes();
  const auto start = std::chrono::steady_clock::now();
  const auto file = peer.create("large");
  for (std::uint64_t at = 0; at < kSequentialBytes; at += mebibyte.size())
    file->write(at, mebibyte);
  peer.sync();
  return {seconds_since(start), peer.flushes() - before, kSequentialBytes / mebibyte.size()};
}

Figure small_files(Peer& peer) {
  const std::vector<std::uint8_t> piece(kPieceBytes, 0x11);
  const std::uint64_t before = peer.flushes();
  const auto start = std::chrono::steady_clock::now();
  for (unsigned folder = 0; folder < kSmallFolders; ++folder) {
    peer.make_folder(fmt::format("d{}", folder));
    for (unsigned i = 0; i < kSmallFiles / kSmallFolders; ++i) {
      peer.create(fmt::format("d{}/f{}", folder, i))->write(0, piece);
    }
  }
  peer.sync();
  return {seconds_since(start), peer.flushes() - before, kSmallFiles};
}

using Figures = std::map<std::string, std::map<std::string, std::vector<Figure>>>;

struct Plan {
  double seconds = 5;
  std::string task;  // how its name begins
};

void one_turn(const std::string& name, const PeerMaker& make, const Plan& plan, bool does_threads,
              Figures& figures) {
  const double seconds = plan.seconds;
  const auto run = [&](const std::string& task, const auto& body) {
    if (!task.starts_with(plan.task)) return;
    const std::unique_ptr<Peer> peer = make();
    if (peer == nullptr) return;
    figures[task][name].push_back(body(*peer));
  };
  for (const unsigned threads : {1u, 2u, 8u}) {
    if (!does_threads) break;
    run(fmt::format("fsync of 4 KiB, {} thread{}", threads, threads == 1 ? "" : "s"),
        [&](Peer& peer) { return fsyncs(peer, threads, seconds); });
  }
  for (const unsigned threads : {1u, 2u}) {
    if (!does_threads) break;
    run(fmt::format("beside each other, {} thread{}", threads, threads == 1 ? "" : "s"),
        [&](Peer& peer) { return beside(peer, threads, seconds); });
  }
  run("sequential, 1 GiB", [](Peer& peer) { return sequential(peer); });
  run("small, 50,000 files", [](Peer& peer) { return small_files(peer); });
}

void print(const Figures& figures) {
  for (const auto& [task, by_name] : figures) {
    const bool is_rate = task.starts_with("fsync") || task.starts_with("beside");
    fmt::print("{}\n", task);
    for (const auto& [name, all] : by_name) {
      std::vector<Figure> sorted = all;
      std::ranges::sort(sorted, {}, &Figure::value);
      const Figure& median = sorted[sorted.size() / 2];
      const double per_flush = median.flushes == 0 ? 0
                                                   : static_cast<double>(median.operations) /
                                                         static_cast<double>(median.flushes);
      fmt::print(
          "  {:<26} {:>10.{}f} {}  ({:.{}f} to {:.{}f}); {} flushes, {:.2f} operations each\n",
          name, median.value, is_rate ? 0 : 2, is_rate ? "a second" : "seconds",
          sorted.front().value, is_rate ? 0 : 2, sorted.back().value, is_rate ? 0 : 2,
          median.flushes, per_flush);
    }
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  const int turns = argument_count > 1 ? std::atoi(arguments[1]) : 3;
  Plan plan;
  if (argument_count > 2) plan.seconds = std::atof(arguments[2]);
  const std::filesystem::path folder = argument_count > 3 ? arguments[3] : ".";
  if (argument_count > 4) plan.task = arguments[4];
  Figures figures;
  for (int turn = 0; turn < turns; ++turn) {
    const auto turn_of = [&](const std::string& name, const PeerMaker& make, bool does_threads) {
      one_turn(name, make, plan, does_threads, figures);
    };
    turn_of(
        "powercut", [&] { return powercut_peer(folder, Waits::kTwice); }, true);
    turn_of(
        "powercut, waits once", [&] { return powercut_peer(folder, Waits::kOnce); }, true);
    for (const std::string mode : {"data=journal", "data=ordered"}) {
      turn_of(
          "linux " + mode, [&] { return linux_peer(folder, mode, Waits::kTwice); }, true);
    }
    turn_of(
        "linux data=journal, async",
        [&] { return linux_peer(folder, "data=journal", Waits::kOnce); }, true);
    turn_of(
        "fuse2fs", [&] { return fuse2fs_peer(folder); }, false);
  }
  print(figures);
  return 0;
}
