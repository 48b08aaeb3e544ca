#include "lab/promise/promise.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace powercut::lab {
namespace {

constexpr std::size_t kWordsMax = 6;  // of a clause

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::string joined(std::string_view verb, std::initializer_list<std::uint64_t> numbers) {
  std::string text(verb);
  for (const std::uint64_t number : numbers) text += " " + std::to_string(number);
  return text;
}

std::string traits_text(const FileTraits& traits) {
  std::string text;
  if (traits.is_solid) text += static_cast<char>(FileTrait::kSolid);
  if (traits.is_stored_up) text += static_cast<char>(FileTrait::kStoredUp);
  if (traits.is_overwritten) text += static_cast<char>(FileTrait::kOverwritten);
  return text.empty() ? "-" : text;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && std::ranges::all_of(name, [](char c) {
    return c > ' ' && c <= '~' && c != ';' && c != '/';
  });
}

// The words of one clause, and how they are read.
class ClauseWords {
 public:
  explicit ClauseWords(std::string_view text) : text_(text) {
    while (!text.empty() && count_ < kWordsMax) {
      const std::size_t end = std::min(text.find(' '), text.size());
      words_[count_++] = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    is_too_long_ = !text.empty();
  }
  std::string_view verb() const { return words_[0]; }
  std::string_view operator[](std::size_t i) const { return words_[i]; }
  // Errors: kCorrupt if the clause is not its verb and `wanted` words.
  Result<void> expect(std::size_t wanted) const {
    if (count_ == wanted + 1 && !is_too_long_) return {};
    return fail_with(Errc::kCorrupt, "promise: a clause of another length", text_);
  }
  Result<std::uint64_t> number(std::size_t i, std::uint64_t most, int base = 10) const {
    std::uint64_t value = 0;
    const char* const end = words_[i].data() + words_[i].size();
    const auto read = std::from_chars(words_[i].data(), end, value, base);
    if (read.ec != std::errc{} || read.ptr != end || value > most) {
      return fail_with(Errc::kCorrupt, "promise: not a number of its range", text_);
    }
    return value;
  }
  Result<std::uint32_t> small(std::size_t i, std::uint32_t most) const {
    return static_cast<std::uint32_t>(TRY(number(i, most)));
  }
  Failure wrong(const char* what) const { return fail_with(Errc::kCorrupt, what, text_); }

 private:
  std::string_view text_;
  std::array<std::string_view, kWordsMax> words_;
  std::size_t count_ = 0;
  bool is_too_long_ = false;
};

constexpr std::uint32_t kAny32 = ~std::uint32_t{0};

Result<Clause> parse_begin(const ClauseWords& words) {
  TRY(words.expect(2));
  const auto data = data_mode_of(words[2]);
  if (!data) return words.wrong("promise: no way to treat data");
  return Clause{BeginClause{std::string(words[1]), *data}};
}

Result<Clause> parse_file(const ClauseWords& words) {
  TRY(words.expect(4));
  FileClause clause;
  clause.file = TRY(words.small(1, kFileMax));
  clause.inode = InodeNo(TRY(words.small(2, kAny32)));
  clause.generation = TRY(words.small(3, kAny32));
  if (words[4] == "-") return Clause{clause};
  for (const char letter : words[4]) {
    bool known = false;
    const auto take = [&](FileTrait trait, bool& flag) {
      if (letter != static_cast<char>(trait)) return;
      flag = known = true;
    };
    take(FileTrait::kSolid, clause.traits.is_solid);
    take(FileTrait::kStoredUp, clause.traits.is_stored_up);
    take(FileTrait::kOverwritten, clause.traits.is_overwritten);
    if (!known) return words.wrong("promise: no such trait");
  }
  return Clause{clause};
}

Result<Clause> parse_size(const ClauseWords& words) {
  TRY(words.expect(3));
  SizeClause clause;
  clause.file = TRY(words.small(1, kFileMax));
  clause.least = TRY(words.number(2, SizeClause::kNoLimit - 1));
  clause.most = SizeClause::kNoLimit;
  if (words[3] != "-") clause.most = TRY(words.number(3, SizeClause::kNoLimit - 1));
  if (clause.least > clause.most) return words.wrong("promise: at least more than at most");
  return Clause{clause};
}

Result<Clause> parse_words(const ClauseWords& words) {
  TRY(words.expect(4));
  WordsClause clause;
  clause.file = TRY(words.small(1, kFileMax));
  clause.first = TRY(words.small(2, kIndexMax));
  clause.end = TRY(words.small(3, kIndexMax + 1));
  clause.floor = WordsClause::kMustBeZero;
  if (words[4] != "zero") clause.floor = TRY(words.small(4, kVersionMax));
  if (clause.first % kUnitWords != 0 || clause.first >= clause.end) {
    return words.wrong("promise: no such range of words");
  }
  return Clause{clause};
}

Result<Clause> parse_name(const ClauseWords& words) {
  TRY(words.expect(3));
  NameClause clause;
  clause.is_addition = words.verb() == "may-name";
  clause.directory = InodeNo(TRY(words.small(1, kAny32)));
  clause.is_anything = clause.is_addition && words[2] == "?";
  if (words[2] != "-" && !clause.is_anything) clause.file = TRY(words.small(2, kFileMax));
  clause.name = words[3];
  if (!is_plain_name(clause.name)) return words.wrong("promise: not a plain name");
  return Clause{clause};
}

Result<Clause> parse_held(const ClauseWords& words) {
  TRY(words.expect(3));
  HeldClause clause;
  clause.file = TRY(words.small(1, kFileMax));
  clause.least = TRY(words.small(2, kAny32));
  clause.most = TRY(words.small(3, kAny32));
  if (clause.least > clause.most) return words.wrong("promise: at least more than at most");
  return Clause{clause};
}

Result<Clause> parse_clause(std::string_view text) {
  const ClauseWords words(text);
  const std::string_view verb = words.verb();
  if (verb == "begin") return parse_begin(words);
  if (verb == "file") return parse_file(words);
  if (verb == "size") return parse_size(words);
  if (verb == "words") return parse_words(words);
  if (verb == "name" || verb == "may-name") return parse_name(words);
  if (verb == "held") return parse_held(words);
  if (verb == "gone") {
    TRY(words.expect(1));
    return Clause{GoneClause{TRY(words.small(1, kFileMax))}};
  }
  if (verb == "end") {
    TRY(words.expect(0));
    return Clause{EndClause{}};
  }
  return words.wrong("promise: no such clause");
}

}  // namespace

std::string_view data_mode_name(DataMode mode) {
  switch (mode) {
    case DataMode::kUnknown: return "unknown";
    case DataMode::kJournal: return "journal";
    case DataMode::kOrdered: return "ordered";
    case DataMode::kWriteback: return "writeback";
  }
  return "unknown";
}

std::optional<DataMode> data_mode_of(std::string_view name) {
  for (const DataMode mode :
       {DataMode::kUnknown, DataMode::kJournal, DataMode::kOrdered, DataMode::kWriteback}) {
    if (data_mode_name(mode) == name) return mode;
  }
  return std::nullopt;
}

std::string clause_text(const Clause& clause) {
  return std::visit(
      Overloaded{[](const BeginClause& begin) {
                   return "begin " + begin.kind + " " + std::string(data_mode_name(begin.data));
                 },
                 [](const FileClause& file) {
                   return joined("file", {file.file, file.inode.value(), file.generation}) + " " +
                          traits_text(file.traits);
                 },
                 [](const SizeClause& size) {
                   if (size.most != SizeClause::kNoLimit) {
                     return joined("size", {size.file, size.least, size.most});
                   }
                   return joined("size", {size.file, size.least}) + " -";
                 },
                 [](const WordsClause& words) {
                   if (words.floor != WordsClause::kMustBeZero) {
                     return joined("words", {words.file, words.first, words.end, words.floor});
                   }
                   return joined("words", {words.file, words.first, words.end}) + " zero";
                 },
                 [](const GoneClause& gone) { return joined("gone", {gone.file}); },
                 [](const NameClause& name) {
                   CHECK(is_plain_name(name.name), "promise: a name that has no form");
                   const std::string file = name.is_anything ? "?"
                                            : name.file      ? std::to_string(*name.file)
                                                             : "-";
                   return joined(name.is_addition ? "may-name" : "name", {name.directory.value()}) +
                          " " + file + " " + name.name;
                 },
                 [](const HeldClause& held) {
                   return joined("held", {held.file, held.least, held.most});
                 },
                 [](const EndClause&) { return std::string("end"); }},
      clause);
}

std::string run_hex(std::uint32_t run) {
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), run, 16);
  return {digits.data(), end.ptr};
}

std::string promise_text(const Promise& promise) {
  std::string text = std::string(kPromiseWord) + run_hex(promise.run);
  const char* divider = " ";
  for (const Clause& clause : promise.clauses) {
    text += divider + clause_text(clause);
    divider = "; ";
  }
  return text;
}

Result<Promise> parse_promise(std::string_view mark) {
  if (!is_promise(mark) || mark.size() > kPromiseBytesMax) {
    return fail(Errc::kCorrupt, "promise: its first word, or its length");
  }
  std::string_view rest = mark.substr(kPromiseWord.size());
  const std::size_t run_end = std::min(rest.find(' '), rest.size());
  const ClauseWords run_word(rest.substr(0, run_end));
  Promise promise;
  promise.run = static_cast<std::uint32_t>(TRY(run_word.number(0, kAny32, 16)));
  rest.remove_prefix(std::min(run_end + 1, rest.size()));
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find("; "), rest.size());
    promise.clauses.push_back(TRY(parse_clause(rest.substr(0, end))));
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  return promise;
}

}  // namespace powercut::lab
