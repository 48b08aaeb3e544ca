// Reading archives.
//
// A .deb is an ar archive of three members: debian-binary, control.tar.*, data.tar.*; the files are
// in the last.  Both levels are read as streams, so memory does not grow with the package.
//
// Archives are hostile: every name is split into components before it is used, folders are entered
// one by one without following symbolic links, and bytes are counted as they come out of the
// decompressor, whatever a header promises.
#include "host/archive.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/file.h"

namespace powercut {
namespace {

constexpr std::size_t kReadBytes = std::size_t{128} << 10;
constexpr std::uint64_t kEntriesMax = 1'000'000;
constexpr std::uint64_t kExpandedMax = std::uint64_t{32} << 30;  // bytes, wanted or not

struct FreeReader {
  void operator()(::archive* reader) const noexcept { ::archive_read_free(reader); }
};
using Reader = std::unique_ptr<::archive, FreeReader>;

Result<Reader> make_reader() {
  Reader reader(::archive_read_new());
  if (!reader) return fail(Errc::kLimit, "no memory to read an archive");
  return reader;
}

void accept_compressions(::archive* reader) {
  ::archive_read_support_filter_gzip(reader);
  ::archive_read_support_filter_xz(reader);
  ::archive_read_support_filter_zstd(reader);
}

Failure archive_failure(::archive* reader, const char* what, const std::filesystem::path& path) {
  const char* reason = ::archive_error_string(reader);
  const std::string detail = path.filename().native() + ": " + (reason != nullptr ? reason : "?");
  const Errc code = ::archive_errno(reader) == EIO ? Errc::kIo : Errc::kCorrupt;
  return fail_with(code, what, detail, static_cast<std::uint64_t>(::archive_errno(reader)));
}

Result<Fd> open_source(const std::filesystem::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.is_open()) return os_failure("cannot open an archive", path.native(), errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail_with(Errc::kInvalid, "an archive is not a plain file", path.native());
  }
  return fd;
}

// The next entry; null at the end.
Result<::archive_entry*> next_entry(::archive* reader, const std::filesystem::path& path) {
  ::archive_entry* entry = nullptr;
  const int status = ::archive_read_next_header(reader, &entry);
  if (status == ARCHIVE_EOF) return static_cast<::archive_entry*>(nullptr);
  if (status < ARCHIVE_WARN) return archive_failure(reader, "an archive is damaged", path);
  return entry;
}

// The components of a stored path.  Errors: kCorrupt if one of them is "..".
Result<std::vector<std::string>> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(Errc::kCorrupt, "a path in an archive leaves the folder (..)");
    parts.emplace_back(part);
  }
  return parts;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string path;
  for (const std::string& part : parts) path += (path.empty() ? "" : "/") + part;
  return path;
}

// Opens the folder of `parts` (without the last, the file's name) under `root`, making what is
// missing.  A symbolic link on the way is an error.
Result<Fd> enter_folder(int root, const std::vector<std::string>& parts) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Fd folder(::openat(root, ".", kFlags));
  for (std::size_t i = 0; folder.is_open() && i + 1 < parts.size(); ++i) {
    if (::mkdirat(folder.get(), parts[i].c_str(), 0755) != 0 && errno != EEXIST) {
      return os_failure("cannot make a folder for an unpacked file", joined(parts), errno);
    }
    folder = Fd(::openat(folder.get(), parts[i].c_str(), kFlags));
  }
  if (!folder.is_open()) {
    return os_failure("cannot enter the folder of an unpacked file", joined(parts), errno);
  }
  return folder;
}

Result<void> write_fully(int fd, Bytes bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      return os_failure("cannot write an unpacked file", path, count == 0 ? EIO : errno);
    }
  }
  return {};
}

// One unpacking: where to, and what may still come.
class Unpacker {
 public:
  Unpacker(std::filesystem::path deb, Fd root, std::uint64_t bytes_max)
      : deb_(std::move(deb)), root_(std::move(root)), bytes_max_(bytes_max) {}

