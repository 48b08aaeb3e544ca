// Our own mounted volume as the loads of the lab see a file system (lab/sources/guest): so the same
// loads, with the same promises in the same marks, hold it to what they hold Linux to.
//
// Threads: tasks of one simulation.
#pragma once

#include <map>

#include "fs/file.h"
#include "fs/mount.h"
#include "fs/operations.h"
#include "lab/record/simulated_stream.h"
#include "lab/sources/guest/load_system.h"

namespace powercut::testing {

class VolumeSystem final : public lab::LoadSystem {
 public:
  // Both must outlive it.
  VolumeSystem(fs::Mounted& mounted, lab::SimulatedStream& stream)
      : mounted_(mounted), core_(mounted.core()), stream_(stream) {}

  Result<Opened> make_folder(const std::string& path) override;  // in the root
  Result<Opened> create(int folder, const std::string& name) override;
  void close(int number) override;

  Result<void> write(int file, std::uint64_t offset, Bytes from, const std::string&) override;
  Result<std::size_t> read(int file, std::uint64_t offset, MutableBytes into,
                           const std::string&) override;
  Result<std::uint64_t> size(int file, const std::string&) override;
  Result<void> truncate(int file, std::uint64_t size, const std::string&) override;
  Result<void> punch(int file, std::uint64_t offset, std::uint64_t length,
                     const std::string&) override;
  Result<void> allocate(int file, std::uint64_t offset, std::uint64_t length,
                        const std::string&) override;

  Result<void> link(int folder, const std::string& from, const std::string& to) override;
  Result<void> unlink(int folder, const std::string& name) override;
  Result<void> rename(int folder, const std::string& from, const std::string& to) override;

  Result<void> sync(int number, lab::SyncWay way, const std::string&) override;
  Result<void> sync_all(int, const std::string&) override { return mounted_.sync(); }

  bool takes_marks() const override { return true; }
  Result<void> mark(std::string_view text) override;

 private:
  Opened open(const fs::NodeRef& node);

  fs::Mounted& mounted_;
  fs::Core& core_;
  lab::SimulatedStream& stream_;
  std::map<int, fs::NodeRef> open_;
  int next_ = 0;
};

}  // namespace powercut::testing
