// File systems made and judged by e2fsprogs, for tests: mke2fs makes an image in a temporary
// folder, debugfs and e2fsck say what is in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace powercut::testing {

// Where a program is: in PATH, /usr/sbin or /sbin.
std::optional<std::string> find_tool(const std::string& name);

// Standard output and error of a shell command together, and its exit status.
struct ShellOutcome {
  int status = -1;
  std::string output;
};
ShellOutcome run_shell(const std::string& command);

// In memory where there is such a folder (mke2fs and e2fsck sync their images), else in $TMPDIR.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Fills a folder with what makes mke2fs write every structure: a directory "many" of `names` empty
// files, a file "sparse" of 450 separate pieces of 4 KiB, a short and a long symlink.
void make_tree(const std::filesystem::path& root, int names);

struct ImageOptions {
  std::string mke2fs{};  // its options, beyond -q -F -t TYPE
  std::string size = "16M";
  std::string tree{};  // a folder to copy in; empty: none
  std::string type = "ext4";
};

class E2fsImage {
 public:
  // If mke2fs fails, is_made() is false and log() says why.
  explicit E2fsImage(const ImageOptions& options);
  bool is_made() const { return outcome_.status == 0; }
  const std::string& log() const { return outcome_.output; }
  const std::filesystem::path& path() const { return path_; }
  std::vector<std::uint8_t> bytes() const;
  // Output of debugfs commands, one a line; `writes` opens the image for writing.
  std::string debugfs(const std::string& commands, bool writes = false) const;
  // Exit status of `e2fsck OPTIONS`.
  ShellOutcome fsck(const std::string& options) const;

 private:
  TemporaryFolder folder_;
  std::filesystem::path path_;
  ShellOutcome outcome_;
};

// The number after `label` in `text` (decimal, or hexadecimal after 0x); nothing if it is not
// there.
std::optional<std::uint64_t> number_after(const std::string& text, const std::string& label);

}  // namespace powercut::testing

// Skips the test by name where a tool is missing.
#define SKIP_WITHOUT_TOOL(name)                             \
  do {                                                      \
    if (!::powercut::testing::find_tool(name)) {            \
      GTEST_SKIP() << "needs " << (name) << " (e2fsprogs)"; \
    }                                                       \
  } while (false)
