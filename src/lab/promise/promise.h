// What a workload promises in its marks, and what the `content` judge holds it to.
//
// Words
//   mark      a line in the stream: all that its sender had completed before it lies before it
//   clause    one statement of a mark; all clauses of a mark take effect at once
//   file      one file of a run by its number, from its creation on; numbers are not used again
//   name      an entry of a directory, which is given by the number of its inode
//   floor     of a word: the least version that it may hold
//
// A clause holds from its mark on, until another one speaks of the same thing.  So a load says what
// is promised after fsync() has returned; and *before* it does what takes from that (truncate,
// unlink, rename) it says that it may be so.  docs/workloads.md has the whole form:
//
//   promise1 RUN CLAUSE; CLAUSE; ...
//
//   begin KIND DATA             a load of that kind begins; DATA: journal, ordered, writeback or
//                               unknown: how its file system treats data
//   file F INODE GENERATION TRAITS     which inode holds the file; traits: letters, or `-`
//   size F LEAST MOST           bytes; MOST may be `-`: no limit
//   words F FIRST END FLOOR     0: may hold zeroes; `zero`: must.  FIRST: a multiple of 128
//   gone F                      nothing is promised of its content any more
//   name DIRECTORY F NAME       holds that file; F is `-` for: is not there
//   may-name DIRECTORY F NAME   may hold that file, too; F is `?` for: anything
//   held F LEAST MOST           by so many names
//   end
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "lab/promise/self_words.h"

namespace powercut::lab {

// How ext4 treats the data of files.
enum class DataMode : std::uint8_t { kUnknown, kJournal, kOrdered, kWriteback };
std::string_view data_mode_name(DataMode mode);
std::optional<DataMode> data_mode_of(std::string_view name);

enum class FileTrait : char {
  kSolid = 's',        // each word below its size was written before the size came to be
  kStoredUp = 'u',     // through a map, word by word upwards, pass by pass (one version each)
  kOverwritten = 'o',  // a word may be written while its block is on the way to the disk
};

struct FileTraits {
  bool is_solid = false, is_stored_up = false, is_overwritten = false;
  friend bool operator==(const FileTraits&, const FileTraits&) = default;
};

struct BeginClause {
  std::string kind;
  DataMode data = DataMode::kUnknown;
  friend bool operator==(const BeginClause&, const BeginClause&) = default;
};
struct FileClause {
  std::uint32_t file = 0;
  InodeNo inode;
  std::uint32_t generation = 0;
  FileTraits traits;
  friend bool operator==(const FileClause&, const FileClause&) = default;
};
struct SizeClause {
  std::uint32_t file = 0;
  std::uint64_t least = 0, most = 0;  // bytes
  static constexpr std::uint64_t kNoLimit = ~std::uint64_t{0};
  friend bool operator==(const SizeClause&, const SizeClause&) = default;
};
struct WordsClause {
  std::uint32_t file = 0;
  std::uint32_t first = 0, end = 0;  // words; `first` is a multiple of kUnitWords
  std::uint32_t floor = 0;           // version; 0: also zeroes; kMustBeZero
  static constexpr std::uint32_t kMustBeZero = kVersionMax + 1;
  friend bool operator==(const WordsClause&, const WordsClause&) = default;
};
struct GoneClause {
  std::uint32_t file = 0;
  friend bool operator==(const GoneClause&, const GoneClause&) = default;
};
struct NameClause {
  InodeNo directory;
  std::optional<std::uint32_t> file;  // none: is not there
  std::string name;
  bool is_addition = false;  // may-name
  bool is_anything = false;  // may-name with `?`
  friend bool operator==(const NameClause&, const NameClause&) = default;
};
struct HeldClause {
  std::uint32_t file = 0;
  std::uint32_t least = 0, most = 0;  // names
  friend bool operator==(const HeldClause&, const HeldClause&) = default;
};
struct EndClause {
  friend bool operator==(const EndClause&, const EndClause&) = default;
};

using Clause = std::variant<BeginClause, FileClause, SizeClause, WordsClause, GoneClause,
                            NameClause, HeldClause, EndClause>;

struct Promise {
  std::uint32_t run = 0;
  std::vector<Clause> clauses;
  friend bool operator==(const Promise&, const Promise&) = default;
};

inline constexpr std::string_view kPromiseWord = "promise1 ";
inline constexpr std::size_t kPromiseBytesMax = 4096;  // as any mark
inline constexpr std::size_t kNameBytesMax = 255;

// One clause's text, without the mark around it.  A name has no blank, `;` or newline (CHECK).
std::string clause_text(const Clause& clause);
// The number of a run, as marks and the names of its folders have it.
std::string run_hex(std::uint32_t run);
// A whole mark.
std::string promise_text(const Promise& promise);

// Whether a mark is one of these at all: others are for other judges.
inline bool is_promise(std::string_view mark) {
  return mark.starts_with(kPromiseWord);
}
// Errors: kCorrupt: form or a number out of its range, with the clause in the detail.
Result<Promise> parse_promise(std::string_view mark);

}  // namespace powercut::lab
