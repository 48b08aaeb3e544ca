// What a Volume and its open Files share.
//
// Invariants
//   1. Every open File is counted here, so that close() ends them before it unmounts: an unlinked
//      file that is open is deleted then.
//   2. After close() every call fails with kAborted.
//
// Threads: any; close() has the volume alone.
#pragma once

#include <unordered_map>

#include "block/store_device.h"
#include "block/window_device.h"
#include "fs/mount.h"
#include "fs/operations.h"
#include "host/file.h"
#include "host/wall_clock.h"
#include "powercut/volume.h"

namespace powercut::fs {

class VolumeBody {
 public:
  // On a device of the caller's.
  static Result<std::shared_ptr<VolumeBody>> open(BlockDevice& device, const Clock& clock,
                                                  const WallClock& wall_clock,
                                                  const VolumeOptions& options);
  // On a file of its own.
  static Result<std::shared_ptr<VolumeBody>> open(const std::string& path,
                                                  const VolumeOptions& options);
  ~VolumeBody();

  // Errors: kAborted: closed.
  Result<Core*> core() const;
  Mounted& mounted() { return *mounted_; }

  // A File was opened, or ends.
  Result<void> open_file(const NodeRef& node) EXCLUDES(mutex_);
  void close_file(const NodeRef& node) EXCLUDES(mutex_);
  Result<void> close() EXCLUDES(mutex_);

 private:
  struct Opened {
    NodeRef node;
    std::uint64_t count = 0;
  };
  struct Image {
    explicit Image(powercut::File opened) : file(std::move(opened)), disk(file) {}
    powercut::File file;
    StoreDevice disk;
    std::optional<WindowDevice> window;
    SteadyClock clock;
    SystemWallClock wall_clock;
  };
  Result<void> mount(BlockDevice& device, const Clock& clock, const WallClock& wall_clock,
                     const VolumeOptions& options);

  std::unique_ptr<Image> image_;
  std::unique_ptr<Mounted> mounted_;
  bool is_closed_ = false;
  Mutex mutex_{LockRank::kMount};
  std::unordered_map<const Node*, Opened> opened_ GUARDED_BY(mutex_);
};

}  // namespace powercut::fs
