#include "lab/check/promise_book.h"

#include <algorithm>

namespace powercut::lab {
namespace {

std::uint64_t key_of(std::uint32_t run, std::uint32_t file) {
  return std::uint64_t{run} << 32 | file;
}

void add_once(std::vector<std::uint32_t>& list, std::uint32_t value) {
  if (std::ranges::find(list, value) == list.end()) list.push_back(value);
}

}  // namespace

BookChange PromiseBook::learn(std::string_view mark) {
  BookChange change;
  if (!is_promise(mark)) return change;
  const auto promise = parse_promise(mark);
  if (!promise) {
    ++bad_mark_count_;
    return change;
  }
  ++promise_count_;
  for (const Clause& clause : promise->clauses) {
    if (!take(promise->run, clause, change)) ++bad_mark_count_;
  }
  return change;
}

bool PromiseBook::take(std::uint32_t run, const Clause& clause, BookChange& change) {
  if (const auto* const begin = std::get_if<BeginClause>(&clause)) {
    return take_begin(run, *begin, change);
  }
  if (std::ranges::find(runs_, run) == runs_.end()) return false;
  if (const auto* const name = std::get_if<NameClause>(&clause)) {
    return take_name(run, *name, change);
  }
  if (const auto* const file = std::get_if<FileClause>(&clause)) {
    return take_file(run, *file, change);
  }
  if (std::holds_alternative<EndClause>(clause)) return true;
  const auto with_file = [&](std::uint32_t number, auto act) {
    const auto at = find(run, number);
    if (at) act(files_[*at], *at);
    return at.has_value();
  };
  if (const auto* const size = std::get_if<SizeClause>(&clause)) {
    return with_file(size->file, [&](PromisedFile& file, std::uint32_t at) {
      file.size_least = size->least;
      file.size_most = size->most;
      change.changed_sizes.push_back(at);
    });
  }
  if (const auto* const gone = std::get_if<GoneClause>(&clause)) {
    return with_file(gone->file, [&](PromisedFile& file, std::uint32_t at) {
      file.is_gone = true;
      file.floors.clear();
      file.floors.shrink_to_fit();
      change.changed_words.push_back({at, 0, BookChange::kAllUnits});
    });
  }
  if (const auto* const held = std::get_if<HeldClause>(&clause)) {
    return with_file(held->file, [&](PromisedFile& file, std::uint32_t at) {
      file.held_least = held->least;
      file.held_most = held->most;
      change.changed_held.push_back(at);
    });
  }
  const auto* const words = std::get_if<WordsClause>(&clause);
  CHECK(words != nullptr, "promise book: a clause of no known kind");
  return with_file(words->file, [&](PromisedFile& file, std::uint32_t at) {
    take_words(file, at, *words, change);
  });
}

bool PromiseBook::take_begin(std::uint32_t run, const BeginClause& begin, BookChange& change) {
  data_mode_ = begin.data;
  if (std::ranges::find(runs_, run) != runs_.end()) return false;
  if (runs_.size() >= kRunsMax) return false;
  runs_.push_back(run);
  change.has_new_run = true;
  return true;
}

bool PromiseBook::take_file(std::uint32_t run, const FileClause& clause, BookChange& change) {
  if (files_.size() >= kFilesMax || find(run, clause.file)) return false;
  const auto at = static_cast<std::uint32_t>(files_.size());
  PromisedFile file;
  file.run = run;
  file.number = clause.file;
  file.inode = clause.inode;
  file.generation = clause.generation;
  file.traits = clause.traits;
  files_.push_back(std::move(file));
  file_at_.emplace(key_of(run, clause.file), at);
  change.new_files.push_back(at);
  return true;
}

bool PromiseBook::take_words(PromisedFile& file, std::uint32_t at, const WordsClause& clause,
                             BookChange& change) {
  const std::uint32_t first = clause.first / kUnitWords;
  const std::uint32_t end = (clause.end + kUnitWords - 1) / kUnitWords;
  if (file.floors.size() < end) file.floors.resize(end);
  for (std::uint32_t unit = first; unit < end; ++unit) {
    const std::uint32_t words = std::min(kUnitWords, clause.end - unit * kUnitWords);
    file.floors[unit] = {clause.floor, static_cast<std::uint16_t>(words)};
  }
  change.changed_words.push_back({at, first, end});
  return true;
}

bool PromiseBook::take_name(std::uint32_t run, const NameClause& clause, BookChange& change) {
  std::optional<std::uint32_t> file;
  if (clause.file) {
    file = find(run, *clause.file);
    if (!file) return false;
  }
  const auto key = std::pair(clause.directory, clause.name);
  auto known = name_at_.find(key);
  if (known == name_at_.end()) {
    if (names_.size() >= kNamesMax) return false;
    const auto at = static_cast<std::uint32_t>(names_.size());
    PromisedName& made = names_.emplace_back();
    made.directory = clause.directory;
    made.name = clause.name;
    known = name_at_.emplace(key, at).first;
    change.new_names.push_back(at);
  }
  const std::uint32_t at = known->second;
  if (!clause.is_addition) {
    forget_files_of(at, change);
    names_[at].may_be_absent = names_[at].may_be_anything = false;
  }
  PromisedName& name = names_[at];
  if (clause.is_anything) {
    name.may_be_anything = true;
  } else if (!file) {
    name.may_be_absent = true;
  } else {
    add_once(name.files, *file);
    add_once(files_[*file].names, at);
  }
  change.changed_names.push_back(at);
  return true;
}

void PromiseBook::forget_files_of(std::uint32_t name, BookChange& change) {
  for (const std::uint32_t file : names_[name].files) {
    std::erase(files_[file].names, name);
    change.changed_held.push_back(file);  // one name fewer counts
  }
  names_[name].files.clear();
}

std::optional<std::uint32_t> PromiseBook::find(std::uint32_t run, std::uint32_t file) const {
  const auto found = file_at_.find(key_of(run, file));
  if (found == file_at_.end()) return std::nullopt;
  return found->second;
}

}  // namespace powercut::lab
