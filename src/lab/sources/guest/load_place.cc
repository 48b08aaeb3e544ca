#include "lab/sources/guest/load_place.h"

#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace powercut::lab {
namespace {

std::string text_of(const std::string& path) {
  constexpr std::size_t kTextMax = std::size_t{1} << 20;
  std::string text;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[4096];
  ssize_t count = 0;
  while (text.size() < kTextMax && (count = ::read(fd, buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(fd);
  return text;
}

// The line of /proc/self/mountinfo for a device, "MAJOR:MINOR".
std::string mount_line(const std::string& device) {
  const std::string all = text_of("/proc/self/mountinfo");
  std::string found;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\n', at), all.size());
    const std::string line = all.substr(at, end - at);
    if (line.find(" " + device + " ") != line.npos) found = line;
    at = end + 1;
  }
  return found;
}

std::optional<DataMode> mode_in(const std::string& text) {
  constexpr std::string_view kWord = "data=";
  const std::size_t at = text.find(kWord);
  if (at == text.npos) return std::nullopt;
  const std::size_t begin = at + kWord.size();
  return data_mode_of(text.substr(begin, text.find_first_of(", \n", begin) - begin));
}

}  // namespace

DataMode find_data_mode(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return DataMode::kUnknown;
  const std::string device =
      std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
  const std::string line = mount_line(device);
  // ... - ext4 /dev/vda OPTIONS; what is the default is only said in /proc/fs/ext4.
  const std::size_t at = line.find(" - ext4 ");
  if (at == line.npos) return DataMode::kUnknown;
  const std::string rest = line.substr(at + 8);
  const std::string source = rest.substr(0, rest.find(' '));
  const std::string name = source.substr(source.rfind('/') + 1);
  if (const auto mode = mode_in(text_of("/proc/fs/ext4/" + name + "/options"))) return *mode;
  return mode_in(rest).value_or(DataMode::kUnknown);
}

Result<LoadPlace> LoadPlace::make(LoadShared& shared, const std::string& parent,
                                  const std::string& name, const Prng& prng) {
  const std::string path = parent + "/" + name;
  const LoadSystem::Opened folder = TRY(shared.system.make_folder(path));
  return LoadPlace(shared, path, folder.number, folder.inode, prng);
}

LoadPlace::LoadPlace(LoadPlace&& other) noexcept
    : shared_(other.shared_),
      path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      inode_(other.inode_),
      prng_(other.prng_),
      operation_count_(other.operation_count_) {}

LoadPlace::~LoadPlace() {
  if (fd_ >= 0) system().close(fd_);
}

bool LoadPlace::goes_on() {
  const std::uint64_t most = shared_->options.operation_max;
  if (most != 0 && operation_count_ >= most) return false;
  if (shared_->is_over.load(std::memory_order_relaxed)) return false;
  if (shared_->clock.now() >= shared_->deadline) return false;
  ++operation_count_;
  shared_->operations.fetch_add(1, std::memory_order_relaxed);
  return true;
}

Result<void> LoadPlace::sync_names() {
  TRY(system().sync(fd_, SyncWay::kFsync, path_));
  shared_->syncs.fetch_add(1, std::memory_order_relaxed);
  return {};
}

Result<void> LoadPlace::mark(std::vector<Clause> clauses) {
  if (!system().takes_marks()) return {};
  const std::string text = promise_text({shared_->code.run(), std::move(clauses)});
  CHECK(text.size() <= kPromiseBytesMax, "workload: clauses that do not fit into a mark");
  shared_->mark_count.fetch_add(1, std::memory_order_relaxed);
  return system().mark(text);
}

Result<void> LoadPlace::mark_all(const std::vector<Clause>& clauses) {
  constexpr std::size_t kClausesMax = 60;  // the longest kind of these has 50 bytes
  for (std::size_t at = 0; at < clauses.size(); at += kClausesMax) {
    const auto first = clauses.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = std::min(kClausesMax, clauses.size() - at);
    TRY(mark({first, first + static_cast<std::ptrdiff_t>(count)}));
  }
  return {};
}

}  // namespace powercut::lab