  // Reads the tar in `reader` to its end.
  Result<void> run(::archive* reader, const std::function<bool(std::string_view)>& wanted) {
    for (std::uint64_t count = 0; count < kEntriesMax; ++count) {
      ::archive_entry* entry = TRY(next_entry(reader, deb_));
      if (entry == nullptr) return {};
      const char* stored = ::archive_entry_pathname(entry);
      if (stored == nullptr) continue;  // no name in this locale: nobody can have asked for it
      TRY(check_expanded(reader, entry));
      const std::vector<std::string> parts = TRY(split_path(stored));
      const bool is_file = ::archive_entry_filetype(entry) == AE_IFREG;
      const bool is_link = ::archive_entry_hardlink(entry) != nullptr;
      if (parts.empty() || (!is_file && !is_link) || !wanted(joined(parts))) continue;
      if (is_link) {
        TRY(link(parts, ::archive_entry_hardlink(entry)));
      } else {
        TRY(unpack(reader, parts, ::archive_entry_perm(entry)));
      }
    }
    return fail_with(Errc::kLimit, "an archive has too many entries", deb_.native(), kEntriesMax);
  }

 private:
  // What a small package can expand to is bounded, even if all of it is passed over.
  Result<void> check_expanded(::archive* reader, ::archive_entry* entry) const {
    const la_int64_t size = ::archive_entry_size_is_set(entry) ? ::archive_entry_size(entry) : 0;
    const la_int64_t before = ::archive_filter_bytes(reader, 0);
    if (size < 0 || before < 0) {
      return fail_with(Errc::kCorrupt, "an archive is damaged: a negative size", deb_.native());
    }
    const auto sum = static_cast<std::uint64_t>(size) + static_cast<std::uint64_t>(before);
    if (sum <= kExpandedMax) return {};
    return fail_with(Errc::kLimit, "an archive expands to too many bytes", deb_.native(), sum);
  }

  Result<void> unpack(::archive* reader, const std::vector<std::string>& parts, mode_t mode) {
    const std::string path = joined(parts);
    const Fd folder = TRY(enter_folder(root_.get(), parts));
    const char* name = parts.back().c_str();
    ::unlinkat(folder.get(), name, 0);  // a later entry of one name replaces the earlier
    const Fd file(::openat(folder.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                           (mode & 0777) | 0600));
    if (!file.is_open()) return os_failure("cannot make an unpacked file", path, errno);
    buffer_.resize(kReadBytes);
    for (;;) {
      const la_ssize_t count = ::archive_read_data(reader, buffer_.data(), buffer_.size());
      if (count == 0) break;
      if (count < 0) return archive_failure(reader, "an archive is damaged", deb_);
      const Bytes piece = Bytes(buffer_).first(static_cast<std::size_t>(count));
      if (piece.size() > bytes_max_ - bytes_) {
        return fail_with(Errc::kLimit, "the wanted files of an archive are too long", path,
                         bytes_max_);
      }
      bytes_ += piece.size();
      TRY(write_fully(file.get(), piece, path));
    }
    unpacked_.insert(path);
    return {};
  }

  // A second name of a file that was unpacked before.
  Result<void> link(const std::vector<std::string>& parts, const char* stored_target) {
    const std::vector<std::string> target_parts = TRY(split_path(stored_target));
    const std::string target = joined(target_parts);
    if (!unpacked_.contains(target)) {
      return fail_with(Errc::kUnsupported, "a wanted file is a hard link to one not wanted",
                       joined(parts) + " -> " + target);
    }
    const Fd from = TRY(enter_folder(root_.get(), target_parts));
    const Fd to = TRY(enter_folder(root_.get(), parts));
    const char* name = parts.back().c_str();
    if (joined(parts) == target) return {};
    ::unlinkat(to.get(), name, 0);
    if (::linkat(from.get(), target_parts.back().c_str(), to.get(), name, 0) != 0) {
      return os_failure("cannot link an unpacked file", joined(parts), errno);
    }
    unpacked_.insert(joined(parts));
    return {};
  }

