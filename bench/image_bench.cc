// How fast a journal is replayed and a tree is walked, against e2fsck, debugfs and the kernel.
//
//   image_bench [TURNS]
//
// For 64 MiB and 1 GiB: mke2fs packs a tree; a log of ours (v3, 64bit, 40 blocks a transaction)
// with new content for the blocks of one of its files is put into the journal.  All files lie in
// memory
// (/dev/shm), so what is measured is work, not a disk.  In each turn every contestant replays a
// fresh copy, and then walks the tree; medians over the turns are printed.  Beside each stands what
// the same calls cost where there is nothing to do: an image with an empty log.
//
//   in process   open, plan with all checksums, apply, mark; nothing forked
//   command      `powercut journal replay --in-place`, if the program is at build/release
//   kernel       LOOP_CONFIGURE, mount(2), umount(2), LOOP_CLR_FD; needs root
//
// The walk reads every directory and every inode; "with content" also every byte of every file.
// Walks and extraction are of the dirty image, as recovery would leave it (debugfs and e2fsck -n
// look at it as it lies), and of the clean one.
#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "base/prng.h"
#include "lab/image/image_file.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/journal_builder.h"

namespace {

using namespace powercut;
using testing::find_tool;
using testing::run_shell;
namespace fs = std::filesystem;

struct Size {
  const char* name;
  const char* mke2fs;
  const char* bytes;
  int files;
  std::uint32_t log_blocks;  // of data to replay
};
constexpr Size kSizes[] = {
    {"64 MiB", "-b 4096 -J size=16 -N 4000", "64M", 2000, 3'600},
    {"1 GiB", "-b 4096 -J size=64 -N 24000", "1G", 20'000, 15'600},
};

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

// A program with its output thrown away; its exit status.
int run_quietly(const std::vector<std::string>& words) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) ::dup2(null, fd);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// One mount through a loop device, by system calls.
class KernelMount {
 public:
  KernelMount(const fs::path& image, const fs::path& folder) : folder_(folder) {
    const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    ::close(control);
    const std::string device = "/dev/loop" + std::to_string(number);
    loop_ = ::open(device.c_str(), O_RDWR | O_CLOEXEC);
    const int backing = ::open(image.c_str(), O_RDWR | O_CLOEXEC);
    loop_config config{};
    config.fd = static_cast<std::uint32_t>(backing);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    is_mounted_ = ::ioctl(loop_, LOOP_CONFIGURE, &config) == 0 &&
                  ::mount(device.c_str(), folder.c_str(), "ext4", 0, "errors=remount-ro") == 0;
    ::close(backing);
  }
  ~KernelMount() {
    if (is_mounted_) ::umount2(folder_.c_str(), 0);
    ::ioctl(loop_, LOOP_CLR_FD, 0);
    ::close(loop_);
  }
  KernelMount(const KernelMount&) = delete;
  KernelMount& operator=(const KernelMount&) = delete;
  bool is_mounted() const { return is_mounted_; }

 private:
  fs::path folder_;
  int loop_ = -1;
  bool is_mounted_ = false;
};

struct Walked {
  std::uint64_t entries = 0, bytes = 0;
};

class OurWalk {
 public:
  OurWalk(const Volume& volume, bool reads_content)
      : volume_(volume), reads_content_(reads_content), piece_(1 << 20) {}
  Walked run() {
    std::vector<InodeNo> folders = {kRootInode};
    while (!folders.empty()) {
      const InodeNo number = folders.back();
      folders.pop_back();
      const Inode inode = volume_.inode(number).value();
      const auto walked = volume_.for_each_entry(number, inode, [&](const DirectoryEntry& entry) {
        if (entry.name != "." && entry.name != "..") one(entry.inode, folders);
        return true;
      });
      CHECK(walked, "a sound image");
    }
    return walked_;
  }

