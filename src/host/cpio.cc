// Writing the cpio of a first file system.  Entries are kept by name until finish(), which writes
// them in the order of their names: a folder comes before what is in it, and the order of the calls
// does not show in the bytes.
#include <algorithm>
#include <map>

#include <archive.h>
#include <archive_entry.h>
#include <sys/sysmacros.h>

#include "host/archive.h"
#include "host/file.h"

namespace powercut {
namespace cpio {

enum class Kind : std::uint8_t { kFile, kSymlink, kDirectory, kCharacterDevice };

struct Entry {
  Kind kind = Kind::kFile;
  unsigned mode = 0;  // permission bits
  std::vector<std::uint8_t> content{};
  std::string target{};  // of a symlink
  dev_t device = 0;
};

}  // namespace cpio

namespace {

using cpio::Entry;
using cpio::Kind;

constexpr std::uint64_t kFileMax = std::uint64_t{1} << 30;  // bytes of one file taken in
constexpr std::size_t kPathMax = 4096;                      // as the kernel's

struct FreeWriter {
  void operator()(::archive* writer) const noexcept { ::archive_write_free(writer); }
};
struct FreeEntry {
  void operator()(::archive_entry* entry) const noexcept { ::archive_entry_free(entry); }
};

extern "C" la_ssize_t append_archive(::archive*, void* context, const void* bytes,
                                     std::size_t length) {
  auto& to = *static_cast<std::vector<std::uint8_t>*>(context);
  const auto* first = static_cast<const std::uint8_t*>(bytes);
  to.insert(to.end(), first, first + length);
  return static_cast<la_ssize_t>(length);
}

Failure write_failure(::archive* writer, const std::string& path) {
  const char* reason = ::archive_error_string(writer);
  return fail_with(Errc::kLimit, "a file does not fit into a cpio archive",
                   path + ": " + (reason != nullptr ? reason : "?"));
}

// The path as it is stored: without a leading slash.  Errors: kInvalid for an empty path, one that
// is too long, and one with a component that is empty, "." or "..".
Result<std::string> stored_path(std::string_view path) {
  const std::string_view given = path;
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty() || path.size() > kPathMax || path.find('\0') != std::string_view::npos) {
    return fail_with(Errc::kInvalid, "not a path for an archive", given);
  }
  for (std::size_t first = 0; first <= path.size();) {
    const std::size_t end = std::min(path.find('/', first), path.size());
    const std::string_view part = path.substr(first, end - first);
    if (part.empty() || part == "." || part == "..") {
      return fail_with(Errc::kInvalid, "a path for an archive has an empty, . or .. part", given);
    }
    first = end + 1;
  }
  return std::string(path);
}

void set_kind(::archive_entry* to, const Entry& from) {
  switch (from.kind) {
    case Kind::kFile:
      ::archive_entry_set_filetype(to, AE_IFREG);
      ::archive_entry_set_size(to, static_cast<la_int64_t>(from.content.size()));
      return;
    case Kind::kSymlink:
      ::archive_entry_set_filetype(to, AE_IFLNK);
      ::archive_entry_set_symlink(to, from.target.c_str());
      ::archive_entry_set_size(to, 0);
      return;
    case Kind::kDirectory:
      ::archive_entry_set_filetype(to, AE_IFDIR);
      ::archive_entry_set_size(to, 0);
      return;
    case Kind::kCharacterDevice:
      ::archive_entry_set_filetype(to, AE_IFCHR);
      ::archive_entry_set_rdev(to, from.device);
      ::archive_entry_set_size(to, 0);
      return;
  }
}

Result<void> write_entry(::archive* writer, const std::string& path, const Entry& from,
                         la_int64_t number) {
  const std::unique_ptr<::archive_entry, FreeEntry> entry(::archive_entry_new());
  if (!entry) return fail(Errc::kLimit, "no memory to write an archive");
  ::archive_entry_set_pathname(entry.get(), path.c_str());
  set_kind(entry.get(), from);
  ::archive_entry_set_perm(entry.get(), static_cast<__LA_MODE_T>(from.mode & 07777));
  ::archive_entry_set_uid(entry.get(), 0);
  ::archive_entry_set_gid(entry.get(), 0);
  ::archive_entry_set_mtime(entry.get(), 0, 0);
  ::archive_entry_set_nlink(entry.get(), 1);
  ::archive_entry_set_ino64(entry.get(), number);
  if (::archive_write_header(writer, entry.get()) != ARCHIVE_OK) return write_failure(writer, path);
  std::size_t done = 0;
  while (done < from.content.size()) {
    const la_ssize_t count =
        ::archive_write_data(writer, from.content.data() + done, from.content.size() - done);
    if (count <= 0) return write_failure(writer, path);
    done += static_cast<std::size_t>(count);
  }
  return {};
}

}  // namespace