  std::filesystem::path deb_;
  Fd root_;
  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;  // written so far
  std::set<std::string> unpacked_;
  std::vector<std::uint8_t> buffer_;
};

// The stream between the two levels: libarchive asks it for the bytes of the ar's member.
struct MemberStream {
  ::archive* outer = nullptr;
  std::vector<std::uint8_t> buffer;
};

extern "C" la_ssize_t read_member(::archive* inner, void* context, const void** bytes) {
  auto& stream = *static_cast<MemberStream*>(context);
  *bytes = stream.buffer.data();
  const la_ssize_t count =
      ::archive_read_data(stream.outer, stream.buffer.data(), stream.buffer.size());
  if (count < 0) {
    ::archive_set_error(inner, ::archive_errno(stream.outer), "%s",
                        ::archive_error_string(stream.outer));
  }
  return count;
}

}  // namespace

Result<void> unpack_deb(const std::filesystem::path& deb, const std::filesystem::path& into,
                        const std::function<bool(std::string_view path)>& wanted,
                        std::uint64_t bytes_max) {
  const Fd source = TRY(open_source(deb));
  TRY(make_directories(into));
  Fd root(::open(into.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.is_open()) return os_failure("cannot open a folder", into.native(), errno);
  const Reader outer = TRY(make_reader());
  ::archive_read_support_format_ar(outer.get());
  if (::archive_read_open_fd(outer.get(), source.get(), kReadBytes) != ARCHIVE_OK) {
    return archive_failure(outer.get(), "not a Debian package", deb);
  }
  for (std::uint64_t count = 0; count < kEntriesMax; ++count) {
    ::archive_entry* entry = TRY(next_entry(outer.get(), deb));
    if (entry == nullptr) break;
    const char* name = ::archive_entry_pathname(entry);
    if (name == nullptr || !std::string_view(name).starts_with("data.tar")) continue;
    MemberStream stream{outer.get(), std::vector<std::uint8_t>(kReadBytes)};
    const Reader inner = TRY(make_reader());
    ::archive_read_support_format_tar(inner.get());
    accept_compressions(inner.get());
    if (::archive_read_open(inner.get(), &stream, nullptr, &read_member, nullptr) != ARCHIVE_OK) {
      return archive_failure(inner.get(), "the files of a package cannot be read", deb);
    }
    return Unpacker(deb, std::move(root), bytes_max).run(inner.get(), wanted);
  }
  return fail_with(Errc::kCorrupt, "not a Debian package: it has no data.tar", deb.native());
}

Result<std::string> read_compressed_file(const std::filesystem::path& path,
                                         std::uint64_t bytes_max) {
  const Fd source = TRY(open_source(path));
  const Reader reader = TRY(make_reader());
  ::archive_read_support_format_raw(reader.get());
  ::archive_read_support_format_empty(reader.get());
  accept_compressions(reader.get());
  if (::archive_read_open_fd(reader.get(), source.get(), kReadBytes) != ARCHIVE_OK) {
    return archive_failure(reader.get(), "a compressed file is damaged", path);
  }
  std::string content;
  ::archive_entry* entry = TRY(next_entry(reader.get(), path));
  if (entry == nullptr) return content;
  std::vector<char> buffer(kReadBytes);
  for (;;) {
    const la_ssize_t count = ::archive_read_data(reader.get(), buffer.data(), buffer.size());
    if (count == 0) return content;
    if (count < 0) return archive_failure(reader.get(), "a compressed file is damaged", path);
    if (static_cast<std::uint64_t>(count) > bytes_max - content.size()) {
      return fail_with(Errc::kLimit, "a compressed file holds more than it may", path.native(),
                       bytes_max);
    }
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace powercut
