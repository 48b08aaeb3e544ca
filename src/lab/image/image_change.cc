#include "lab/image/image_change.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "host/tree_reader.h"
#include "lab/image/tree_walk.h"

namespace powercut::lab {
namespace {

constexpr std::string_view kTemporaryEnd = ".powercut-put";

struct Words {
  std::string options;             // letters
  std::vector<std::string> words;  // the others
  bool has(char option) const { return options.find(option) != std::string::npos; }
};

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

std::string last_name(const std::string& path) {
  const std::string trimmed = path.substr(0, path.find_last_not_of('/') + 1);
  return trimmed.substr(trimmed.find_last_of('/') + 1);
}

// A file or folder named as in `cp` and `mv`: into a directory under its old name.
Result<std::string> into_folder(const fs::Volume& volume, const std::string& path,
                                const std::string& name) {
  const auto status = volume.status(path);
  if (!status)
    return status.error().code == Errc::kNotFound ? Result<std::string>{path}
                                                  : Failure{status.error()};
  return status->kind == FileKind::kDirectory ? joined_path(path, name) : path;
}

Result<std::uint64_t> number(const std::string& text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail_with(Errc::kInvalid, "not a number", text);
  }
  return value;
}

fs::Time time_of(const HostTime& time) {
  return {time.seconds, time.nanoseconds};
}

// ---- from this machine into the image

class Import {
 public:
  Import(fs::Volume& volume, const ChangeContext& context, std::filesystem::path top,
         std::string into)
      : volume_(volume), context_(context), top_(std::move(top)), into_(std::move(into)) {}

  Result<void> entry(const HostEntry& entry) {
    const std::string path = joined_path(into_, entry.path);
    progress_.path = path;
    if (context_.progress && !context_.progress(progress_)) {
      return fail(Errc::kAborted, "interrupted; what was imported so far is whole");
    }
    const auto made = make(entry, path);
    if (!made) {
      if (is_the_end(made.error())) return made;
      context_.trouble(path, made.error());
      return {};
    }
    ++progress_.files;
    return {};
  }

 private:
  // What stops an import, and does not concern one file only.
  static bool is_the_end(const Error& error) {
    return error.code == Errc::kAborted || error.code == Errc::kNoSpace ||
           error.code == Errc::kReadOnly || error.code == Errc::kIo;
  }

  Result<void> make(const HostEntry& entry, const std::string& path) {
    const auto linked = names_.find({entry.device, entry.inode});
    if (linked != names_.end() && entry.kind != FileKind::kDirectory) {
      return volume_.make_link(linked->second, path);
    }
    switch (entry.kind) {
      case FileKind::kDirectory: TRY(make_folder(path, entry.mode)); break;
      case FileKind::kSymlink: TRY(volume_.make_symlink(path, entry.target)); break;
      case FileKind::kRegular: TRY(copy(entry, path)); break;
      case FileKind::kFifo:
      case FileKind::kSocket:
      case FileKind::kCharacterDevice:
      case FileKind::kBlockDevice: TRY(node(entry, path)); break;
    }
    if (entry.links > 1) names_.emplace(std::pair{entry.device, entry.inode}, path);
    return attributes(entry, path);
  }

  Result<void> make_folder(const std::string& path, std::uint32_t mode) {
    const auto there = volume_.status(path);
    if (there && there->kind == FileKind::kDirectory) return {};
    return volume_.make_directory(path, mode);
  }

  Result<void> node(const HostEntry& entry, const std::string& path) {
    return volume_.make_node(path, entry.kind, entry.mode, entry.major, entry.minor);
  }

  Result<void> copy(const HostEntry& entry, const std::string& path) {
    fs::File file =
        TRY(volume_.open_file(path, {.creates = true, .is_new = true, .mode = entry.mode}));
    TRY(read_host_file(top_, entry, [&](std::uint64_t offset, Bytes bytes) -> Result<void> {
      progress_.bytes += bytes.size();
      if (context_.progress && !context_.progress(progress_)) {
        return fail(Errc::kAborted, "interrupted; the last file is there in part");
      }
      return file.write(offset, bytes);
    }));
    return file.truncate(entry.size);
  }

  Result<void> attributes(const HostEntry& entry, const std::string& path) {
    TRY(volume_.set_owner(path, entry.uid, entry.gid));
    for (const HostXattr& xattr : entry.xattrs) {
      const auto set = volume_.set_attribute(path, xattr.name, xattr.value);
      if (!set && is_the_end(set.error())) return set;
      if (!set) context_.trouble(path + ": " + xattr.name, set.error());
    }
    if (entry.kind != FileKind::kSymlink) TRY(volume_.set_mode(path, entry.mode));
    return volume_.set_times(path, time_of(entry.accessed), time_of(entry.modified));
  }