 private:
  void one(InodeNo number, std::vector<InodeNo>& folders) {
    const Inode inode = volume_.inode(number).value();
    ++walked_.entries;
    if (inode.is(InodeType::kDirectory)) folders.push_back(number);
    if (!reads_content_ || !inode.is(InodeType::kRegular)) return;
    for (std::uint64_t at = 0; at < inode.size; at += piece_.size()) {
      walked_.bytes += volume_.read_file(number, inode, at, piece_).value();
    }
  }
  const Volume& volume_;
  const bool reads_content_;
  std::vector<std::uint8_t> piece_;
  Walked walked_;
};

class TheirWalk {
 public:
  explicit TheirWalk(bool reads_content) : reads_content_(reads_content), piece_(1 << 20) {}
  Walked run(const fs::path& root) {
    folder(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return walked_;
  }

 private:
  void folder(int fd) {
    DIR* const entries = ::fdopendir(fd);
    if (entries == nullptr) return;
    while (const dirent* entry = ::readdir(entries)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") one(fd, entry->d_name);
    }
    ::closedir(entries);
  }
  void one(int parent, const char* name) {
    struct stat status {};
    if (::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    ++walked_.entries;
    if (S_ISDIR(status.st_mode)) {
      folder(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    } else if (reads_content_ && S_ISREG(status.st_mode)) {
      const int file = ::openat(parent, name, O_RDONLY | O_CLOEXEC);
      for (ssize_t count = 1; count > 0; walked_.bytes += static_cast<std::uint64_t>(count)) {
        count = ::read(file, piece_.data(), piece_.size());
        if (count < 0) break;
      }
      ::close(file);
    }
  }
  const bool reads_content_;
  std::vector<std::uint8_t> piece_;
  Walked walked_;
};

// A log over the blocks of the file /data, in the journal of `image`.
std::uint64_t put_log(const fs::path& image, std::uint32_t blocks_wanted) {
  auto file = lab::ImageFile::open({.path = image, .is_writable = true}).value();
  const Volume& volume = file.volume_as_it_lies();
  const InodeNo number = volume.find("/data").value();
  std::vector<BlockNo> homes;
  CHECK(volume.for_each_run(number, volume.inode(number).value(),
                            [&](const FileRun& run) {
                              for (std::uint64_t i = 0; i < run.count; ++i) {
                                homes.push_back(run.device + i);
                              }
                              return true;
                            }),
        "a sound image");
  const JournalMap map = locate_journal(volume).value();
  JournalSpec spec;
  spec.log_block_count = map.block_count();
  JournalBuilder builder(spec);
  Prng prng(7);
  for (std::uint32_t done = 0; done < blocks_wanted;) {
    TransactionSpec transaction;
    for (int i = 0; i < 40; ++i, ++done) {
      transaction.blocks.push_back(
          {homes[prng.below(homes.size())], patterned_block(spec.block_bytes, prng.next())});
    }
    builder.add_transaction(transaction);
  }
  CHECK(builder.write_to(file.device(), map), "the log fits");
  CHECK(file.device().flush(), "in memory");
  run_shell("debugfs -w -R 'feature needs_recovery' '" + image.string() + "'");
  return blocks_wanted;
}

class Bench {
 public:
  Bench(const Size& size, int turns) : size_(size), turns_(turns) {
    program_ = fs::current_path() / "build/release/powercut";
    fs::create_directory(path("tree"));
    fs::create_directory(path("mount"));
    Prng prng(3);
    for (int i = 0; i < size_.files; ++i) {
      const auto folder = path("tree") / ("d" + std::to_string(i % 100));
      fs::create_directories(folder);
      std::ofstream(folder / ("file" + std::to_string(i))) << std::string(prng.below(9000), 'x');
    }
    std::ofstream(path("tree") / "data")
        << std::string(std::size_t{size_.log_blocks} * 4096 / 2, 'd');
    const auto made = run_shell("truncate -s " + std::string(size_.bytes) + " " + quoted("clean") +
                                " && mke2fs -q -F -t ext4 " + size_.mke2fs + " -d " +
                                quoted("tree") + " " + quoted("clean"));
    CHECK(made.status == 0, "mke2fs is needed");
    fs::copy_file(path("clean"), path("dirty"));
    put_log(path("dirty"), size_.log_blocks);
    for (int i = 0; i < 100; ++i) commands_ += "ls -l /d" + std::to_string(i) + "\n";
    std::ofstream(path("commands")) << commands_;
  }

  void run() {
    fmt::print("\n{}: {} files; {} blocks in the log\n", size_.name, size_.files + 1,
               size_.log_blocks);
    replay();
    walk();
    extract();
  }

 private:
  fs::path path(const char* name) const { return folder_.path() / name; }
  std::string quoted(const char* name) const { return "'" + path(name).string() + "'"; }

  struct Contestant {
    std::string name;
    std::function<bool(const fs::path&)> work;  // false: could not be measured
    std::vector<double> busy = {}, idle = {};
    bool is_measured = true;
  };

  // `idle_name` is what the clean image stands for.
  void race(std::vector<Contestant>& all, const char* idle_name) {
    for (int turn = 0; turn < turns_; ++turn) {
      for (Contestant& each : all) {
        for (const bool is_busy : {true, false}) {
          fs::copy_file(path(is_busy ? "dirty" : "clean"), path("image"),
                        fs::copy_options::overwrite_existing);
          bool is_done = true;
          const double seconds = seconds_of([&] { is_done = each.work(path("image")); });
          (is_busy ? each.busy : each.idle).push_back(seconds);
          fs::remove_all(path("out"));
          each.is_measured = each.is_measured && is_done;
        }
      }
    }
    for (const Contestant& each : all) {
      if (!each.is_measured) {
        fmt::print("  {:<44} not measured: it failed\n", each.name);
        continue;
      }
      const double busy = median(each.busy), first = median(all.front().busy);
      fmt::print("  {:<44} {:>9.2f} ms", each.name, busy * 1e3);
      fmt::print("   {} {:>9.2f} ms", idle_name, median(each.idle) * 1e3);
      fmt::print("   x {:.1f}\n", busy / first);
    }
  }

  void replay() {
    std::vector<Contestant> all;
    all.push_back({"replay: in process", [](const fs::path& image) {
                     auto file = lab::ImageFile::open({.path = image, .is_writable = true});
                     if (!file || !file->journal()) return false;
                     const auto& journal = *file->journal();
                     if (!file->is_dirty()) return true;
                     return apply_recovery(journal.plan, file->device(), journal.map,
                                           file->device())
                                .has_value() &&
                            mark_recovered(journal.plan, file->device()).has_value();
                   }});
    all.push_back({"replay: powercut journal replay", [this](const fs::path& image) {
                     return run_quietly({program_.string(), "journal", "replay", "--in-place",
                                         image.string()}) == 0;
                   }});
    const std::string e2fsck = find_tool("e2fsck").value_or("");
    const std::string debugfs = find_tool("debugfs").value_or("");
    all.push_back({"replay: e2fsck -E journal_only", [e2fsck](const fs::path& image) {
                     return run_quietly({e2fsck, "-y", "-E", "journal_only", image.string()}) <= 1;
                   }});
    all.push_back({"replay: debugfs -w -R jr", [debugfs](const fs::path& image) {
                     return run_quietly({debugfs, "-w", "-R", "jr", image.string()}) == 0;
                   }});
    all.push_back({"replay: kernel, mount and umount", [this](const fs::path& image) {
                     return KernelMount(image, path("mount")).is_mounted();
                   }});
    race(all, "nothing to do");
  }

  void walk() {
    const std::string e2fsck = find_tool("e2fsck").value_or("");
    const std::string debugfs = find_tool("debugfs").value_or("");
    for (const bool reads : {false, true}) {
      const std::string name = reads ? "walk with content: " : "walk: ";
      std::uint64_t expected = 0;
      std::vector<Contestant> all;
      all.push_back({name + "in process", [&, reads](const fs::path& image) {
                       const auto file = lab::ImageFile::open({.path = image});
                       if (!file || !file->volume()) return false;
                       expected = OurWalk(*file->volume().value(), reads).run().entries;
                       return true;
                     }});
      all.push_back({name + "kernel, mount and umount", [&, reads](const fs::path& image) {
                       const KernelMount mount(image, path("mount"));
                       return mount.is_mounted() &&
                              TheirWalk(reads).run(path("mount")).entries == expected;
                     }});
      if (!reads) {
        all.push_back(
            {name + "debugfs ls -l of each folder", [&](const fs::path& image) {
               return run_quietly({debugfs, "-f", path("commands").string(), image.string()}) == 0;
             }});
        all.push_back({name + "e2fsck -fn", [&](const fs::path& image) {
                         return run_quietly({e2fsck, "-fn", image.string()}) != 127;
                       }});
      }
      race(all, "clean image");
    }
  }

  // Everything out of the image into a folder in memory.  debugfs does not look at the log.
  void extract() {
    std::vector<Contestant> all;
    const std::string out = path("out").string();
    const std::string debugfs = find_tool("debugfs").value_or("");
    all.push_back(
        {"extract: powercut image extract", [this, out](const fs::path& image) {
           return run_quietly({program_.string(), "image", "extract", image.string(), out}) == 0;
         }});
    all.push_back({"extract: debugfs rdump", [this, out, debugfs](const fs::path& image) {
                     fs::create_directory(path("out"));
                     return run_quietly({debugfs, "-R", "rdump / " + out, image.string()}) == 0;
                   }});
    all.push_back({"extract: kernel, mount, cp -a, umount", [this, out](const fs::path& image) {
                     const KernelMount mount(image, path("mount"));
                     return mount.is_mounted() &&
                            run_quietly({"/bin/cp", "-a", path("mount").string(), out}) == 0;
                   }});
    race(all, "clean image");
  }

  const Size size_;
  const int turns_;
  testing::TemporaryFolder folder_;
  fs::path program_;
  std::string commands_;
};

}  // namespace

int main(int count, char** words) {
  const int turns = count > 1 ? std::max(1, std::atoi(words[1])) : 7;
  fmt::print("medians of {} turns; x: times the first line of its block\n", turns);
  for (const Size& size : kSizes) Bench(size, turns).run();
  return 0;
}
