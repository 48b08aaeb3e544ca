// The rules of the repository, as pure functions of a file's path and text, so that a test can show
// each of them a file that breaks it.  repository_test.cc applies them to the files that are there.
//
// Words
//   path    of a file, from the repository's root: src/lab/record/recorded_disk.h
//   folder  a layer, from src/: base, lab/record
//   code    a file's text with comments, strings and characters blanked out; same lines, same
//   columns
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace powercut::repository {

inline constexpr std::size_t kLinesMost = 800;
inline constexpr std::size_t kColumnsMost = 100;
inline constexpr std::size_t kFileBytesMost = 1u << 20;

struct SourceFile {
  std::string path;
  std::string text;
};

struct Violation {
  std::string path;
  std::size_t line = 0;  // from 1; 0 if the rule speaks of the whole file
  std::string what;
};
using Violations = std::vector<Violation>;

// "PATH:LINE: WHAT", one a line.
std::string text_of(const Violations& violations);

// The words of a data file of this folder: one vector a line, without comments and empty lines.
std::vector<std::vector<std::string>> words_of(std::string_view data);

std::string code_of(std::string_view text);

// The rows of layers.txt.
class Layers {
 public:
  explicit Layers(std::string_view data);
  // The layer that a path under src/, or what an include names, lies in; empty if none is listed.
  std::string folder_of(std::string_view path_from_src) const;
  // May a file in `from` include one of `to`?  Both are listed folders.
  bool may_include(std::string_view from, std::string_view to) const;

 private:
  std::vector<std::pair<std::string, std::size_t>> row_of_;
};

// The lines of libraries.txt.
class Libraries {
 public:
  explicit Libraries(std::string_view data);
  // Nothing if `path` may include <header>, else why not.
  std::optional<std::string> refusal(std::string_view path, std::string_view header) const;

 private:
  struct Permission {
    std::vector<std::string> headers;
    std::vector<std::string> paths;
  };
  std::vector<Permission> permissions_;
};

// Includes go down, and name a file from src/ (tests may also name tests/support).
Violations check_layers(const Layers& layers, const SourceFile& file);

// A source beside a header of its name includes this first, so that it compiles without the help of
// others wherever the source is compiled alone.  `paths`, in order, are all there are.
Violations check_first_include(const std::vector<std::string>& paths, const SourceFile& file);

// Headers from outside are included only where libraries.txt says.
Violations check_libraries(const Libraries& libraries, const SourceFile& file);

// What is not injected is not used: environment, random numbers, the time of day; nothing in a
// library prints; no Result is cast away; no word that stands for missing work.
Violations check_words(const SourceFile& file);

// At most kLinesMost lines of at most kColumnsMost columns (characters, not bytes).
Violations check_lengths(const SourceFile& file);

// A file's size as git would store it.
Violations check_size(std::string_view path, std::size_t bytes);

// The files that a compile_commands.json names, as paths from `root`; files outside it are left
// out.
std::set<std::string> built_files(std::string_view compile_commands, std::string_view root);

// Whether a file is one that CMake made of several sources, and the sources that such a file
// includes, as paths from `root`.
bool is_batch(std::string_view path);
std::set<std::string> batched_files(std::string_view text, std::string_view root);

// Each path is in `built`; `build` says which build that is, for the message.
Violations check_built(const std::vector<std::string>& paths, const std::set<std::string>& built,
                       std::string_view build);

// A corpus has its fuzz target: tests/corpus/NAME_fuzz/... goes with a NAME_fuzz.cc under src/,
// else
// ./test would never read it.
Violations check_corpora(const std::vector<std::string>& paths);

}  // namespace powercut::repository
