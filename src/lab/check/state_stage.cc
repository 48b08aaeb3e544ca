#include "lab/check/state_stage.h"

#include <algorithm>

#include "base/sync.h"
#include "host/disk_image.h"
#include "host/fuse_mount.h"
#include "host/mounts.h"

namespace powercut::lab {
namespace {

constexpr auto kUnmountLimit = std::chrono::seconds(10);
constexpr auto kDetachLimit = std::chrono::seconds(5);
constexpr std::size_t kKernelLinesMax = 50;

}  // namespace

// The overlay over the state at hand.  It is put there and taken away while no loop device is
// attached; the lock is for the moment in between.
class StateStage::Service final : public FileService {
 public:
  explicit Service(std::uint64_t size_bytes) : size_bytes_(size_bytes) {}

  void put(const BlockView& state) {
    const Lock lock(mutex_);
    overlay_.emplace(state);
  }
  const OverlayDevice& left() const {
    const Lock lock(mutex_);
    CHECK(overlay_.has_value(), "a stage that was never visited");
    return *overlay_;
  }

  std::uint64_t size_bytes() const override { return size_bytes_; }
  Result<void> read(std::uint64_t offset, MutableBytes into) override {
    const Lock lock(mutex_);
    if (overlay_) return overlay_->read(offset, into);
    std::ranges::fill(into, std::uint8_t{0});
    return {};
  }
  void begin(FileChange&) override {}
  Result<void> finish(const FileChange& change) override {
    const Lock lock(mutex_);
    if (!overlay_) return fail(Errc::kInvalid, "a stage without a state");
    switch (change.kind) {
      case FileChange::Kind::kWrite: return overlay_->write(change.offset, change.data);
      case FileChange::Kind::kZero: return overlay_->write_zeroes(change.offset, change.length);
      case FileChange::Kind::kPunch: return overlay_->discard(change.offset, change.length);
      case FileChange::Kind::kSync: return overlay_->flush();
    }
    return fail(Errc::kInvalid, "a stage: kind of change");
  }

 private:
  const std::uint64_t size_bytes_;
  mutable Mutex mutex_{LockRank::kDevice};
  std::optional<OverlayDevice> overlay_ GUARDED_BY(mutex_);
};

StateStage::StateStage(const Clock& clock, const DeviceSplit& split, TempDirectory folder)
    : clock_(clock), split_(split), folder_(std::move(folder)) {}

Result<std::unique_ptr<StateStage>> StateStage::open(std::uint64_t size_bytes,
                                                     const DeviceSplit& split, const Clock& clock) {
  TRY(enter_own_mounts());
  std::unique_ptr<StateStage> stage(
      new StateStage(clock, split, TRY(TempDirectory::make("powercut-stage"))));
  TRY(make_directories(stage->folder_.path() / "mnt"));
  FuseMount fuse = TRY(make_fuse_mount());
  stage->service_ = std::make_unique<Service>(size_bytes);
  stage->file_ = TRY(FuseFile::open(std::move(fuse.device), *stage->service_, clock, {}));
  stage->root_ = std::move(fuse.root);
  stage->stop_ = TRY(make_pipe());
  stage->server_ = std::jthread([file = stage->file_.get(), stop = stage->stop_.read.get()] {
    ignore_error(file->serve(stop), "the kernel's requests fail then, and visit() tells it");
  });
  return stage;
}

StateStage::~StateStage() {
  root_.reset();
  stop_.write.reset();
}

const OverlayDevice& StateStage::left() const {
  return service_->left();
}

// A part of the file as a block device; length 0: to the end.
Result<LoopDevice> StateStage::attach(std::uint64_t offset, std::uint64_t length) const {
  const Fd backing = TRY(open_direct(root_, FuseFile::kName));
  LoopDevice::Options options;
  options.offset = offset;
  options.length = length;
  return LoopDevice::attach(backing, options);
}

void StateStage::mount(const LoopDevice& device, const LoopDevice* journal,
                       const VisitOptions& options, Visit& visit) const {
  MountRequest request;
  request.source = device.path();
  request.place = folder_.path() / "mnt";
  request.type = "ext4";
  request.flags = options.is_read_only ? kMountReadOnly : 0;
  request.options = "errors=remount-ro";
  if (journal != nullptr) request.options += ",journal_path=" + journal->path();
  if (!options.mount_options.empty()) request.options += "," + options.mount_options;
  const auto mounted = mount_file_system(request);
  visit.is_mounted = mounted.has_value();
  if (!mounted) visit.refusal = error_words(mounted.error());
}

Result<Visit> StateStage::visit(const BlockView& state, const VisitOptions& options,
                                const Inside& inside) {
  CHECK(state.size_bytes() == service_->size_bytes(), "a state of another size");
  service_->put(state);
  Visit visit;
  log_.skip();
  LoopDevice loop = TRY(attach(0, split_.second_at));
  std::optional<LoopDevice> journal;
  if (split_.is_split()) journal.emplace(TRY(attach(split_.second_at, 0)));
  mount(loop, journal ? &*journal : nullptr, options, visit);
  Result<void> looked;
  if (visit.is_mounted) {
    looked = inside(folder_.path() / "mnt");
    TRY(unmount(folder_.path() / "mnt", clock_, kUnmountLimit));
  }
  const std::string name = std::filesystem::path(loop.path()).filename();
  for (const std::string& line : log_.take(name, kKernelLinesMax)) {
    visit.kernel_words += line + "\n";
  }
  const bool is_free = loop.comes_free(clock_, kDetachLimit) &&
                       (!journal || journal->comes_free(clock_, kDetachLimit));
  loop.release();
  journal.reset();
  if (!is_free) return fail_with(Errc::kInUse, "something still uses the device", name);
  if (!looked) return Failure(looked.error());
  return visit;
}

}  // namespace powercut::lab
