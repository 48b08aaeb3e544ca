#include "tests/support/e2fs_image.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include <sys/wait.h>

namespace powercut::testing {

std::optional<std::string> find_tool(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path == nullptr ? "" : path) + ":/usr/sbin:/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const auto candidate = std::filesystem::path(folder) / name;
    if (!folder.empty() && std::filesystem::exists(candidate)) return candidate.string();
  }
  return std::nullopt;
}

ShellOutcome run_shell(const std::string& command) {
  ShellOutcome outcome;
  FILE* pipe =
      ::popen(("export PATH=$PATH:/usr/sbin:/sbin; { " + command + "\n} 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> piece{};
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), pipe)) {
    outcome.output.append(piece.data(), count);
  }
  const int status = ::pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

TemporaryFolder::TemporaryFolder() {
  for (const std::filesystem::path& parent :
       {std::filesystem::path("/dev/shm"), std::filesystem::temp_directory_path()}) {
    std::string pattern = (parent / "powercut-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) continue;
    path_ = pattern;
    return;
  }
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void make_tree(const std::filesystem::path& root, int names) {
  std::filesystem::create_directories(root / "many");
  for (int i = 0; i < names; ++i) {
    const std::string filler(static_cast<std::size_t>(i) % 40, 'x');
    std::ofstream(root / "many" / ("name-" + std::to_string(i) + filler)).flush();
  }
  std::ofstream sparse(root / "sparse", std::ios::binary);
  for (int i = 0; i < 450; ++i) {
    sparse.seekp(i * 8192);
    sparse << std::string(4096, static_cast<char>('a' + i % 26));
  }
  std::filesystem::create_symlink(std::string(100, 'l'), root / "long_link");
  std::filesystem::create_symlink("short", root / "short_link");
}

E2fsImage::E2fsImage(const ImageOptions& options) : path_(folder_.path() / "image") {
  const std::string tree = options.tree.empty() ? "" : " -d '" + options.tree + "'";
  outcome_ =
      run_shell("truncate -s " + options.size + " '" + path_.string() + "' && mke2fs -q -F -t " +
                options.type + " " + options.mke2fs + tree + " '" + path_.string() + "'");
}

std::vector<std::uint8_t> E2fsImage::bytes() const {
  std::ifstream file(path_, std::ios::binary);
  std::vector<std::uint8_t> bytes(std::filesystem::file_size(path_));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

std::string E2fsImage::debugfs(const std::string& commands, bool writes) const {
  const auto script = folder_.path() / "commands";
  std::ofstream(script) << commands << "\n";
  return run_shell("debugfs " + std::string(writes ? "-w " : "") + "-f '" + script.string() +
                   "' '" + path_.string() + "'")
      .output;
}

ShellOutcome E2fsImage::fsck(const std::string& options) const {
  return run_shell("e2fsck " + options + " '" + path_.string() + "'");
}

std::optional<std::uint64_t> number_after(const std::string& text, const std::string& label) {
  const auto at = text.find(label);
  if (at == std::string::npos) return std::nullopt;
  const auto digits = text.find_first_not_of(" \t", at + label.size());
  if (digits == std::string::npos || !std::isdigit(static_cast<unsigned char>(text[digits]))) {
    return std::nullopt;
  }
  return std::strtoull(text.c_str() + digits, nullptr, 0);
}

}  // namespace powercut::testing
