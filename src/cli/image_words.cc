#include "cli/image_words.h"

#include <charconv>

#include "block/store_device.h"
#include "host/in_use.h"
#include "lab/image/partitions.h"
#include "lab/report/place_text.h"

namespace powercut::cli {
namespace {

Result<std::vector<lab::Partition>> partitions_in(const std::filesystem::path& image) {
  File file = TRY(File::open(image, File::Access::kRead));
  return lab::find_partitions(StoreDevice(file));
}

}  // namespace

void ImageWords::add_to(CLI::App& command) {
  CLI::Option* const bytes = command.add_option(
      "--offset", offset, "where the file system begins: bytes, or with K, M, G, or s (sectors)");
  command.add_option("--partition", partition, "the file system is in this partition")
      ->check(CLI::Range(1, 1 << 20))
      ->excludes(bytes);
  command.add_option("--journal", journal, "the device (or file) of an external journal");
  command
      .add_option("--recover-as", recover_as,
                  "whose rules of recovery: linux (6.13 and later), linux-6.12, linux-6.1, e2fsck")
      ->check(CLI::IsMember({"linux", "linux-6.12", "linux-6.1", "e2fsck"}));
}

Result<std::uint64_t> parse_offset(const std::string& text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  const std::uint64_t scale = unit.empty()                 ? 1
                              : unit == "s"                ? 512
                              : unit == "K" || unit == "k" ? std::uint64_t{1} << 10
                              : unit == "M"                ? std::uint64_t{1} << 20
                              : unit == "G"                ? std::uint64_t{1} << 30
                                                           : 0;
  if (error != std::errc{} || scale == 0 || number > UINT64_MAX / scale) {
    return fail_with(Errc::kInvalid, "--offset: a number of bytes, or with K, M, G or s", text);
  }
  return number * scale;
}

Result<lab::ImageOptions> ImageWords::options_for(const std::string& image) const {
  lab::ImageOptions options;
  options.path = image;
  options.journal = journal;
  options.recover_as = recover_as_of(recover_as).value_or(RecoverAs::kLinux);
  if (!offset.empty()) options.offset_bytes = TRY(parse_offset(offset));
  if (partition == 0) return options;
  const auto partitions = TRY(partitions_in(image));
  for (const lab::Partition& each : partitions) {
    if (each.number != partition) continue;
    options.offset_bytes = each.offset_bytes;
    return options;
  }
  return fail_with(Errc::kNotFound, "no partition of that number", std::to_string(partition));
}

std::string ImageWords::repeated() const {
  std::string text;
  if (!offset.empty()) text += " --offset " + offset;
  if (partition != 0) text += " --partition " + std::to_string(partition);
  if (!journal.empty()) text += " --journal " + shell_word(journal);
  if (recover_as != "linux") text += " --recover-as " + recover_as;
  return text;
}

void note_uses(const lab::ImageOptions& options) {
  for (const auto& path : {options.path, options.journal}) {
    if (path.empty()) continue;
    const auto uses = uses_of(path);
    if (uses && !uses->empty()) print_note(lab::in_use_text(path, *uses));
  }
}

Result<lab::ImageFile> open_image(const lab::ImageOptions& options) {
  note_uses(options);
  return lab::ImageFile::open(options);
}

int print_image_error(const Error& error, const lab::ImageOptions& options) {
  const int code = print_error(error);
  if (options.offset_bytes != 0 || error.code == Errc::kNotFound) return code;
  const auto partitions = partitions_in(options.path);
  if (partitions && !partitions->empty()) print_note(lab::partitions_text(*partitions));
  return code;
}

}  // namespace powercut::cli