  fs::Volume& volume_;
  const ChangeContext& context_;
  const std::filesystem::path top_;
  const std::string into_;
  ChangeProgress progress_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> names_;
};

Result<void> import_tree(fs::Volume& volume, const Words& words, const ChangeContext& context) {
  const std::filesystem::path top = words.words[0];
  const std::string into = words.words.size() > 1 ? words.words[1] : "/";
  Import import(volume, context, top, into);
  return walk_host_tree(
      top, {[&](const HostEntry& entry) { return import.entry(entry); }, context.trouble});
}

// Under a name of its own first, then in the place of the old one: at any moment the old content is
// there, or the new one.
Result<void> put(fs::Volume& volume, const Words& words, const ChangeContext& context) {
  const std::filesystem::path from = words.words[0];
  const std::string path = TRY(into_folder(volume, words.words[1], from.filename().string()));
  const std::string temporary =
      joined_path(parent_of(path), "." + last_name(path) + std::string(kTemporaryEnd));
  ignore_error(volume.remove(temporary), "there is one only if an earlier put was cut off");
  Import import(volume, context, from, temporary);
  std::size_t entries = 0;
  const auto copied = walk_host_tree(
      from, {[&](const HostEntry& entry) -> Result<void> {
               if (entry.kind == FileKind::kDirectory) {
                 return fail_with(Errc::kInvalid, "a folder: use import", from.string());
               }
               ++entries;
               return import.entry(entry);
             },
             context.trouble});
  if (!copied || entries == 0) {
    ignore_error(volume.remove(temporary), "the first error counts");
    return copied;
  }
  return volume.rename(temporary, path);
}

// ---- names

Result<void> remove_tree(fs::Volume& volume, const std::string& path, const ChangeContext& context,
                         ChangeProgress& progress) {
  progress.path = path;
  if (context.progress && !context.progress(progress)) {
    return fail(Errc::kAborted, "interrupted; what is left is whole");
  }
  const fs::FileStatus status = TRY(volume.status(path));
  ++progress.files;
  if (status.kind != FileKind::kDirectory) return volume.remove(path);
  std::vector<std::string> names;
  TRY(volume.list(path, [&](const fs::ListedEntry& entry) {
    names.push_back(entry.name);
    return true;
  }));
  for (const std::string& name : names) {
    TRY(remove_tree(volume, joined_path(path, name), context, progress));
  }
  return volume.remove_directory(path);
}

Result<void> rm(fs::Volume& volume, const Words& words, const ChangeContext& context) {
  ChangeProgress progress;
  for (const std::string& path : words.words) {
    if (words.has('r')) {
      TRY(remove_tree(volume, path, context, progress));
      continue;
    }
    TRY(volume.remove(path));
  }
  return {};
}

Result<void> rmdir(fs::Volume& volume, const Words& words, const ChangeContext&) {
  for (const std::string& path : words.words) TRY(volume.remove_directory(path));
  return {};
}

Result<void> mkdir(fs::Volume& volume, const Words& words, const ChangeContext&) {
  for (const std::string& path : words.words) {
    if (!words.has('p')) {
      TRY(volume.make_directory(path));
      continue;
    }
    for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      const std::string part = path.substr(0, slash);
      const auto made = volume.make_directory(part);
      if (!made && made.error().code != Errc::kExists) return made;
      if (slash == std::string::npos) break;
    }
  }
  return {};
}

Result<void> mv(fs::Volume& volume, const Words& words, const ChangeContext&) {
  const std::string& from = words.words[0];
  if (words.has('x')) return volume.rename(from, words.words[1], fs::Rename::kExchange);
  const std::string to = TRY(into_folder(volume, words.words[1], last_name(from)));
  return volume.rename(from, to, words.has('n') ? fs::Rename::kNoReplace : fs::Rename::kReplace);
}

Result<void> ln(fs::Volume& volume, const Words& words, const ChangeContext&) {
  if (words.has('s')) return volume.make_symlink(words.words[1], words.words[0]);
  return volume.make_link(words.words[0], words.words[1]);
}

Result<void> chmod(fs::Volume& volume, const Words& words, const ChangeContext&) {
  const std::uint64_t mode = TRY(number(words.words[0], 8));
  if (mode > 07777) return fail_with(Errc::kInvalid, "not a mode (octal)", words.words[0]);
  for (std::size_t i = 1; i < words.words.size(); ++i) {
    TRY(volume.set_mode(words.words[i], static_cast<std::uint32_t>(mode)));
  }
  return {};
}

Result<void> chown(fs::Volume& volume, const Words& words, const ChangeContext&) {
  const std::string& owner = words.words[0];
  const auto colon = owner.find(':');
  std::optional<std::uint32_t> uid, gid;
  const auto id = [](const std::string& text) -> Result<std::uint32_t> {
    return static_cast<std::uint32_t>(TRY(number(text, 10)));
  };
  if (colon != 0) uid = TRY(id(owner.substr(0, colon)));
  if (colon != std::string::npos) gid = TRY(id(owner.substr(colon + 1)));
  for (std::size_t i = 1; i < words.words.size(); ++i) {
    TRY(volume.set_owner(words.words[i], uid, gid));
  }
  return {};
}

