// What one thread's folder holds after each of its operations, and what of that a recovery must
// bring back.
//
// Words
//   step       one operation, or (of those that may take several transactions) a part of one
//   state      a folder after a step, in words: a line for each name
//   answered   a sync returned that makes the step durable
//   prefix     a recovered tree: of each folder the state after some step, not before the newest
//              answered one; and with each step all that had ended before it began, in any folder
//
// Threads: one; in a simulation, any of its tasks.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "reader/volume.h"

namespace powercut::testing {

struct ModelFile {
  std::uint64_t number = 0;  // the same as long as it is the same file
  std::vector<std::uint8_t> bytes;
  std::map<std::string, std::string> attributes;
  unsigned permissions = 0644;
};
using ModelFileRef = std::shared_ptr<const ModelFile>;

// By path in the folder: type, links, size, content, attributes, and which names are one file.
using FolderWords = std::map<std::string, std::string>;

// By path in the folder; null: a directory.  A copy is cheap.
using FolderModel = std::map<std::string, ModelFileRef>;
FolderWords words_of(const FolderModel& model);
// The same of an image as reader/ sees it.  `folder`: below the root.
Result<FolderWords> read_folder(const Volume& volume, const std::string& folder);
// The first difference, for a message.
std::string first_difference(const FolderWords& wanted, const FolderWords& found);

struct FolderStep {
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};
  std::string what;
  FolderModel after;
  std::uint64_t began = 0, ended = kNever;  // by the clock of FolderHistories
};

// Of one life of the file system: from a mount to the end of the power.
struct FolderHistory {
  std::string folder;
  std::vector<FolderStep> steps;  // the first: as it was at the mount
  std::size_t answered = 0;
};

class FolderHistories {
 public:
  explicit FolderHistories(std::size_t count);
  FolderHistory& operator[](std::size_t which) { return histories_[which]; }
  std::size_t count() const { return histories_.size(); }
  std::uint64_t next_moment() { return ++moment_; }
  // Everything that was done is answered.
  void answer_all();

  // What is wrong with a recovered tree; empty if it is a prefix.  Then the folders go on from it:
  // what was not durable is forgotten.
  std::string settle(const Volume& recovered);

 private:
  using Choices = std::vector<std::vector<std::size_t>>;  // by folder: steps with that state
  std::string find_states(const Volume& recovered, Choices& choices) const;
  std::optional<std::vector<std::size_t>> agree(const Choices& choices) const;

  std::vector<FolderHistory> histories_;
  std::uint64_t moment_ = 0;
};

}  // namespace powercut::testing
