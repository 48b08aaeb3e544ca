// powercut image ls, tree
#include "cli/image_command.h"
#include "lab/report/image_json.h"
#include "lab/report/image_text.h"
#include "lab/report/listing_text.h"

namespace powercut::cli {
namespace {

struct ListWords : LookWords {
  lab::ListOptions list;
  lab::ListTextOptions text;
};

// Where the words lead to; a trouble, if nowhere.
std::optional<lab::PathTarget> find(const Look& looked, lab::LastSymlink last, Troubles& troubles) {
  const auto target = lab::resolve_path(looked.volume(), looked.path, last);
  if (target) return *target;
  troubles.add(looked.path, target.error());
  return std::nullopt;
}

int list(ListWords words) {
  int exit_code = kNothingFound;
  const auto looked = look(words, exit_code);
  if (!looked) return exit_code;
  Troubles troubles(*looked);
  const bool wants_link = words.text.is_long || words.list.is_itself;
  const auto last = wants_link ? lab::LastSymlink::kIsWanted : lab::LastSymlink::kIsFollowed;
  const auto target = find(*looked, last, troubles);
  if (!target) return troubles.exit_code();
  Output output;
  const auto print_piece = [&output](std::string_view text) { output.write(text); };
  std::optional<lab::ListingJson> json;
  if (words.as_json) json.emplace(print_piece, looked->image, looked->path, looked->seen.as);
  words.list.has_targets = words.text.is_long || words.as_json;
  words.text.has_header = words.list.is_recursive && !words.text.is_raw;
  words.text.has_whole_paths = words.list.is_recursive && words.text.is_raw;
  bool is_first = true;
  const auto show = [&](const lab::Listing& listing) {
    if (json) return json->add(listing);
    if (words.text.has_header && !is_first && !listing.is_continued) output.write("\n");
    is_first = false;
    output.write(lab::listing_text(listing, words.text));
  };
  const auto trouble = [&](const std::string& path, const Error& error) {
    troubles.add(path, error);
    if (json) json->trouble(path, error);
  };
  lab::list(looked->volume(), *target, looked->path, words.list, {show, trouble});
  if (json) json->end();
  return output.finish(troubles.exit_code());
}

struct TreeWords : LookWords {
  std::uint32_t depth = ~0u;
};

int tree(const TreeWords& words) {
  int exit_code = kNothingFound;
  const auto looked = look(words, exit_code);
  if (!looked) return exit_code;
  Troubles troubles(*looked);
  const auto target = find(*looked, lab::LastSymlink::kIsFollowed, troubles);
  if (!target) return troubles.exit_code();
  Output output;
  const auto print_piece = [&output](std::string_view text) { output.write(text); };
  lab::TreeWalk walk(looked->volume(), looked->path, {.depth_max = words.depth});
  const auto note = [&](const std::string& path, const Error& error) { troubles.add(path, error); };
  if (words.as_json) {
    lab::ListingJson json(print_piece, looked->image, looked->path, looked->seen.as);
    lab::TreeJson tree(looked->volume(), json, [&](const std::string& path, const Error& error) {
      note(path, error);
      json.trouble(path, error);
    });
    const auto walked = walk.run(target->number, target->inode, tree);
    if (!walked) tree.trouble(looked->path, walked.error());
    json.end(&tree.counts());
  } else {
    lab::TreeDrawing tree(looked->volume(), print_piece, note);
    const auto walked = walk.run(target->number, target->inode, tree);
    if (!walked) tree.trouble(looked->path, walked.error());
    if (walked) output.write("\n" + lab::tree_counts_text(tree.counts()));
  }
  return output.finish(troubles.exit_code());
}

}  // namespace

void add_image_listings(CLI::App& image, CommandLine& line) {
  auto words = std::make_shared<ListWords>();
  CLI::App* const ls = image.add_subcommand("ls", "The names in a directory");
  words->add_to(*ls, "image:path");
  ls->add_flag("-l,--long", words->text.is_long,
               "type, mode, links, owner, size or device, time (UTC)");
  ls->add_flag("-a,--all", words->list.has_hidden, "names that begin with a dot, too");
  ls->add_flag("-R,--recursive", words->list.is_recursive, "and what is below");
  ls->add_flag("-d,--directory", words->list.is_itself, "a directory itself, not what is in it");
  ls->add_flag("-i,--inode", words->text.has_inode, "the number of each inode");
  CLI::Option* const xattrs =
      ls->add_flag("--xattrs", words->list.has_xattrs, "extended attributes and ACLs");
  ls->add_flag("-0,--print0", words->text.is_raw,
               "names as they are, each ended by a zero byte; with -R whole paths")
      ->excludes(xattrs);
  ls->callback([&line, words] { line.exit_code = list(*words); });

  auto tree_words = std::make_shared<TreeWords>();
  CLI::App* const tree_command = image.add_subcommand("tree", "All names below a directory, drawn");
  tree_words->add_to(*tree_command, "image:path");
  tree_command->add_option("--depth", tree_words->depth, "so many levels at most")
      ->check(CLI::Range(1u, ~0u));
  tree_command->callback([&line, tree_words] { line.exit_code = tree(*tree_words); });
}

}  // namespace powercut::cli