Result<void> truncate(fs::Volume& volume, const Words& words, const ChangeContext&) {
  const std::uint64_t size = TRY(number(words.words[0], 10));
  fs::File file = TRY(volume.open_file(words.words[1], {.creates = true}));
  return file.truncate(size);
}

// ---- looking

Result<void> ls(fs::Volume& volume, const Words& words, const ChangeContext& context) {
  const std::string path = words.words.empty() ? "/" : words.words[0];
  std::vector<std::string> names;
  TRY(volume.list(path, [&](const fs::ListedEntry& entry) {
    names.push_back(entry.name + (entry.kind == FileKind::kDirectory ? "/" : ""));
    return true;
  }));
  std::ranges::sort(names);
  for (const std::string& name : names) context.print(name + "\n");
  return {};
}

Result<void> cat(fs::Volume& volume, const Words& words, const ChangeContext& context) {
  const fs::File file = TRY(volume.open_file(words.words[0]));
  std::vector<std::uint8_t> piece(std::size_t{1} << 20);
  for (std::uint64_t at = 0;;) {
    const std::size_t got = TRY(file.read(at, piece));
    if (got == 0) return {};
    context.print({reinterpret_cast<const char*>(piece.data()), got});
    at += got;
  }
}

Result<void> commit(fs::Volume& volume, const Words&, const ChangeContext&) {
  return volume.commit();
}

using Body = Result<void> (*)(fs::Volume&, const Words&, const ChangeContext&);

constexpr std::size_t kMany = ~std::size_t{0};

constexpr std::array kCommands = {
    ChangeCommand{"cat", "PATH", "prints a file", 1, 1, ""},
    ChangeCommand{"chmod", "MODE PATH...", "sets permissions (octal)", 2, kMany, ""},
    ChangeCommand{"chown", "UID[:GID] PATH...", "sets owner and group (numbers)", 2, kMany, ""},
    ChangeCommand{"commit", "", "makes everything durable", 0, 0, ""},
    ChangeCommand{"import", "FOLDER [PATH]", "copies a tree of this machine into PATH", 1, 2, ""},
    ChangeCommand{"ln", "[-s] TARGET PATH", "a second name, or a symlink", 2, 2, "s"},
    ChangeCommand{"ls", "[PATH]", "lists a directory", 0, 1, ""},
    ChangeCommand{"mkdir", "[-p] PATH...", "makes directories", 1, kMany, "p"},
    ChangeCommand{"mv", "[-n|-x] FROM TO", "renames; -n: not over another, -x: exchanges", 2, 2,
                  "nx"},
    ChangeCommand{"put", "FILE PATH", "copies a file of this machine to PATH", 2, 2, ""},
    ChangeCommand{"rm", "[-r] PATH...", "removes files; -r: and directories", 1, kMany, "r"},
    ChangeCommand{"rmdir", "PATH...", "removes empty directories", 1, kMany, ""},
    ChangeCommand{"truncate", "SIZE PATH", "sets a file's size (bytes)", 2, 2, ""},
};
constexpr std::array<Body, kCommands.size()> kBodies = {
    cat, chmod, chown, commit, import_tree, ln, ls, mkdir, mv, put, rm, rmdir, truncate};

Result<Words> parted(const ChangeCommand& command, const std::vector<std::string>& all) {
  Words words;
  bool takes_options = true;
  for (std::size_t i = 1; i < all.size(); ++i) {
    const std::string& word = all[i];
    if (takes_options && word == "--") {
      takes_options = false;
    } else if (takes_options && word.size() > 1 && word[0] == '-') {
      if (word.find_first_not_of(command.options, 1) != std::string::npos) {
        return fail_with(Errc::kInvalid, "no such option", word);
      }
      words.options += word.substr(1);
    } else {
      words.words.push_back(word);
    }
  }
  if (words.words.size() < command.words_min || words.words.size() > command.words_max) {
    return fail_with(Errc::kInvalid, "usage", std::string(command.name) + " " + command.usage);
  }
  return words;
}

}  // namespace

std::span<const ChangeCommand> change_commands() {
  return kCommands;
}

Result<void> change_image(fs::Volume& volume, const std::vector<std::string>& words,
                          const ChangeContext& context) {
  if (words.empty()) return {};
  for (std::size_t i = 0; i < kCommands.size(); ++i) {
    if (words[0] != kCommands[i].name) continue;
    return kBodies[i](volume, TRY(parted(kCommands[i], words)), context);
  }
  return fail_with(Errc::kInvalid, "no such command", words[0]);
}

Result<std::vector<std::string>> words_of_line(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool is_in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      is_in_word = true;
    } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      word += line[++i];
      is_in_word = true;
    } else if (quote == 0 && (c == ' ' || c == '\t')) {
      if (is_in_word) words.push_back(std::exchange(word, {}));
      is_in_word = false;
    } else {
      word += c;
      is_in_word = true;
    }
  }
  if (quote != 0) return fail(Errc::kInvalid, "a quote that does not end");
  if (is_in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace powercut::lab
