#include "cli/image_command.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "lab/report/image_text.h"

namespace powercut::cli {
namespace {

constexpr std::size_t kHeldMax = std::size_t{1} << 16;
constexpr std::uint64_t kTroublesShown = 100;

// "/a" for "a": the root is where relative paths begin.  "<12>" stays.
std::string shown_path(const std::string& path) {
  if (path.starts_with('/') || path.starts_with('<')) return path;
  return "/" + path;
}

}  // namespace

bool is_file(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  return std::filesystem::exists(status) && !std::filesystem::is_directory(status);
}

void LookWords::add_to(CLI::App& command, const std::string& word_name, bool has_json) {
  command.add_option(word_name, word, "an image or a disk; with :PATH a path in it, or :<INODE>")
      ->required();
  image.add_to(command);
  command.add_flag("--raw", is_raw, "as it lies: without the log, if there is one to be replayed");
  if (has_json) command.add_flag("--json", as_json, "one JSON document");
}

std::optional<Look> look(const LookWords& words, int& exit_code) {
  const lab::ImageWord word = lab::split_image_word(words.word, is_file);
  const auto options = words.image.options_for(word.image);
  if (!options) {
    exit_code = print_error(options.error());
    return std::nullopt;
  }
  auto file = open_image(*options);
  if (!file) {
    exit_code = print_image_error(file.error(), *options);
    return std::nullopt;
  }
  const auto seen = lab::see_volume(*file, words.is_raw);
  if (!seen) {
    exit_code = print_error(seen.error());
    print_note("the log has to be replayed first, and cannot be; --raw shows it as it lies\n");
    return std::nullopt;
  }
  print_note(lab::seen_text(*file, *seen));
  return Look{std::move(*file), *seen, word.image, shown_path(word.path)};
}

bool Output::write(std::string_view text) {
  held_ += text;
  if (held_.size() >= kHeldMax) flush();
  return os_error_ == 0;
}

void Output::flush() {
  if (os_error_ == 0 && std::fwrite(held_.data(), 1, held_.size(), stdout) != held_.size()) {
    os_error_ = errno;
  }
  held_.clear();
}

int Output::finish(int exit_code) {
  flush();
  if (os_error_ == 0 && std::fflush(stdout) != 0) os_error_ = errno;
  if (os_error_ == 0 || os_error_ == EPIPE) return exit_code;
  return print_error(os_failure("cannot write to standard output", "", os_error_).error);
}

int exit_code_of(const Error& error) {
  switch (error.code) {
    case Errc::kCorrupt:
    case Errc::kChecksum:
    case Errc::kUnsupported: return kFindings;
    case Errc::kInvalid: return kUsage;
    default: return kEnvironment;
  }
}

Troubles::Troubles(const Look& look)
    : exit_code_(look.seen.is_damaged() ? kFindings : kNothingFound) {}

void Troubles::add(const std::string& path, const Error& error) {
  exit_code_ = std::max(exit_code_, exit_code_of(error));
  if (++count_ <= kTroublesShown) print_note("powercut: " + lab::trouble_text(path, error));
  if (count_ == kTroublesShown + 1) print_note("powercut: ... more could not be read\n");
}

void add_image(CommandLine& line) {
  CLI::App* const image = line.app.add_subcommand(
      "image", "Reads and changes an ext4 image without root and without a mount");
  image->require_subcommand(1);
  image->footer(
      "A crashed image is shown as its recovery would leave it.  A path is relative to the "
      "image's\n"
      "root; symlinks on the way are followed, the last one by cat, ls (without -l and -d) and\n"
      "extract; <N> is inode N.  Exit status 1: the image is damaged; what can be read is shown.");
  add_image_looks(*image, line);
  add_image_listings(*image, line);
  add_image_extract(*image, line);
  add_image_changes(*image, line);
}

}  // namespace powercut::cli
