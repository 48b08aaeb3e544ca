#include "tests/repository/rules.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace powercut::repository {
namespace {

bool is_test(std::string_view path) {
  return path.ends_with("_test.cc") || path.ends_with("_fuzz.cc");
}

bool matches(const std::string& pattern, std::string_view text) {
  return ::fnmatch(pattern.c_str(), std::string(text).c_str(), 0) == 0;
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [text](const std::string& pattern) { return matches(pattern, text); });
}

// Calls visit(line number from 1, line without its end) for each line.
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  std::size_t number = 1;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    visit(number, text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
  }
}

std::string_view without_spaces_before(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

// What an #include line names, with its opening mark: `<vector`, `"base/result.h`.  Else empty.
std::string_view included_by(std::string_view line) {
  line = without_spaces_before(line);
  if (!line.starts_with('#')) return {};
  line = without_spaces_before(line.substr(1));
  if (!line.starts_with("include")) return {};
  line = without_spaces_before(line.substr(7));
  if (line.empty() || (line[0] != '<' && line[0] != '"')) return {};
  const std::size_t end = line.find(line[0] == '<' ? '>' : '"', 1);
  return end == std::string_view::npos ? std::string_view{} : line.substr(0, end);
}

bool is_word_letter(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}

// Where `word` stands in `line`, not inside a longer word; npos if nowhere.
std::size_t find_word(std::string_view line, std::string_view word) {
  for (std::size_t at = line.find(word); at != std::string_view::npos;
       at = line.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool starts = at == 0 || !is_word_letter(line[at - 1]) || !is_word_letter(word.front());
    const bool ends =
        end == line.size() || !is_word_letter(line[end]) || !is_word_letter(word.back());
    if (starts && ends) return at;
  }
  return std::string_view::npos;
}

// Where a literal or comment that opens at `at` ends (one past it); `at` if nothing opens there.
std::size_t end_of_blank(std::string_view text, std::size_t at) {
  const auto after = [&](std::size_t found, std::size_t length) {
    return found == std::string_view::npos ? text.size() : found + length;
  };
  if (text.substr(at, 2) == "//") return after(text.find('\n', at), 0);
  if (text.substr(at, 2) == "/*") return after(text.find("*/", at + 2), 2);
  if (text.substr(at, 2) == "R\"") {
    const std::size_t open = text.find('(', at);
    if (open == std::string_view::npos) return text.size();
    const std::string close = ")" + std::string(text.substr(at + 2, open - at - 2)) + "\"";
    return after(text.find(close, open), close.size());
  }
  // A ' between two digits or letters groups a number: 1'000.
  const bool is_separator = text[at] == '\'' && at > 0 && is_word_letter(text[at - 1]);
  if ((text[at] != '"' && text[at] != '\'') || is_separator) return at;
  std::size_t end = at + 1;
  while (end < text.size() && text[end] != text[at] && text[end] != '\n') {
    end += text[end] == '\\' ? 2 : 1;
  }
  return std::min(end + 1, text.size());
}

}  // namespace

std::string text_of(const Violations& violations) {
  std::string text;
  for (const Violation& violation : violations) {
    text += violation.path;
    if (violation.line != 0) text += ":" + std::to_string(violation.line);
    text += ": " + violation.what + "\n";
  }
  return text;
}

std::vector<std::vector<std::string>> words_of(std::string_view data) {
  std::vector<std::vector<std::string>> lines;
  for_each_line(data, [&](std::size_t, std::string_view line) {
    line = line.substr(0, line.find('#'));
    std::vector<std::string> words;
    while (!(line = without_spaces_before(line)).empty()) {
      const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
      words.emplace_back(line.substr(0, end));
      line.remove_prefix(end);
    }
    if (!words.empty()) lines.push_back(std::move(words));
  });
  return lines;
}

std::string code_of(std::string_view text) {
  std::string code(text);
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = end_of_blank(text, at);
    for (std::size_t i = at; i < end; ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
    at = end == at ? at + 1 : end;
  }
  return code;
}

Layers::Layers(std::string_view data) {
  std::size_t row = 0;
  for (const auto& folders : words_of(data)) {
    for (const std::string& folder : folders) row_of_.emplace_back(folder, row);
    ++row;
  }
}

std::string Layers::folder_of(std::string_view path_from_src) const {
  for (const auto& [folder, row] : row_of_) {
    if (path_from_src.starts_with(folder + "/")) return folder;
  }
  return {};
}

