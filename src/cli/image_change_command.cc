// powercut image put, rm, mkdir, mv, ln, chmod, ..., import, shell
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "cli/image_command.h"
#include "cli/work_line.h"
#include "host/machine.h"
#include "lab/image/image_change.h"

namespace powercut::cli {
namespace {

// The words of a change, as image_change.h has them, and the image that one of them names.
struct ImageChange {
  std::string image;
  std::vector<std::string> words;
};

// How many of a command's words are of this machine: the image is named behind them.
std::size_t host_words_of(const std::string& command, const std::vector<std::string>& words) {
  if (command == "put" || command == "import") return 1;
  if (command == "chmod" || command == "chown" || command == "truncate") return 1;
  const bool is_symbolic = std::ranges::any_of(words, [](const std::string& word) {
    return word.starts_with("-") && word.find('s') != std::string::npos;
  });
  return command == "ln" && is_symbolic ? 1 : 0;
}

Result<ImageChange> find_image(const std::string& command, const std::vector<std::string>& given) {
  ImageChange change;
  change.words.push_back(command);
  std::size_t skipped = host_words_of(command, given);
  for (const std::string& word : given) {
    const bool is_option = word.starts_with("-") && word.size() > 1;
    if (is_option || skipped > 0) {
      if (!is_option) --skipped;
      change.words.push_back(word);
      continue;
    }
    const lab::ImageWord split = lab::split_image_word(word, is_file);
    const bool names_it = is_file(split.image);
    if (change.image.empty() && !names_it) {
      return fail_with(Errc::kNotFound, "no image in IMAGE:PATH", word);
    }
    if (names_it && !change.image.empty() && split.image != change.image) {
      return fail_with(Errc::kInvalid, "another image: a change is of one", word);
    }
    if (names_it) change.image = split.image;
    change.words.push_back(!names_it ? word : split.path.empty() ? "/" : split.path);
  }
  if (change.image.empty()) return fail(Errc::kInvalid, "no IMAGE:PATH was given");
  return change;
}

class Session {
 public:
  explicit Session(std::string name) : line_(std::move(name)) {}

  // The exit code; 0 if it is open.
  int open(const ImageWords& words, const std::string& image) {
    const auto options = words.options_for(image);
    if (!options) return print_error(options.error());
    fs::VolumeOptions volume_options;
    volume_options.offset = options->offset_bytes;
    auto volume = fs::Volume::open(image, volume_options);
    if (!volume) return print_image_error(volume.error(), *options);
    volume_.emplace(std::move(*volume));
    return kNothingFound;
  }

  // Says what went wrong.
  int change(const std::vector<std::string>& words) {
    lab::ChangeContext context;
    context.progress = [this](const lab::ChangeProgress& progress) {
      return line_.show([&progress] {
        return std::to_string(progress.files) + " files, " + std::to_string(progress.bytes >> 20) +
               " MiB  " + progress.path;
      });
    };
    context.trouble = [this](const std::string& path, const Error& error) {
      line_.clear();
      print_note("powercut: " + path + ": " + error_words(error) + "\n");
      exit_code_ = kEnvironment;
    };
    context.print = [](std::string_view text) { print(text); };
    const auto changed = lab::change_image(*volume_, words, context);
    line_.clear();
    return changed ? kNothingFound : told(changed.error());
  }

  // Everything is durable and the image clean, unless it says otherwise.
  int close(int exit_code) {
    const auto closed = volume_->close();
    if (!closed) return told(closed.error());
    return exit_code != kNothingFound ? exit_code : exit_code_;
  }

 private:
  static int told(const Error& error) {
    const int exit_code = print_error(error);
    const bool is_damage = error.code == Errc::kCorrupt || error.code == Errc::kChecksum;
    return is_damage ? kFindings : exit_code;
  }

  WorkLine line_;
  std::optional<fs::Volume> volume_;
  int exit_code_ = kNothingFound;
};

int change(const ImageWords& words, const std::string& command,
           const std::vector<std::string>& given) {
  const auto change = find_image(command, given);
  if (!change) return print_error(change.error());
  Session session("image " + command);
  const int opened = session.open(words, change->image);
  return opened != kNothingFound ? opened : session.close(session.change(change->words));
}

std::string shell_help() {
  std::string text =
      "A change is durable after commit, at the end (quit), or after some seconds.\n";
  for (const lab::ChangeCommand& command : lab::change_commands()) {
    std::string line = "  " + std::string(command.name) + " " + command.usage;
    line.resize(std::max<std::size_t>(line.size(), 30), ' ');
    text += line + "  " + command.summary + "\n";
  }
  return text + "  help, quit\n";
}

// The first command that fails ends what is not typed by a person.
int shell(const ImageWords& words, const std::string& image) {
  Session session("image shell");
  const int opened = session.open(words, image);
  if (opened != kNothingFound) return opened;
  const bool is_person = is_terminal(STDIN_FILENO);
  int exit_code = kNothingFound;
  std::string line;
  for (;;) {
    if (is_person) print(image + "> ");
    if (!std::getline(std::cin, line)) break;
    const auto typed = lab::words_of_line(line);
    if (typed && !typed->empty() && typed->front() == "quit") break;
    if (typed && !typed->empty() && typed->front() == "help") {
      print(shell_help());
      continue;
    }
    const int result = typed ? session.change(*typed) : print_error(typed.error());
    if (result != kNothingFound && !is_person) {
      exit_code = result;
      break;
    }
  }
  return session.close(exit_code);
}

struct ShellWords {
  std::string image;
  ImageWords words;
};

}  // namespace

void add_image_changes(CLI::App& image, CommandLine& line) {
  for (const lab::ChangeCommand& command : lab::change_commands()) {
    const std::string name = command.name;
    if (name == "ls" || name == "cat" || name == "commit") continue;
    CLI::App* const app = image.add_subcommand(name, command.summary);
    app->footer("Usage: powercut image " + name + " " + command.usage +
                "   (the first path of the image as IMAGE:PATH)");
    app->allow_extras();
    auto words = std::make_shared<ImageWords>();
    words->add_to(*app);
    app->callback(
        [&line, app, words, name] { line.exit_code = change(*words, name, app->remaining()); });
  }
  CLI::App* const app = image.add_subcommand("shell", "Changes an image by commands, one a line");
  auto words = std::make_shared<ShellWords>();
  app->add_option("IMAGE", words->image)->required();
  words->words.add_to(*app);
  app->callback([&line, words] { line.exit_code = shell(words->words, words->image); });
}

}  // namespace powercut::cli
