#include "lab/image/image_file.h"

#include "block/joined_device.h"
#include "block/store_device.h"
#include "block/window_device.h"
#include "host/file.h"
#include "lab/image/partitions.h"

namespace powercut::lab {
namespace image_file {

// One file as a disk, or a part of one; what it is made of stays where it is.
struct FileDisk {
  explicit FileDisk(File opened) : file(std::move(opened)), whole(file) {}
  File file;
  StoreDevice whole;
  std::optional<WindowDevice> part;
  BlockDevice& disk() { return part ? static_cast<BlockDevice&>(*part) : whole; }
};

}  // namespace image_file

namespace {

using image_file::FileDisk;

Result<std::unique_ptr<FileDisk>> open_disk(const std::filesystem::path& path, bool is_writable,
                                            std::uint64_t offset) {
  const auto access = is_writable ? File::Access::kExclusive : File::Access::kRead;
  auto disk = std::make_unique<FileDisk>(TRY(File::open(path, access)));
  const std::uint64_t size = disk->whole.size_bytes();
  if (offset >= size && offset != 0) {
    return fail_with(Errc::kInvalid, "image: the offset lies past its end", path.string(), size);
  }
  if (offset != 0) disk->part.emplace(disk->whole, offset, size - offset);
  return disk;
}

// "no file system here" made more useful: where there is a partition table, its offsets.
Error with_partitions(const Error& error, const BlockView& disk) {
  const auto partitions = find_partitions(disk);
  if (!partitions || partitions->empty()) return error;
  std::string text = "there are partitions at";
  for (const Partition& partition : *partitions) {
    text += " " + std::to_string(partition.offset_bytes);
  }
  Error named = error;
  named.detail = Detail(text + " (--offset)");
  return named;
}

}  // namespace

// Made in this order, ended in the reverse one: each refers to those before it.
struct ImageFile::Parts {
  ImageOptions options;
  std::unique_ptr<FileDisk> own, external;
  std::optional<JoinedDevice> joined;
  std::optional<Volume> as_it_lies;
  Result<ImageJournal> journal = fail(Errc::kNotFound, "journal: not looked for");
  std::optional<RecoveredView> recovered;
  Result<Volume> volume = fail(Errc::kNotFound, "volume: not looked for");

  BlockDevice& device() { return joined ? static_cast<BlockDevice&>(*joined) : own->disk(); }
  Result<void> open_volume();
  Result<ImageJournal> open_journal();
  Result<Volume> recover();
};

Result<void> ImageFile::Parts::open_volume() {
  own = TRY(open_disk(options.path, options.is_writable, options.offset_bytes));
  const auto opened = Volume::open(own->disk());
  if (!opened) {
    return Failure{options.offset_bytes == 0 ? with_partitions(opened.error(), own->whole)
                                             : opened.error()};
  }
  as_it_lies = *opened;
  return {};
}

Result<ImageJournal> ImageFile::Parts::open_journal() {
  const Superblock& superblock = as_it_lies->superblock();
  const bool is_external =
      superblock.has(Ext4Compat::kHasJournal) && superblock.journal_inode.value() == 0;
  RecoveryOptions recovery;
  recovery.recover_as = options.recover_as;
  recovery.lists_fast_commits = true;
  if (!is_external) {
    JournalMap map = TRY(locate_journal(*as_it_lies));
    RecoveryPlan plan = TRY(plan_recovery(device(), map, recovery));
    return ImageJournal{std::move(map), std::move(plan), false};
  }
  if (options.journal.empty()) {
    return fail_with(Errc::kNotFound, "journal: on another device", "name it with --journal",
                     superblock.journal_device);
  }
  external = TRY(open_disk(options.journal, options.is_writable, 0));
  JournalMap map =
      TRY(locate_external_journal(superblock, external->disk(), superblock.block_count));
  joined.emplace(own->disk(), superblock.block_count * superblock.block_bytes(), external->disk());
  RecoveryPlan plan = TRY(plan_recovery(device(), map, recovery));
  return ImageJournal{std::move(map), std::move(plan), true};
}

Result<Volume> ImageFile::Parts::recover() {
  if (!as_it_lies->superblock().needs_recovery()) return Volume(*as_it_lies);
  if (!journal) return Failure{journal.error()};
  if (journal->plan.fast_commits) {
    return fail(Errc::kUnsupported, "journal: fast commits are not replayed",
                journal->plan.fast_commits->tid.value());
  }
  recovered.emplace(device(), journal->map, journal->plan);
  return Volume::open(*recovered);
}

Result<ImageFile> ImageFile::open(const ImageOptions& options) {
  auto parts = std::make_unique<Parts>();
  parts->options = options;
  TRY(parts->open_volume());
  parts->journal = parts->open_journal();
  parts->volume = parts->recover();
  return ImageFile(std::move(parts));
}

ImageFile::ImageFile(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
ImageFile::ImageFile(ImageFile&&) noexcept = default;
ImageFile& ImageFile::operator=(ImageFile&&) noexcept = default;
ImageFile::~ImageFile() = default;

const ImageOptions& ImageFile::options() const {
  return parts_->options;
}
BlockDevice& ImageFile::device() const {
  return parts_->device();
}
const Volume& ImageFile::volume_as_it_lies() const {
  return *parts_->as_it_lies;
}
bool ImageFile::is_dirty() const {
  return parts_->as_it_lies->superblock().needs_recovery();
}
const Result<ImageJournal>& ImageFile::journal() const {
  return parts_->journal;
}
Result<const Volume*> ImageFile::volume() const {
  if (!parts_->volume) return Failure{parts_->volume.error()};
  return &*parts_->volume;
}
const BlockView& ImageFile::view() const {
  return parts_->volume ? parts_->volume->view() : parts_->device();
}

}  // namespace powercut::lab
