// A file that gets its name only when it is whole.
//
// Until publish() it has none (O_TMPFILE), so nothing is left of it however the program ends.  On a
// file system that cannot do that it has a name of its own beside the wanted one, ".NAME.XXXXXX",
// which the destructor removes; only a kill -9 leaves that.
#pragma once

#include <filesystem>
#include <optional>

#include "host/file.h"

namespace powercut {

class NewFile {
 public:
  // `path` must not be there; the folder must be.  `size_bytes` of holes.
  // Errors: kExists; kNotFound: no such folder; kNoSpace, kLimit, kIo.
  static Result<NewFile> make(const std::filesystem::path& path, std::uint64_t size_bytes);
  NewFile(NewFile&& other) noexcept = default;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  File& file() { return file_; }
  // Makes the content durable, then gives it its name, which is made durable too.  Never replaces a
  // file.  Errors: kExists; kNoSpace, kIo: then it has no name.
  Result<void> publish();

 private:
  NewFile(std::filesystem::path path, std::filesystem::path beside, File file)
      : path_(std::move(path)), beside_(std::move(beside)), file_(std::move(file)) {}
  std::filesystem::path path_;
  std::filesystem::path beside_;  // empty: it has no name
  File file_;
};

}  // namespace powercut
