#include "host/in_use.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fcntl.h>

#include "host/file.h"
#include "host/lock_holder.h"

namespace powercut {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kTableMax = std::uint64_t{16} << 20;  // bytes of mountinfo or swaps
constexpr std::size_t kUsesMax = 64;

// A file on its file system.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
};

std::string first_line_of(const fs::path& path) {
  const auto text = read_text_file(path, kTableMax);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  const auto text = read_text_file(path, kTableMax);
  for (std::size_t at = 0; text && at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    lines.push_back(text->substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; (at = line.find_first_not_of(" \t", at)) != std::string::npos;) {
    const std::size_t end = std::min(line.find_first_of(" \t", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

// A path as the kernel prints it into its tables: blanks and backslashes are "\040" and so on.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned value = 0;
    const char* const digits = text.data() + at + 1;
    const bool is_escape = text[at] == '\\' && text.size() - at > 3 &&
                           std::from_chars(digits, digits + 3, value, 8).ptr == digits + 3 &&
                           value < 256;
    plain += is_escape ? static_cast<char>(value) : text[at];
    if (is_escape) at += 3;
  }
  return plain;
}

// The names in a folder of /sys, sorted; none if there is no such folder.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().native());
  }
  std::ranges::sort(names);
  return names;
}

class Search {
 public:
  explicit Search(const SystemFolders& system)
      : system_(system),
        mounts_(lines_of(system.proc / "self" / "mountinfo")),
        swaps_(lines_of(system.proc / "swaps")) {}

  Result<std::vector<ImageUse>> run(const fs::path& image) {
    struct stat status {};
    if (::stat(image.c_str(), &status) != 0) {
      return os_failure("cannot look at a file", image.native(), errno);
    }
    if (S_ISBLK(status.st_mode)) {
      look_at_disk(status.st_rdev);
    } else {
      look_for_swap(FileId{status.st_dev, status.st_ino}, image.native());
      look_for_loops(FileId{status.st_dev, status.st_ino});
      const auto holder = lock_holder(status, system_);
      if (holder && holder->is_writer) {
        add(UseKind::kProcess, holder->words + " has it open to write");
      }
    }
    return std::move(uses_);
  }

 private:
  void add(UseKind kind, std::string who) {
    const bool is_known =
        std::ranges::any_of(uses_, [&](const ImageUse& use) { return use.who == who; });
    if (!is_known && uses_.size() < kUsesMax) uses_.push_back({kind, std::move(who)});
  }

  void look_for_loops(const FileId& image) {
    for (const std::string& name : names_in(system_.sys / "block")) {
      if (!name.starts_with("loop")) continue;
      const fs::path folder = system_.sys / "block" / name;
      if (!is_behind(image, name, folder)) continue;
      add(UseKind::kLoop, "attached to /dev/" + name);
      look_at(folder, name);
    }
  }

  // Whether `image` is the file behind a loop device.  The device itself knows its inode, but only
  // root may ask; the path of the file is for everyone.
  bool is_behind(const FileId& image, const std::string& name, const fs::path& folder) const {
    const std::string path = first_line_of(folder / "loop" / "backing_file");
    if (path.empty()) return false;
    const Fd fd(::open((system_.dev / name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct loop_info64 info {};
    if (fd.is_open() && ::ioctl(fd.get(), LOOP_GET_STATUS64, &info) == 0) {
      return FileId{static_cast<dev_t>(info.lo_device), static_cast<ino_t>(info.lo_inode)} == image;
    }
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && FileId{status.st_dev, status.st_ino} == image;
  }

  // The whole disk for a partition, too: its mount would be over the same blocks.
  void look_at_disk(dev_t number) {
    const std::string numbers = std::to_string(major(number)) + ":" + std::to_string(minor(number));
    std::error_code error;
    const fs::path folder = fs::canonical(system_.sys / "dev" / "block" / numbers, error);
    if (error) {
      look_for_mounts(numbers, "it");
      look_for_swap(number, "it");
      return;
    }
    look_at(folder, folder.filename().native());
    if (!fs::exists(folder / "partition", error)) return;
    look_at_device(folder.parent_path(), folder.parent_path().filename().native());
  }

  // One device and its partitions.
  void look_at(const fs::path& folder, const std::string& name) {
    look_at_device(folder, name);
    for (const std::string& part : names_in(folder)) {
      std::error_code error;
      if (fs::exists(folder / part / "partition", error)) look_at_device(folder / part, part);
    }
  }

  void look_at_device(const fs::path& folder, const std::string& name) {
    if (!seen_.insert(name).second) return;
    const std::string numbers = first_line_of(folder / "dev");
    look_for_mounts(numbers, "/dev/" + name);
    unsigned major_number = 0, minor_number = 0;
    const char* const end = numbers.data() + numbers.size();
    const auto first = std::from_chars(numbers.data(), end, major_number);
    if (first.ptr != end && std::from_chars(first.ptr + 1, end, minor_number).ptr == end) {
      look_for_swap(makedev(major_number, minor_number), "/dev/" + name);
    }
    for (const std::string& holder : names_in(folder / "holders")) {
      add(UseKind::kHolder, "/dev/" + name + " is part of " + name_of_holder(holder));
      std::error_code error;
      const fs::path above = fs::canonical(folder / "holders" / holder, error);
      // Each device is looked at once, so a loop of holders ends.
      if (!error && seen_.size() < kUsesMax) look_at(above, holder);
    }
  }

  std::string name_of_holder(const std::string& holder) const {
    const std::string mapped = first_line_of(system_.sys / "block" / holder / "dm" / "name");
    return "/dev/" + holder + (mapped.empty() ? "" : " (" + mapped + ")");
  }

  // mountinfo: number, parent, major:minor, root, mount point, ...
  void look_for_mounts(const std::string& numbers, const std::string& name) {
    for (const std::string& line : mounts_) {
      const std::vector<std::string> words = words_of(line);
      if (words.size() < 5 || words[2] != numbers) continue;
      add(UseKind::kMount, name + " is mounted on " + unescaped(words[4]));
    }
  }

  // swaps: a line of headings, then path, type, ...
  template <class Id>
  void look_for_swap(const Id& wanted, const std::string& name) {
    for (std::size_t i = 1; i < swaps_.size(); ++i) {
      const std::vector<std::string> words = words_of(swaps_[i]);
      struct stat status {};
      if (words.empty() || ::stat(unescaped(words[0]).c_str(), &status) != 0) continue;
      if (is(wanted, status)) add(UseKind::kSwap, name + " is swap");
    }
  }
  static bool is(const FileId& wanted, const struct stat& status) {
    return FileId{status.st_dev, status.st_ino} == wanted;
  }
  static bool is(dev_t wanted, const struct stat& status) {
    return S_ISBLK(status.st_mode) && status.st_rdev == wanted;
  }

  const SystemFolders& system_;
  const std::vector<std::string> mounts_, swaps_;
  std::set<std::string> seen_;  // devices that were looked at
  std::vector<ImageUse> uses_;
};

}  // namespace

Result<std::vector<ImageUse>> uses_of(const std::filesystem::path& image,
                                      const SystemFolders& system) {
  return Search(system).run(image);
}

}  // namespace powercut
