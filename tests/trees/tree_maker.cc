#include "tests/trees/tree_maker.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/prng.h"

namespace powercut::testing {
namespace {

namespace fs = std::filesystem;

class OpenFile {
 public:
  OpenFile(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {
    if (fd_ < 0) throw std::runtime_error("cannot open " + path.string());
  }
  ~OpenFile() { ::close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  void write(std::uint64_t offset, const std::vector<std::uint8_t>& bytes) const {
    const auto done = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("short write");
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::vector<std::uint8_t> random_bytes(Prng& prng, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(prng.next());
  return bytes;
}

// Bytes that a name may have: anything but '/' and zero, with a number in front that makes it
// unlike all others.
std::string random_name(Prng& prng, int number, std::size_t length) {
  std::string name = std::to_string(number);
  while (name.size() < length) {
    const auto byte = static_cast<char>(1 + prng.below(255));
    name += byte == '/' ? '_' : byte;
  }
  return name;
}

class Maker {
 public:
  Maker(const fs::path& root, const TreeSpec& spec)
      : root_(root), spec_(spec), prng_(Prng(spec.seed).child("tree")) {}

  TreeCounts run() {
    wide();
    spread();
    deep();
    sparse();
    links();
    odd();
    return counts_;
  }

 private:
  void folder(const fs::path& path) {
    fs::create_directory(path);
    ++counts_.folders;
  }
  void file(const fs::path& path, std::size_t bytes) {
    const OpenFile opened(path, O_CREAT | O_EXCL | O_WRONLY);
    auto content = random_bytes(prng_, bytes);
    // With inline_data mke2fs 1.47.0 loses a last block that is all zero, and its length with it.
    if (bytes != 0) content.back() |= 1;
    if (bytes != 0) opened.write(0, content);
    ++counts_.files;
  }
  void xattr(const fs::path& path, const std::string& name, std::size_t bytes) {
    if (!spec_.has_xattrs) return;
    const auto value = random_bytes(prng_, bytes);
    if (::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) == 0) {
      ++counts_.xattrs;
    }
  }

  void wide() {
    folder(root_ / "wide");
    for (int i = 0; i < spec_.wide_names; ++i) {
      const auto length = prng_.chance(1, 50) ? 255 : 1 + prng_.below(80);
      file(root_ / "wide" / random_name(prng_, i, length), prng_.chance(1, 4) ? 20 : 0);
    }
  }

  void spread() {
    folder(root_ / "spread");
    for (int i = 0; i < spec_.spread_files; ++i) {
      const auto parent = root_ / "spread" / ("d" + std::to_string(i % 200));
      if (i < 200) folder(parent);
      const auto path = parent / ("f" + std::to_string(i));
      // Around the sizes that matter: what fits an inode, and blocks of 1 and 4 KiB.
      static constexpr std::array<std::size_t, 9> kEdges = {0,    1,    59,   60,  61,
                                                            1023, 1024, 4095, 4097};
      file(path, prng_.chance(1, 3) ? kEdges[prng_.below(kEdges.size())] : prng_.below(3000));
      if (i % 40 == 0) xattr(path, "user.small", prng_.below(60));
      if (i % 200 == 0) xattr(path, "user.middle", 200 + prng_.below(500));
    }
  }

  void deep() {
    fs::path at = root_ / "deep";
    folder(at);
    for (int i = 0; i < spec_.deep_levels; ++i) {
      at /= "level-" + std::to_string(i);
      folder(at);
      file(at / "file", 100);
    }
  }

  void sparse() {
    folder(root_ / "sparse");
    const OpenFile pieces(root_ / "sparse" / "pieces", O_CREAT | O_EXCL | O_WRONLY);
    const OpenFile other(root_ / "sparse" / "other", O_CREAT | O_EXCL | O_WRONLY);
    counts_.files += 2;
    for (int i = 0; i < spec_.pieces; ++i) {
      const auto at = static_cast<std::uint64_t>(i) * 8192 + 4096;
      pieces.write(at, random_bytes(prng_, 4096));
      if (!spec_.grows_in_turns) continue;
      other.write(static_cast<std::uint64_t>(i) * 4096, random_bytes(prng_, 4096));
      if (i % 100 == 0) ::fsync(pieces.get());  // each gets its blocks now, in turn
    }
    for (int i = 0; i < 20; ++i) {
      const OpenFile hole(root_ / "sparse" / ("hole" + std::to_string(i)),
                          O_CREAT | O_EXCL | O_WRONLY);
      // The farthest: past what direct, single, and double indirect blocks of 1 KiB reach.
      const auto at = prng_.below(std::uint64_t{1} << (12 + std::min(i, 15)));
      hole.write(at, random_bytes(prng_, 1 + prng_.below(9000)));
      ++counts_.files;
    }
    const OpenFile big(root_ / "sparse" / "big", O_CREAT | O_EXCL | O_WRONLY);
    for (std::uint64_t at = 0; at < spec_.big_bytes; at += 1 << 20) {
      big.write(at, random_bytes(prng_, 1 << 20));
    }
    ++counts_.files;
  }

  void links() {
    folder(root_ / "links");
    for (int i = 0; i < 300; ++i) {
      const std::size_t length = i < 200 ? 1 + prng_.below(59) : 60 + prng_.below(900);
      const auto number = std::to_string(i);
      fs::create_symlink(std::string(length, static_cast<char>('a' + i % 26)),
                         root_ / "links" / ("s" + number));
      ++counts_.symlinks;
      if (i >= 100) continue;
      fs::create_hard_link(root_ / "spread" / ("d" + number) / ("f" + number),
                           root_ / "links" / ("h" + number));
      ++counts_.hard_links;
    }
  }

  void odd() {
    folder(root_ / "odd");
    folder(root_ / "odd" / "empty");
    const auto fifo = root_ / "odd" / "fifo";
    if (::mkfifo(fifo.c_str(), 0600) == 0) ++counts_.others;
    const auto dated = root_ / "odd" / "dated";
    file(dated, 10);
    const std::array<timespec, 2> times = {timespec{2'000'000'000, 123'456'789},
                                           timespec{1'000'000'000, 987'654'321}};
    ::utimensat(AT_FDCWD, dated.c_str(), times.data(), 0);
    ::chmod(dated.c_str(), 04711);
    xattr(dated, "user.empty", 0);
    for (int i = 0; i < 12; ++i) xattr(dated, "user.many" + std::to_string(i), 20);
  }

  const fs::path root_;
  const TreeSpec spec_;
  Prng prng_;
  TreeCounts counts_;
};

}  // namespace

TreeCounts make_big_tree(const std::filesystem::path& root, const TreeSpec& spec) {
  return Maker(root, spec).run();
}

void churn_tree(const std::filesystem::path& root, std::uint64_t seed) {
  Prng prng = Prng(seed).child("churn");
  for (int i = 0; i < 6000; i += 3) {
    const auto path = root / "spread" / ("d" + std::to_string(i % 200)) / ("f" + std::to_string(i));
    if (!fs::exists(path)) continue;
    switch (prng.below(5)) {
      case 0: fs::remove(path); break;
      case 1: fs::rename(path, root / "odd" / ("moved" + std::to_string(i))); break;
      case 2: fs::resize_file(path, prng.below(20000)); break;
      case 3: {
        const OpenFile file(path, O_WRONLY);
        file.write(prng.below(50000), random_bytes(prng, 1 + prng.below(12000)));
        break;
      }
      default: {
        const OpenFile file(path, O_WRONLY);
        ::fallocate(file.get(), FALLOC_FL_KEEP_SIZE, 0, 65536);
        ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2048);
      }
    }
  }
}

}  // namespace powercut::testing
