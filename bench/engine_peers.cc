#include "bench/engine_peers.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <optional>

#include "block/store_device.h"
#include "host/file.h"
#include "host/loop_device.h"
#include "host/wall_clock.h"
#include "powercut/volume.h"
#include "tests/support/e2fs_image.h"

namespace powercut::bench {
namespace {

namespace files = std::filesystem;
using testing::run_shell;

// An image that goes with its object.
class ImageFile {
 public:
  explicit ImageFile(const files::path& folder, Waits waits = Waits::kTwice)
      : path_(folder / fmt::format("engine_bench-{}.img", ::getpid())) {
    files::remove(path_);
    const auto made = run_shell(fmt::format(
        "truncate -s 3G {0} && mke2fs -q -F -t ext4 {1} -J size=64 -E lazy_itable_init=0,nodiscard "
        "{0}",
        path_.string(), waits == Waits::kOnce ? "-O ^metadata_csum" : ""));
    CHECK(made.status == 0, "mke2fs is needed");
  }
  ~ImageFile() { files::remove(path_); }
  ImageFile(const ImageFile&) = delete;
  ImageFile& operator=(const ImageFile&) = delete;
  const files::path& path() const { return path_; }

 private:
  files::path path_;
};

class FolderFile final : public PeerFile {
 public:
  explicit FolderFile(const files::path& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    CHECK(fd_ >= 0, "a file of the peer cannot be made");
  }
  ~FolderFile() override { ::close(fd_); }
  void write(std::uint64_t offset, Bytes bytes) override {
    const ssize_t done = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    CHECK(done == static_cast<ssize_t>(bytes.size()), "a write of the peer failed");
  }
  void sync() override { CHECK(::fsync(fd_) == 0, "an fsync of the peer failed"); }

 private:
  const int fd_;
};

// A mounted folder.
class FolderPeer : public Peer {
 public:
  std::unique_ptr<PeerFile> create(const std::string& path) override {
    return std::make_unique<FolderFile>(folder_ / path);
  }
  void make_folder(const std::string& path) override {
    CHECK(::mkdir((folder_ / path).c_str(), 0755) == 0, "a folder of the peer cannot be made");
  }
  void sync() override {
    const int fd = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0 && ::syncfs(fd) == 0, "a sync of the peer failed");
    ::close(fd);
  }

 protected:
  explicit FolderPeer(files::path folder) : folder_(std::move(folder)) {
    files::create_directory(folder_);
  }
  ~FolderPeer() override { files::remove(folder_); }
  const files::path folder_;
};

class LinuxPeer final : public FolderPeer {
 public:
  LinuxPeer(const files::path& folder, const std::string& options, Waits waits)
      : FolderPeer(folder / fmt::format("engine_bench-{}.mnt", ::getpid())), image_(folder, waits) {
    backing_ = Fd(::open(image_.path().c_str(), O_RDWR | O_CLOEXEC));
    loop_.emplace(LoopDevice::attach(backing_, {.name = "engine_bench"}).value());
    const std::string all =
        "errors=remount-ro," + options + (waits == Waits::kOnce ? ",journal_async_commit" : "");
    CHECK(::mount(loop_->path().c_str(), folder_.c_str(), "ext4", 0, all.c_str()) == 0,
          "the peer cannot be mounted");
  }
  ~LinuxPeer() override {
    ::umount2(folder_.c_str(), 0);
    loop_->release();
  }
  // The 16th number of the device's statistics.
  std::uint64_t flushes() const override {
    std::ifstream stat("/sys/block/" + loop_->path().substr(5) + "/stat");
    std::uint64_t value = 0;
    for (int i = 0; i < 16; ++i) stat >> value;
    return value;
  }

 private:
  ImageFile image_;
  Fd backing_;
  std::optional<LoopDevice> loop_;
};

class Fuse2fsPeer final : public FolderPeer {
 public:
  explicit Fuse2fsPeer(const files::path& folder)
      : FolderPeer(folder / fmt::format("engine_bench-{}.mnt", ::getpid())), image_(folder) {
    const auto mounted = run_shell(
        fmt::format("fuse2fs {} {} -o fakeroot", image_.path().string(), folder_.string()));
    CHECK(mounted.status == 0, "fuse2fs cannot mount");
  }
  ~Fuse2fsPeer() override { run_shell("fusermount3 -u " + folder_.string() + "; sleep 1"); }
  std::uint64_t flushes() const override { return 0; }  // nobody counts them

 private:
  ImageFile image_;
};

// A file as a disk that counts what it is asked to make durable.
class CountingStore final : public ByteStore {
 public:
  explicit CountingStore(File& file) : file_(file) {}
  std::uint64_t size_bytes() const override { return file_.size_bytes(); }
  Result<void> read_at(std::uint64_t offset, MutableBytes into) const override {
    return file_.read_at(offset, into);
  }
  Result<void> write_at(std::uint64_t offset, Bytes from) override {
    return file_.write_at(offset, from);
  }
  Result<void> write_pieces_at(std::uint64_t offset, std::span<const Bytes> pieces) override {
    return file_.write_pieces_at(offset, pieces);
  }
  Result<void> punch(std::uint64_t offset, std::uint64_t length) override {
    return file_.punch(offset, length);
  }
  Result<void> sync() override {
    ++syncs_;
    return file_.sync();
  }
  std::uint64_t syncs() const { return syncs_; }

 private:
  File& file_;
  std::atomic<std::uint64_t> syncs_ = 0;
};

class PowercutFile final : public PeerFile {
 public:
  explicit PowercutFile(fs::File file) : file_(std::move(file)) {}
  void write(std::uint64_t offset, Bytes bytes) override { file_.write(offset, bytes).value(); }
  void sync() override { file_.sync().value(); }

 private:
  fs::File file_;
};

class PowercutPeer final : public Peer {
 public:
  PowercutPeer(const files::path& folder, Waits waits)
      : image_(folder, waits),
        file_(File::open(image_.path(), File::Access::kExclusive).value()),
        store_(file_),
        device_(store_),
        volume_(
            fs::Volume::open(device_, clock_, wall_clock_, {.waits_once = waits == Waits::kOnce})
                .value()) {}
  ~PowercutPeer() override { volume_.close().value(); }
  std::unique_ptr<PeerFile> create(const std::string& path) override {
    return std::make_unique<PowercutFile>(
        volume_.open_file(path, {.creates = true, .truncates = true}).value());
  }
  void make_folder(const std::string& path) override { volume_.make_directory(path).value(); }
  void sync() override { volume_.commit().value(); }
  std::uint64_t flushes() const override { return store_.syncs(); }

 private:
  ImageFile image_;
  File file_;
  CountingStore store_;
  StoreDevice device_;
  SteadyClock clock_;
  SystemWallClock wall_clock_;
  fs::Volume volume_;
};

}  // namespace

std::unique_ptr<Peer> powercut_peer(const files::path& folder, Waits waits) {
  return std::make_unique<PowercutPeer>(folder, waits);
}

std::unique_ptr<Peer> linux_peer(const files::path& folder, const std::string& options,
                                 Waits waits) {
  if (::geteuid() != 0) return nullptr;
  return std::make_unique<LinuxPeer>(folder, options, waits);
}

std::unique_ptr<Peer> fuse2fs_peer(const files::path& folder) {
  if (!testing::find_tool("fuse2fs")) return nullptr;
  return std::make_unique<Fuse2fsPeer>(folder);
}

}  // namespace powercut::bench
