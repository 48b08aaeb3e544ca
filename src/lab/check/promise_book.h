// All that was promised so far: the clauses of marks, kept by file and by name.
//
// Words as in lab/promise/promise.h.
// Invariants
//   1. Files and names are numbered as they come; what is known of them stays in its place.
//   2. Learning is the only change, and cannot be taken back.
// Bounds: kFilesMax files, kNamesMax names, kRunsMax runs; what comes above is counted, not kept.
// Threads: one caller at a time.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "lab/promise/promise.h"

namespace powercut::lab {

struct UnitFloor {
  std::uint32_t version = 0;  // WordsClause::kMustBeZero: zero
  std::uint16_t words = 0;    // of the unit's front, that it holds for
};

struct PromisedFile {
  std::uint32_t run = 0, number = 0;
  InodeNo inode;
  std::uint32_t generation = 0;
  FileTraits traits;
  std::uint64_t size_least = 0, size_most = SizeClause::kNoLimit;  // bytes
  std::vector<UnitFloor> floors;                                   // by unit; none beyond the end
  bool is_gone = false;
  std::uint32_t held_least = 0, held_most = ~std::uint32_t{0};
  std::vector<std::uint32_t> names;  // that may hold it, by number

  UnitFloor floor(std::uint32_t unit) const {
    return unit < floors.size() ? floors[unit] : UnitFloor{};
  }
};

struct PromisedName {
  InodeNo directory;
  std::string name;
  bool may_be_absent = true, may_be_anything = false;
  std::vector<std::uint32_t> files;  // that it may hold, by number in the book
};

// What a mark has changed, for whoever looks at an image.
struct BookChange {
  bool has_new_run = false;
  std::vector<std::uint32_t> new_files, new_names;
  std::vector<std::uint32_t> changed_names;
  struct Range {
    std::uint32_t file;
    std::uint32_t first_unit, end_unit;  // kAllUnits: to the end
  };
  static constexpr std::uint32_t kAllUnits = ~std::uint32_t{0};
  std::vector<Range> changed_words;
  std::vector<std::uint32_t> changed_sizes, changed_held;  // files
};

class PromiseBook {
 public:
  static constexpr std::size_t kRunsMax = 64;
  static constexpr std::size_t kFilesMax = std::size_t{1} << 20;
  static constexpr std::size_t kNamesMax = std::size_t{1} << 18;

  // Takes a mark in.  One that is no promise changes nothing; one that is damaged, or speaks of
  // what was not announced, is counted.
  BookChange learn(std::string_view mark);

  const std::vector<PromisedFile>& files() const { return files_; }
  const std::vector<PromisedName>& names() const { return names_; }
  const std::vector<std::uint32_t>& runs() const { return runs_; }
  // What the last load that began said of its file system.
  DataMode data_mode() const { return data_mode_; }
  std::uint64_t promise_count() const { return promise_count_; }
  std::uint64_t bad_mark_count() const { return bad_mark_count_; }

 private:
  bool take(std::uint32_t run, const Clause& clause, BookChange& change);
  bool take_begin(std::uint32_t run, const BeginClause& begin, BookChange& change);
  bool take_file(std::uint32_t run, const FileClause& clause, BookChange& change);
  bool take_words(PromisedFile& file, std::uint32_t at, const WordsClause& clause,
                  BookChange& change);
  bool take_name(std::uint32_t run, const NameClause& clause, BookChange& change);
  std::optional<std::uint32_t> find(std::uint32_t run, std::uint32_t file) const;
  void forget_files_of(std::uint32_t name, BookChange& change);

  std::vector<std::uint32_t> runs_;
  std::vector<PromisedFile> files_;
  std::vector<PromisedName> names_;
  std::unordered_map<std::uint64_t, std::uint32_t> file_at_;  // by run and number
  std::map<std::pair<InodeNo, std::string>, std::uint32_t> name_at_;
  DataMode data_mode_ = DataMode::kUnknown;
  std::uint64_t promise_count_ = 0, bad_mark_count_ = 0;
};

}  // namespace powercut::lab
