#include "tests/sqlite/volume_vfs.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace powercut::sqlite_testing {
namespace {

// What SQLite allocates for a file; its base comes first.
struct VfsFile {
  sqlite3_file base;
  VolumeVfs* vfs;
  std::unique_ptr<fs::File> file;
  std::string removed_at_close;  // its path; empty: it stays
};

VfsFile& of(sqlite3_file* file) {
  return *reinterpret_cast<VfsFile*>(file);
}
VolumeVfs& of(sqlite3_vfs* vfs) {
  return *static_cast<VolumeVfs*>(vfs->pAppData);
}
int code_of(const Result<void>& result, int otherwise) {
  if (result) return SQLITE_OK;
  return result.error().code == Errc::kNoSpace ? SQLITE_FULL : otherwise;
}

int close(sqlite3_file* each) {
  VfsFile& file = of(each);
  file.file.reset();
  Result<void> removed;
  if (!file.removed_at_close.empty()) removed = file.vfs->volume().remove(file.removed_at_close);
  file.~VfsFile();
  return code_of(removed, SQLITE_IOERR_CLOSE);
}

int read(sqlite3_file* each, void* into, int count, sqlite3_int64 offset) {
  const MutableBytes bytes(static_cast<std::uint8_t*>(into), static_cast<std::size_t>(count));
  const auto got = of(each).file->read(static_cast<std::uint64_t>(offset), bytes);
  if (!got) return SQLITE_IOERR_READ;
  if (*got == bytes.size()) return SQLITE_OK;
  std::ranges::fill(bytes.subspan(*got), std::uint8_t{0});
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* each, const void* from, int count, sqlite3_int64 offset) {
  const Bytes bytes(static_cast<const std::uint8_t*>(from), static_cast<std::size_t>(count));
  return code_of(of(each).file->write(static_cast<std::uint64_t>(offset), bytes),
                 SQLITE_IOERR_WRITE);
}

int truncate(sqlite3_file* each, sqlite3_int64 size) {
  return code_of(of(each).file->truncate(static_cast<std::uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
}

int sync(sqlite3_file* each, int) {
  ++of(each).vfs->sync_count();
  return code_of(of(each).file->sync(), SQLITE_IOERR_FSYNC);
}

int file_size(sqlite3_file* each, sqlite3_int64* size) {
  const auto status = of(each).file->status();
  if (!status) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(status->size);
  return SQLITE_OK;
}

int lock(sqlite3_file*, int) {
  return SQLITE_OK;
}
int is_reserved(sqlite3_file*, int* is_locked) {
  *is_locked = 0;
  return SQLITE_OK;
}
int control(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}
int sector_size(sqlite3_file*) {
  return 4096;
}
// Nothing is promised of the device, so SQLite leaves no step out.
int characteristics(sqlite3_file*) {
  return 0;
}

// Version 1: no shared memory, so WAL is for locking_mode=EXCLUSIVE.
const sqlite3_io_methods kMethods = {
    1,       close,       read,    write,       truncate,        sync,    file_size, lock,
    lock,    is_reserved, control, sector_size, characteristics, nullptr, nullptr,   nullptr,
    nullptr, nullptr,     nullptr};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* into, int flags, int* out_flags) {
  into->pMethods = nullptr;
  static unsigned temporary_count = 0;
  const std::string path =
      name != nullptr ? name : "temporary-" + std::to_string(++temporary_count);
  auto file = of(vfs).volume().open_file(path, {.creates = (flags & SQLITE_OPEN_CREATE) != 0,
                                                .is_new = (flags & SQLITE_OPEN_EXCLUSIVE) != 0});
  if (!file) return SQLITE_CANTOPEN;
  VfsFile* const made = new (into) VfsFile{{&kMethods}, &of(vfs), nullptr, {}};
  made->file = std::make_unique<fs::File>(std::move(*file));
  if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0) made->removed_at_close = path;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* name, int) {
  const auto removed = of(vfs).volume().remove(name);
  if (!removed && removed.error().code == Errc::kNotFound) return SQLITE_IOERR_DELETE_NOENT;
  return code_of(removed, SQLITE_IOERR_DELETE);
}

int exists(sqlite3_vfs* vfs, const char* name, int, int* is_there) {
  *is_there = of(vfs).volume().status(name).has_value() ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* into) {
  const std::size_t length = std::strlen(name);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(into, name, length + 1);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs*, int size, char* into) {
  static unsigned next = 1;  // the same in each run
  for (int i = 0; i < size; ++i) into[i] = static_cast<char>((next = next * 1103515245u + 1) >> 16);
  return size;
}
int sleep(sqlite3_vfs*, int microseconds) {
  return microseconds;
}
int current_time(sqlite3_vfs*, double* now) {
  *now = 2460000.5;
  return SQLITE_OK;
}
int last_error(sqlite3_vfs*, int, char*) {
  return 0;
}

}  // namespace

VolumeVfs::VolumeVfs(fs::Volume& volume, const char* name)
    : volume_(volume), name_(name), vfs_(std::make_unique<sqlite3_vfs>()) {
  sqlite3_initialize();  // else the default VFS would be this one
  *vfs_ = {};
  vfs_->iVersion = 1;
  vfs_->szOsFile = sizeof(VfsFile);
  vfs_->mxPathname = 255;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = open;
  vfs_->xDelete = remove;
  vfs_->xAccess = exists;
  vfs_->xFullPathname = full_path;
  vfs_->xRandomness = randomness;
  vfs_->xSleep = sleep;
  vfs_->xCurrentTime = current_time;
  vfs_->xGetLastError = last_error;
  sqlite3_vfs_register(vfs_.get(), /*makeDflt=*/0);
}

VolumeVfs::~VolumeVfs() {
  sqlite3_vfs_unregister(vfs_.get());
}

}  // namespace powercut::sqlite_testing
