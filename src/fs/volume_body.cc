#include "fs/volume_body.h"

#include <array>

#include "host/in_use.h"

namespace powercut::fs {
namespace {

Result<void> check_unused(const std::string& path) {
  const std::vector<ImageUse> uses = TRY(uses_of(path));
  if (uses.empty()) return {};
  const bool is_process = uses.front().kind == UseKind::kProcess;
  return fail_with(Errc::kInUse,
                   is_process ? "the image is in use: end its user first"
                              : "the kernel uses the image: unmount it and detach it first",
                   uses.front().who);
}

// A log that is to be replayed is written to also by a volume that is only read.
Result<powercut::File> open_image(const std::string& path, const VolumeOptions& options) {
  using Access = powercut::File::Access;
  if (!options.is_read_only) return powercut::File::open(path, Access::kExclusive);
  {
    powercut::File image = TRY(powercut::File::open(path, Access::kShared));
    std::array<std::uint8_t, kSuperblockBytes> bytes{};
    if (options.offset >= image.size_bytes()) return image;
    const auto is_read = image.read_at(options.offset + kSuperblockOffset, bytes);
    const auto shape = Superblock::parse(bytes, image.size_bytes() - options.offset);
    if (!is_read || !shape || !shape->needs_recovery()) return image;
  }
  return powercut::File::open(path, Access::kExclusive);
}

}  // namespace

Result<std::shared_ptr<VolumeBody>> VolumeBody::open(BlockDevice& device, const Clock& clock,
                                                     const WallClock& wall_clock,
                                                     const VolumeOptions& options) {
  auto body = std::make_shared<VolumeBody>();
  TRY(body->mount(device, clock, wall_clock, options));
  return body;
}

Result<std::shared_ptr<VolumeBody>> VolumeBody::open(const std::string& path,
                                                     const VolumeOptions& options) {
  TRY(check_unused(path));
  auto body = std::make_shared<VolumeBody>();
  body->image_ = std::make_unique<Image>(TRY(open_image(path, options)));
  Image& image = *body->image_;
  BlockDevice* device = &image.disk;
  if (options.offset != 0) {
    if (options.offset >= image.disk.size_bytes()) {
      return fail_with(Errc::kInvalid, "offset behind the image's end", path, options.offset);
    }
    image.window.emplace(image.disk, options.offset, image.disk.size_bytes() - options.offset);
    device = &*image.window;
  }
  TRY(body->mount(*device, image.clock, image.wall_clock, options));
  return body;
}

Result<void> VolumeBody::mount(BlockDevice& device, const Clock& clock, const WallClock& wall_clock,
                               const VolumeOptions& options) {
  MountOptions mount;
  mount.is_read_only = options.is_read_only;
  mount.buffer_bytes_max = options.cache_bytes;
  mount.journal.commit_interval = options.commit_interval;
  mount.journal.verify_before_write = options.verifies_before_write;
  mount.journal.single_wait = options.waits_once;
  mounted_ = TRY(Mounted::open(device, clock, wall_clock, mount));
  return {};
}

VolumeBody::~VolumeBody() = default;

Result<Core*> VolumeBody::core() const {
  if (is_closed_) return fail(Errc::kAborted, "volume: closed");
  return &mounted_->core();
}

Result<void> VolumeBody::open_file(const NodeRef& node) {
  TRY(open_node(*node));
  Lock lock(mutex_);
  Opened& opened = opened_[node.get()];
  opened.node = node;
  ++opened.count;
  return {};
}

void VolumeBody::close_file(const NodeRef& node) {
  {
    Lock lock(mutex_);
    const auto found = opened_.find(node.get());
    if (found == opened_.end()) return;  // the volume was closed
    if (--found->second.count == 0) opened_.erase(found);
  }
  ignore_error(close_node(mounted_->core(), node), "what is not deleted now is an orphan");
}

Result<void> VolumeBody::close() {
  if (is_closed_) return {};
  std::unordered_map<const Node*, Opened> opened;
  {
    Lock lock(mutex_);
    opened.swap(opened_);
  }
  Result<void> result;
  for (auto& [node, entry] : opened) {
    for (std::uint64_t i = 0; i < entry.count; ++i) {
      const auto closed = close_node(mounted_->core(), entry.node);
      if (!closed && result) result = closed;
    }
  }
  opened.clear();
  is_closed_ = true;
  const auto unmounted = mounted_->close();
  return unmounted ? result : unmounted;
}

}  // namespace powercut::fs
