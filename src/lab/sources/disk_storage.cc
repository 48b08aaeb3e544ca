#include "lab/sources/disk_storage.h"

#include <algorithm>

#include "host/disk_image.h"
#include "host/loop_device.h"
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

std::uint64_t storage_bytes(const DiskOptions& options) {
  const std::uint64_t journal = std::uint64_t{options.journal_mib} << 20;
  return options.size_bytes + (options.has_external_journal ? journal : 0);
}

Result<File> fresh_storage(const DiskOptions& options) {
  const std::uint64_t size = storage_bytes(options);
  if (size <= memory_bytes() / 4) return File::in_memory("powercut-disk", size);
  return File::create(options.folder / "disk.img", size);
}

// mke2fs, with these words behind those that it always gets.
Result<void> run_mkfs(std::vector<std::string> words, const std::vector<int>& inherited) {
  ProcessOptions mkfs;
  mkfs.arguments = {"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096"};
  mkfs.arguments.insert(mkfs.arguments.end(), words.begin(), words.end());
  mkfs.inherited_fds = inherited;
  const CommandOutcome outcome = TRY(run_command(mkfs, kMkfsLimit));
  if (outcome.status.is_success()) return {};
  return fail_with(Errc::kIo, "mke2fs failed", end_of_output(outcome.output),
                   static_cast<std::uint64_t>(outcome.status.code));
}

// The block size that the words ask for, as words for the journal's device, which must have the
// same.
std::vector<std::string> block_size_in(const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "-b" && i + 1 < words.size()) found = {"-b", words[i + 1]};
    if (words[i].starts_with("-b") && words[i].size() > 2) found = {words[i]};
  }
  return found;
}

// mke2fs takes the journal of another device only where that is a block device: both are loop
// devices while it runs.
Result<void> make_external_journal(const File& storage, const DiskOptions& options) {
  LoopDevice::Options loop;
  loop.is_direct = false;  // nobody counts its requests, and memory may have no direct I/O
  loop.name = options.folder.filename().string();
  loop.length = options.size_bytes;
  LoopDevice first = TRY(LoopDevice::attach(storage.fd(), loop));
  loop.offset = options.size_bytes;
  loop.length = storage.size_bytes() - options.size_bytes;
  LoopDevice second = TRY(LoopDevice::attach(storage.fd(), loop));
  std::vector<std::string> words = block_size_in(options.mkfs_options);
  words.insert(words.end(), {"-O", "journal_dev", second.path()});
  TRY(run_mkfs(words, {}));
  words = options.mkfs_options;
  words.insert(words.begin(), {"-J", "device=" + second.path()});
  words.push_back(first.path());
  return run_mkfs(words, {});
}

}  // namespace

DeviceSplit split_of(const DiskOptions& options) {
  return {options.has_external_journal ? options.size_bytes : 0};
}

Result<File> make_storage(const DiskOptions& options) {
  if (!options.image.empty()) return copy_of_image(options);
  File storage = TRY(fresh_storage(options));
  if (options.has_external_journal) {
    TRY(make_external_journal(storage, options));
  } else if (options.has_file_system) {
    TRY(make_file_system(storage, options.journal_mib, options.mkfs_options));
  }
  // After mke2fs, which makes holes.
  if (options.is_allocated) TRY(allocate(storage));
  return storage;
}

Result<void> make_file_system(const File& storage, std::uint32_t journal_mib,
                              const std::vector<std::string>& more_options) {
  std::vector<std::string> words = more_options;
  words.insert(words.begin(), {"-J", "size=" + std::to_string(journal_mib)});
  words.push_back("/proc/self/fd/" + std::to_string(storage.fd()));
  return run_mkfs(words, {storage.fd()});
}

}  // namespace powercut::lab
