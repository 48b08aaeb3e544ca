// Crash states as disks of the kernel we run on, one at a time, each mounted and thrown away.
//
// Words
//   state   a view of a disk; never written
//   stage   a file that FUSE serves from our memory and that lies in no folder: the state, and over
//           it what the kernel writes
//   visit   one mount of the stage, from before the loop device is attached until after it is gone
//
// Invariants
//   1. Between two visits no loop device is on the file: the next one finds nothing cached.
//   2. errors=remount-ro is forced, and mounts are in a namespace of our own: no state can stop
//   this
//      machine, and all ends with this process, however it ends.
//   3. Every wait is bounded, but umount(2)'s own, which ends with our thread that serves the file.
//
// Threads: one of its own, which serves; visit() from the thread that called open(), whose mounts
// (and whose children's) are the stage's own from then on.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "block/overlay_device.h"
#include "host/fuse_file.h"
#include "host/kernel_log.h"
#include "host/loop_device.h"
#include "host/machine.h"
#include "host/pipe.h"
#include "lab/record/request.h"

namespace powercut::lab {

struct VisitOptions {
  bool is_read_only = false;
  std::string mount_options{};  // ext4's, joined by commas
};

struct Visit {
  bool is_mounted = false;
  std::string refusal;       // why not: the kernel's errno in words
  std::string kernel_words;  // what the kernel said of this disk meanwhile, a message a line
};

class StateStage {
 public:
  // For root.  `size_bytes` is every state's.  Errors: kUnsupported: not root; kNotFound: no FUSE
  // or no loop devices here; kIo.
  static Result<std::unique_ptr<StateStage>> open(std::uint64_t size_bytes,
                                                  const DeviceSplit& split, const Clock& clock);
  ~StateStage();
  StateStage(const StateStage&) = delete;
  StateStage& operator=(const StateStage&) = delete;

  // Mounts `state` and calls `inside` with the folder, if the kernel does not refuse; unmounts.
  // Errors: `inside`'s; kInUse: something holds the mount; kIo.
  using Inside = std::function<Result<void>(const std::filesystem::path&)>;
  Result<Visit> visit(const BlockView& state, const VisitOptions& options, const Inside& inside);
  // A folder for what a look needs besides; gone with the stage.
  const std::filesystem::path& folder() const { return folder_.path(); }
  // The states' devices: the journal is on the second, where there are two.
  const DeviceSplit& split() const { return split_; }
  // The disk as the last visit left it; its state must still be there.
  const OverlayDevice& left() const;

 private:
  class Service;
  StateStage(const Clock& clock, const DeviceSplit& split, TempDirectory folder);
  Result<LoopDevice> attach(std::uint64_t offset, std::uint64_t length) const;
  void mount(const LoopDevice& device, const LoopDevice* journal, const VisitOptions& options,
             Visit& visit) const;

  const Clock& clock_;
  const DeviceSplit split_;
  TempDirectory folder_;
  KernelLogTail log_;
  Fd root_;
  PipeEnds stop_;  // the server ends when its write end is closed
  std::unique_ptr<Service> service_;
  std::unique_ptr<FuseFile> file_;
  std::jthread server_;
};

}  // namespace powercut::lab
