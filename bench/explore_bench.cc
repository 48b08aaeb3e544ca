// How many distinct crash states are recovered and judged in a second on one core, against what a
// kernel's mount and e2fsck take for the same states.
//
//   explore_bench RECORDING [JUDGES [STATES [PEER_STATES [COMPARE_EVERY]]]]
//
// Ours explores the recording, without the check of the slow way unless COMPARE_EVERY asks for it.
// The peers get states of the same recording, drawn at random and written to files in memory
// beforehand, which is not timed: loop device, mount(2), umount(2), and that with `e2fsck -fn`
// behind it.  Needs root for the peers.
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "host/file.h"
#include "host/machine.h"
#include "lab/campaign/explore.h"
#include "lab/explore/state_name.h"
#include "reader/volume.h"
#include "tests/support/e2fs_image.h"

namespace {

using namespace powercut;
using namespace powercut::lab;
namespace fs = std::filesystem;

std::vector<JudgeName> judges_of(std::string_view words) {
  std::vector<JudgeName> judges;
  while (!words.empty()) {
    const std::size_t comma = words.find(',');
    const auto judge = judge_of(words.substr(0, comma));
    CHECK(judge, "a judge's name");
    judges.push_back(*judge);
    words = comma == std::string_view::npos ? std::string_view() : words.substr(comma + 1);
  }
  return judges;
}

// One mount and unmount of an image by system calls.  False if the kernel refuses it.
bool mount_once(const fs::path& image, const fs::path& folder) {
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
  ::close(control);
  const std::string device = "/dev/loop" + std::to_string(number);
  const int loop = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
  const int file = ::open(image.c_str(), O_RDWR | O_CLOEXEC);
  loop_config config{};
  config.fd = static_cast<__u32>(file);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  const bool is_mounted =
      ::ioctl(loop, LOOP_CONFIGURE, &config) == 0 &&
      ::mount(device.c_str(), folder.c_str(), "ext4", 0, "errors=remount-ro") == 0;
  if (is_mounted) ::umount2(folder.c_str(), 0);
  ::ioctl(loop, LOOP_CLR_FD, 0);
  ::close(loop);
  ::close(file);
  return is_mounted;
}

// Random states of random crash points, each written to a file.
std::vector<fs::path> write_states(BlockStream& stream, std::size_t count, const fs::path& folder) {
  std::size_t crash_points = 0;
  for (CrashWindow window(stream, {}); window.advance().value();) ++crash_points;
  Prng prng = Prng(1).child("peer states");
  std::vector<fs::path> paths;
  CrashWindow window(stream, {});
  for (std::size_t at = 0; window.advance().value() && paths.size() < count; ++at) {
    if (!prng.chance(count - paths.size(), crash_points - at)) continue;
    const fs::path path = folder / fmt::format("state{}", paths.size());
    auto file = File::create(path, stream.block_count() * stream.block_bytes()).value();
    std::vector<ContentId> contents;
    for (std::uint64_t block = 0; block < stream.block_count(); ++block) {
      contents.push_back(window.durable(BlockNo(block)));
    }
    for (const PendingBlock& pending : window.pending()) {
      const auto candidates = window.candidates(pending);
      contents[pending.block.value()] = candidates[prng.below(candidates.size())].content;
    }
    for (std::uint64_t block = 0; block < contents.size(); ++block) {
      if (contents[block] == kZeroContent) continue;
      CHECK(file.write_at(block * stream.block_bytes(), stream.pool().bytes(contents[block])),
            "room in memory");
    }
    paths.push_back(path);
  }
  return paths;
}

template <class Work>
double states_a_second(const std::vector<fs::path>& paths, Work work) {
  const SteadyClock clock;
  const Nanoseconds began = clock.now();
  for (const fs::path& path : paths) work(path);
  return static_cast<double>(paths.size()) / seconds_of(clock.now() - began);
}

void run_peers(const Recording& recording, std::uint32_t block_bytes, std::size_t count,
               double ours) {
  BlockStream stream = BlockStream::make(recording, block_bytes, std::uint64_t{8} << 30).value();
  const testing::TemporaryFolder folder;
  const fs::path mount_point = folder.path() / "mount";
  fs::create_directory(mount_point);
  const auto print = [&](const char* name, double rate) {
    fmt::print("{:44} {:10.1f} states/s   {:8.0f} times slower\n", name, rate, ours / rate);
  };
  const auto plain = write_states(stream, count, folder.path());
  std::size_t refused = 0;
  print("loop, mount(2), umount(2)", states_a_second(plain, [&](const fs::path& path) {
          if (!mount_once(path, mount_point)) ++refused;
        }));
  for (const fs::path& path : plain) fs::remove(path);
  const auto checked = write_states(stream, count, folder.path());
  std::size_t bad = 0;
  print("the same, then e2fsck -fn", states_a_second(checked, [&](const fs::path& path) {
          mount_once(path, mount_point);
          if (testing::run_shell("e2fsck -fn " + path.string() + " 2>&1").status != 0) ++bad;
        }));
  fmt::print("of {} states the kernel refused {}, e2fsck -fn called {} bad\n", count, refused, bad);
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 2) return 2;
  const auto file = File::open(arguments[1], File::Access::kRead).value();
  const Recording recording = read_recording(file, memory_bytes() / 4).value();
  ExploreOptions options;
  options.judges = explore_judges();
  if (argument_count > 2) options.judges = judges_of(arguments[2]);
  if (argument_count > 3) options.explorer.states_max = std::strtoull(arguments[3], nullptr, 10);
  const std::size_t peers = argument_count > 4 ? std::strtoull(arguments[4], nullptr, 10) : 100;
  options.explorer.compare_every =
      argument_count > 5 ? std::strtoull(arguments[5], nullptr, 10) : 0;
  options.memory_max = memory_bytes() / 2;
  const SteadyClock clock;
  const auto result =
      explore(recording, options, clock, [](const ExplorerCounts&) { return true; });
  if (!result) {
    fmt::print(stderr, "{}\n", error_words(result.error()));
    return 3;
  }
  const ExplorerCounts& counts = result->counts;
  const double judged = static_cast<double>(counts.judged) / counts.seconds;
  fmt::print("{} of {} crash points, {} of them completely; {:.2f} s\n", counts.explored,
             counts.crash_points, counts.whole, counts.seconds);
  fmt::print("{} states walked, {} distinct, {} distinct when recovered, {} bad; {} runs\n",
             counts.walked, counts.distinct, counts.recovered, counts.bad, counts.runs);
  fmt::print("{:44} {:10.1f} states/s\n", "explore: distinct recovered states judged", judged);
  fmt::print("{:44} {:10.1f} states/s\n", "explore: distinct states recovered",
             static_cast<double>(counts.distinct) / counts.seconds);
  if (is_root() && peers != 0) run_peers(recording, result->block_bytes, peers, judged);
  return 0;
}