bool Layers::may_include(std::string_view from, std::string_view to) const {
  if (from == to) return true;
  std::size_t from_row = 0;
  std::size_t to_row = 0;
  for (const auto& [folder, row] : row_of_) {
    if (folder == from) from_row = row;
    if (folder == to) to_row = row;
  }
  return to_row < from_row;
}

Libraries::Libraries(std::string_view data) {
  for (const auto& words : words_of(data)) {
    Permission permission;
    bool is_path = false;
    for (const std::string& word : words) {
      if (word == ":") {
        is_path = true;
      } else {
        (is_path ? permission.paths : permission.headers).push_back(word);
      }
    }
    permissions_.push_back(std::move(permission));
  }
}

std::optional<std::string> Libraries::refusal(std::string_view path,
                                              std::string_view header) const {
  // The headers of the C++ library have neither a dot nor a slash in their names.
  if (header.find_first_of("./") == std::string_view::npos) return std::nullopt;
  bool is_named = false;
  for (const Permission& permission : permissions_) {
    if (!matches_any(permission.headers, header)) continue;
    if (matches_any(permission.paths, path)) return std::nullopt;
    is_named = true;
  }
  const std::string name = "<" + std::string(header) + ">";
  return is_named ? name + " may not be included here (tests/repository/libraries.txt)"
                  : name + " is in no line of tests/repository/libraries.txt";
}

Violations check_layers(const Layers& layers, const SourceFile& file) {
  Violations found;
  if (!file.path.starts_with("src/")) return found;
  const std::string own = layers.folder_of(std::string_view(file.path).substr(4));
  if (own.empty()) {
    found.push_back({file.path, 0, "lies in no folder of tests/repository/layers.txt"});
    return found;
  }
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    std::string_view name = included_by(line);
    if (!name.starts_with('"')) return;
    name.remove_prefix(1);
    if (is_test(file.path) && name.starts_with("tests/support/")) return;
    // The library's face (include/powercut/) is fs/.
    const bool is_face = name.starts_with("powercut/");
    const std::string other = is_face ? "fs" : layers.folder_of(name);
    if (other.empty()) {
      found.push_back({file.path, number, std::string(name) + " is not named from src/"});
    } else if (!layers.may_include(own, other)) {
      found.push_back({file.path, number, own + " may not include " + other});
    }
  });
  return found;
}

Violations check_first_include(const std::vector<std::string>& paths, const SourceFile& file) {
  const std::string_view path = file.path;
  if (!path.starts_with("src/") || !path.ends_with(".cc")) return {};
  const std::string header = file.path.substr(0, path.size() - 2) + "h";
  if (!std::binary_search(paths.begin(), paths.end(), header)) return {};
  const std::string wanted = "\"" + header.substr(4);
  std::string first;
  for_each_line(file.text, [&](std::size_t, std::string_view line) {
    if (first.empty()) first = included_by(line);
  });
  if (first == wanted) return {};
  return {{file.path, 0, "does not include " + wanted + "\" first"}};
}

Violations check_libraries(const Libraries& libraries, const SourceFile& file) {
  Violations found;
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    const std::string_view name = included_by(line);
    if (!name.starts_with('<')) return;
    if (auto refusal = libraries.refusal(file.path, name.substr(1))) {
      found.push_back({file.path, number, std::move(*refusal)});
    }
  });
  return found;
}

namespace {

struct BannedWord {
  std::string_view word;
  std::string_view why;
};

// Everywhere in src/ but in host/.
constexpr std::array kNotInjected = {
    BannedWord{"getenv", "the environment comes by constructor (host/ alone reads it)"},
    BannedWord{"secure_getenv", "the environment comes by constructor (host/ alone reads it)"},
    BannedWord{"rand(", "random numbers come from base/prng.h"},
    BannedWord{"srand(", "random numbers come from base/prng.h"},
    BannedWord{"random_device", "random numbers come from base/prng.h"},
    BannedWord{"system_clock", "time comes from a Clock"},
    BannedWord{"(void)", "a Result is not cast away: ignore_error(result, why)"},
};

// In libraries: not in cli/, in the guest's program, in tests.
constexpr std::array kPrinting = {
    BannedWord{"printf(", "a library does not print"},
    BannedWord{"fprintf(", "a library does not print"},
    BannedWord{"puts(", "a library does not print"},
    BannedWord{"fmt::print", "a library does not print"},
    BannedWord{"std::cout", "a library does not print"},
    BannedWord{"std::cerr", "a library does not print"},
};

constexpr std::array kUnfinished = {
    BannedWord{"TODO", "finish it, or say it in an issue"},
    BannedWord{"FIXME", "finish it, or say it in an issue"},
    BannedWord{"XXX", "finish it, or say it in an issue"},
};

template <class Words>
void find_words(const Words& words, const std::string& path, std::string_view text,
                Violations& found) {
  for_each_line(text, [&](std::size_t number, std::string_view line) {
    for (const BannedWord& banned : words) {
      if (find_word(line, banned.word) == std::string_view::npos) continue;
      found.push_back({path, number, std::string(banned.word) + ": " + std::string(banned.why)});
    }
  });
}

bool may_print(std::string_view path) {
  return path.starts_with("src/cli/") || path.starts_with("src/lab/sources/guest/") ||
         is_test(path);
}

std::size_t columns_of(std::string_view line) {
  // Bytes of UTF-8 that do not continue a character.
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char letter) {
    return (static_cast<unsigned char>(letter) & 0xC0) != 0x80;
  }));
}

}  // namespace

