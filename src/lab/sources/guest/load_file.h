// One file of a workload: what it holds, what of that is not synced yet, and the marks about it.
//
// Invariants
//   1. Its size is a multiple of 8 bytes; word i below it has the version of unit i / 128, and is
//      zero where that is 0.
//   2. What takes from a promise is announced before it is done; what is promised is durable.
// Threads: one.
#pragma once

#include <string>
#include <vector>

#include "lab/sources/guest/load_place.h"

namespace powercut::lab {

class LoadFile {
 public:
  // Makes the file and says so; `place` must outlive it.  What name it has is not promised yet.
  static Result<LoadFile> create(LoadPlace& place, const std::string& name,
                                 const FileTraits& traits);
  LoadFile(LoadFile&& other) noexcept;
  LoadFile& operator=(LoadFile&& other) noexcept;
  ~LoadFile();

  // Its number in the load's system; a descriptor, if that is the kernel's.
  int fd() const { return fd_; }
  std::uint32_t number() const { return number_; }
  const std::string& name() const { return name_; }
  void set_name(std::string name) { name_ = std::move(name); }
  std::uint32_t word_count() const { return word_count_; }
  std::uint32_t unit_count() const { return (word_count_ + kUnitWords - 1) / kUnitWords; }
  std::uint32_t version(std::uint32_t unit) const { return versions_[unit]; }

  // Writes the units [first, end) in one call, of a version above all before; the size grows if
  // need be, and is a multiple of units then.
  Result<void> write_units(std::uint32_t first, std::uint32_t end);
  // Adds words of version 1 behind the end.
  Result<void> append_words(std::uint32_t count);
  // Stored through a map: the units have a new version.
  void note_stored(std::uint32_t first, std::uint32_t end, std::uint32_t version);
  // To a number of units.
  Result<void> truncate(std::uint32_t units);
  // Units become a hole.
  Result<void> punch(std::uint32_t first, std::uint32_t end);

  // Syncs, and promises all that it holds.
  Result<void> sync(SyncWay way);
  // The same without syncing: somebody else did.
  Result<void> promise();
  // Promises units whose pages were synced, and nothing else.
  Result<void> promise_units(std::uint32_t first, std::uint32_t end);
  // The file is going to lose its last name.
  GoneClause gone() const { return {number_}; }
  // Reads all back; what is wrong, in words; empty if nothing is.
  Result<std::string> check();

 private:
  LoadFile(LoadPlace& place, std::string name, std::uint32_t number, int fd)
      : place_(&place), name_(std::move(name)), number_(number), fd_(fd) {}
  Result<void> write_words(std::uint32_t first, std::uint32_t end, std::uint32_t version);
  Result<void> allow_growth(std::uint32_t words);
  // Takes the promises of the units back, before they lose what they hold.
  Result<void> release(std::uint32_t first, std::uint32_t end);
  void add_word_clauses(std::uint32_t first, std::uint32_t end, std::vector<Clause>& clauses);
  void resize(std::uint32_t words);

  LoadPlace* place_;
  std::string name_;
  std::uint32_t number_;
  int fd_;
  std::uint32_t word_count_ = 0;
  std::uint32_t last_version_ = 0;
  std::vector<std::uint32_t> versions_;  // by unit
  std::vector<bool> is_dirty_;           // by unit: not promised as it is
  // Of the size, as promised; bytes.
  std::uint64_t promised_least_ = 0, promised_most_ = SizeClause::kNoLimit;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace powercut::lab