struct CpioWriter::State {
  std::map<std::string, Entry, std::less<>> entries;
  Result<void> first_error;  // of an add; finish() gives it

  void fail_once(Failure failure) {
    if (first_error) first_error = failure;
  }

  // Every folder above `path` is there, or made.
  void add_parents(const std::string& path) {
    for (std::size_t end = path.find('/'); end != std::string::npos;
         end = path.find('/', end + 1)) {
      const auto [found, is_new] = entries.try_emplace(path.substr(0, end));
      if (is_new) found->second = Entry{.kind = Kind::kDirectory, .mode = 0755};
      if (found->second.kind != Kind::kDirectory) {
        fail_once(fail_with(Errc::kInvalid, "in an archive a file cannot hold files", path));
      }
    }
  }

  // A second file of one path replaces the first; a folder is replaced by nothing else.
  void add(std::string_view given, Entry entry) {
    const Result<std::string> path = stored_path(given);
    if (!path) return fail_once(Failure{path.error()});
    add_parents(*path);
    const auto [found, is_new] = entries.try_emplace(*path);
    const bool was_directory = !is_new && found->second.kind == Kind::kDirectory;
    const bool is_directory = entry.kind == Kind::kDirectory;
    if (!is_new && was_directory != is_directory) {
      return fail_once(
          fail_with(Errc::kInvalid, "in an archive a path is a file and a folder", *path));
    }
    found->second = std::move(entry);
  }
};

CpioWriter::CpioWriter() : state_(std::make_unique<State>()) {}
CpioWriter::~CpioWriter() = default;

void CpioWriter::add_file(std::string_view path, Bytes content, unsigned mode) {
  Entry entry{.kind = Kind::kFile, .mode = mode};
  entry.content.assign(content.begin(), content.end());
  state_->add(path, std::move(entry));
}

Result<void> CpioWriter::add_file_from(std::string_view path, const std::filesystem::path& source,
                                       unsigned mode) {
  const std::string content = TRY(read_text_file(source, kFileMax));
  add_file(path, Bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size()),
           mode);
  return {};
}

void CpioWriter::add_symlink(std::string_view path, std::string_view target) {
  Entry entry{.kind = Kind::kSymlink, .mode = 0777};
  entry.target = target;
  if (target.empty() || target.size() > kPathMax) {
    return state_->fail_once(
        fail_with(Errc::kInvalid, "not a target for a symbolic link in an archive", path));
  }
  state_->add(path, std::move(entry));
}

void CpioWriter::add_directory(std::string_view path) {
  state_->add(path, Entry{.kind = Kind::kDirectory, .mode = 0755});
}

void CpioWriter::add_character_device(std::string_view path, unsigned major, unsigned minor) {
  Entry entry{.kind = Kind::kCharacterDevice, .mode = 0600};
  entry.device = ::makedev(major, minor);
  state_->add(path, std::move(entry));
}

bool CpioWriter::has(std::string_view path) const {
  if (path.starts_with('/')) path.remove_prefix(1);
  return state_->entries.find(path) != state_->entries.end();
}

Result<std::vector<std::uint8_t>> CpioWriter::finish() {
  TRY(state_->first_error);
  std::vector<std::uint8_t> bytes;
  const std::unique_ptr<::archive, FreeWriter> writer(::archive_write_new());
  if (!writer) return fail(Errc::kLimit, "no memory to write an archive");
  ::archive_write_set_format_cpio_newc(writer.get());
  ::archive_write_set_bytes_in_last_block(writer.get(), 1);
  if (::archive_write_open(writer.get(), &bytes, nullptr, &append_archive, nullptr) != ARCHIVE_OK) {
    return write_failure(writer.get(), "");
  }
  la_int64_t number = 0;
  for (const auto& [path, entry] : state_->entries) {
    TRY(write_entry(writer.get(), path, entry, ++number));
  }
  if (::archive_write_close(writer.get()) != ARCHIVE_OK) return write_failure(writer.get(), "");
  return bytes;
}

}  // namespace powercut