Violations check_words(const SourceFile& file) {
  Violations found;
  if (!file.path.starts_with("src/")) return found;
  const std::string code = code_of(file.text);
  if (!file.path.starts_with("src/host/")) find_words(kNotInjected, file.path, code, found);
  if (!may_print(file.path)) find_words(kPrinting, file.path, code, found);
  find_words(kUnfinished, file.path, file.text, found);
  return found;
}

Violations check_lengths(const SourceFile& file) {
  Violations found;
  std::size_t line_count = 0;
  for_each_line(file.text, [&](std::size_t number, std::string_view line) {
    line_count = number;
    const std::size_t columns = columns_of(line);
    if (columns <= kColumnsMost) return;
    found.push_back(
        {file.path, number,
         std::to_string(columns) + " columns, of at most " + std::to_string(kColumnsMost)});
  });
  if (line_count > kLinesMost) {
    found.push_back({file.path, 0,
                     std::to_string(line_count) + " lines, of at most " +
                         std::to_string(kLinesMost) + ": is there a seam?"});
  }
  return found;
}

Violations check_size(std::string_view path, std::size_t bytes) {
  if (bytes <= kFileBytesMost) return {};
  return {{std::string(path), 0,
           std::to_string(bytes) + " bytes, of at most " + std::to_string(kFileBytesMost)}};
}

std::set<std::string> built_files(std::string_view compile_commands, std::string_view root) {
  std::set<std::string> files;
  const std::string key = "\"file\": \"";
  const std::string prefix = std::string(root) + "/";
  for (std::size_t at = compile_commands.find(key); at != std::string_view::npos;
       at = compile_commands.find(key, at + 1)) {
    const std::string_view rest = compile_commands.substr(at + key.size());
    const std::string_view file = rest.substr(0, rest.find('"'));
    if (file.starts_with(prefix)) files.emplace(file.substr(prefix.size()));
  }
  return files;
}

bool is_batch(std::string_view path) {
  return path.find("/Unity/unity_") != std::string_view::npos;
}

std::set<std::string> batched_files(std::string_view text, std::string_view root) {
  std::set<std::string> files;
  const std::string prefix = "\"" + std::string(root) + "/";
  for_each_line(text, [&](std::size_t, std::string_view line) {
    const std::string_view name = included_by(line);
    if (name.starts_with(prefix)) files.emplace(name.substr(prefix.size()));
  });
  return files;
}

Violations check_built(const std::vector<std::string>& paths, const std::set<std::string>& built,
                       std::string_view build) {
  Violations found;
  for (const std::string& path : paths) {
    if (built.contains(path)) continue;
    found.push_back({path, 0, "is not in the build " + std::string(build)});
  }
  return found;
}

Violations check_corpora(const std::vector<std::string>& paths) {
  constexpr std::string_view kCorpora = "tests/corpus/";
  std::set<std::string> targets;
  std::set<std::string> corpora;
  for (const std::string& path : paths) {
    if (path.starts_with("src/") && path.ends_with("_fuzz.cc")) {
      const std::size_t name = path.rfind('/') + 1;
      targets.insert(path.substr(name, path.size() - name - 3));
    } else if (path.starts_with(kCorpora)) {
      const std::string rest = path.substr(kCorpora.size());
      corpora.insert(rest.substr(0, rest.find('/')));
    }
  }
  Violations found;
  for (const std::string& corpus : corpora) {
    if (targets.contains(corpus)) continue;
    found.push_back({std::string(kCorpora) + corpus, 0, "no fuzz target of that name"});
  }
  return found;
}

}  // namespace powercut::repository
