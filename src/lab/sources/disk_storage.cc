#include "lab/sources/disk_storage.h"

#include <algorithm>

#include "host/disk_image.h"
#include "host/machine.h"
#include "host/process.h"

namespace powercut::lab {
namespace {

constexpr auto kMkfsLimit = std::chrono::seconds(120);

Result<File> copy_of_image(const DiskOptions& options) {
  const File image = TRY(File::open(options.image, File::Access::kRead));
  const auto copy = options.folder / "disk.img";
  TRY(copy_sparse(image, copy));
  return File::open(copy, File::Access::kReadWrite);
}

Result<File> fresh_storage(const DiskOptions& options) {
  if (options.size_bytes <= memory_bytes() / 4) {
    return File::in_memory("powercut-disk", options.size_bytes);
  }
  return File::create(options.folder / "disk.img", options.size_bytes);
}

}  // namespace

Result<File> make_storage(const DiskOptions& options) {
  if (!options.image.empty()) return copy_of_image(options);
  File storage = TRY(fresh_storage(options));
  if (options.has_file_system) {
    TRY(make_file_system(storage, options.journal_mib, options.mkfs_options));
  }
  // After mke2fs, which makes holes.
  if (options.is_allocated) TRY(allocate(storage));
  return storage;
}

Result<void> make_file_system(const File& storage, std::uint32_t journal_mib,
                              const std::vector<std::string>& more_options) {
  ProcessOptions mkfs;
  mkfs.arguments = {"mke2fs", "-q",   "-F",
                    "-t",     "ext4", "-b",
                    "4096",   "-J",   "size=" + std::to_string(journal_mib)};
  mkfs.arguments.insert(mkfs.arguments.end(), more_options.begin(), more_options.end());
  mkfs.arguments.push_back("/proc/self/fd/" + std::to_string(storage.fd()));
  mkfs.inherited_fds = {storage.fd()};
  const CommandOutcome outcome = TRY(run_command(mkfs, kMkfsLimit));
  if (outcome.status.is_success()) return {};
  return fail_with(Errc::kIo, "mke2fs failed", end_of_output(outcome.output),
                   static_cast<std::uint64_t>(outcome.status.code));
}

}  // namespace powercut::lab
