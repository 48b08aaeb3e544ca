// powercut image info, stat, cat
#include "cli/image_command.h"
#include "lab/image/file_copy.h"
#include "lab/image/inode_report.h"
#include "lab/report/image_json.h"
#include "lab/report/image_text.h"
#include "reader/path_walk.h"

namespace powercut::cli {
namespace {

constexpr std::uint64_t kNamesLookedAt = 4'000'000;  // for the path of `<N>`

struct ImageInfoWords : LookWords {
  bool has_orphans = false;
};

int image_info(const ImageInfoWords& words) {
  int exit_code = kNothingFound;
  const auto looked = look(words, exit_code);
  if (!looked) return exit_code;
  if (looked->path != "/") {
    return print_error(
        fail_with(Errc::kInvalid, "info: of an image, not of a path", looked->path).error);
  }
  auto found = lab::read_image_info(looked->file, looked->seen);
  Output output;
  if (words.as_json) {
    if (!words.has_orphans) found.orphans.inodes.clear();
    output.write(lab::info_json(found, looked->image));
  } else {
    output.write(lab::info_text(found, looked->image));
    if (words.has_orphans) output.write(lab::orphans_text(found.orphans));
  }
  return output.finish(found.is_damaged() ? kFindings : kNothingFound);
}

// Where the words lead to; nothing, and it was said why, if nowhere.
std::optional<lab::PathTarget> find(const Look& looked, lab::LastSymlink last, int& exit_code) {
  const auto target = lab::resolve_path(looked.volume(), looked.path, last);
  if (target) return *target;
  print_note("powercut: " + lab::trouble_text(looked.path, target.error()));
  exit_code = exit_code_of(target.error());
  return std::nullopt;
}

std::string path_of_report(const Look& looked, InodeNo number) {
  if (!looked.path.starts_with('<')) return looked.path;
  Budget budget(kNamesLookedAt);
  return path_of(looked.volume(), number, budget);
}

int stat(const LookWords& words) {
  int exit_code = kNothingFound;
  const auto looked = look(words, exit_code);
  if (!looked) return exit_code;
  const auto target = find(*looked, lab::LastSymlink::kIsWanted, exit_code);
  if (!target) return exit_code;
  const Volume& volume = looked->volume();
  const auto report = lab::read_inode_report(volume, target->number, target->inode);
  const std::string path = path_of_report(*looked, target->number);
  Output output;
  output.write(words.as_json ? lab::inode_json(report, path, volume.superblock())
                             : lab::inode_text(report, path, volume.superblock()));
  const bool is_damaged = report.is_damaged() || looked->seen.is_damaged();
  return output.finish(is_damaged ? kFindings : kNothingFound);
}

int cat(const LookWords& words) {
  int exit_code = kNothingFound;
  const auto looked = look(words, exit_code);
  if (!looked) return exit_code;
  const auto target = find(*looked, lab::LastSymlink::kIsFollowed, exit_code);
  if (!target) return exit_code;
  Troubles troubles(*looked);
  Output output;
  const auto streamed =
      lab::stream_file(looked->volume(), target->number, target->inode, [&](Bytes piece) {
        return output.write({reinterpret_cast<const char*>(piece.data()), piece.size()});
      });
  if (!streamed) troubles.add(looked->path, streamed.error());
  return output.finish(troubles.exit_code());
}

}  // namespace

void add_image_looks(CLI::App& image, CommandLine& line) {
  auto info_words = std::make_shared<ImageInfoWords>();
  CLI::App* const info_command =
      image.add_subcommand("info", "The file system: sizes, features, state, journal, damage");
  info_words->add_to(*info_command, "image");
  info_command->add_flag("--orphans", info_words->has_orphans,
                         "list the inodes that recovery deletes or truncates");
  info_command->callback([&line, info_words] { line.exit_code = image_info(*info_words); });

  auto stat_words = std::make_shared<LookWords>();
  CLI::App* const stat_command =
      image.add_subcommand("stat", "An inode: times, flags, blocks, attributes, checksum");
  stat_words->add_to(*stat_command, "image:path");
  stat_command->callback([&line, stat_words] { line.exit_code = stat(*stat_words); });

  auto cat_words = std::make_shared<LookWords>();
  CLI::App* const cat_command =
      image.add_subcommand("cat", "The content of a file, on standard output");
  cat_words->add_to(*cat_command, "image:path", /*has_json=*/false);
  cat_command->callback([&line, cat_words] { line.exit_code = cat(*cat_words); });
}

}  // namespace powercut::cli
