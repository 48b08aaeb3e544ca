// The whole file system in simulations: several tasks over one mounted volume on a disk that loses
// what a disk may lose, the power going at any event; then recovered, judged, mounted again and
// gone on with.
//
// What must hold
//   1. every recovered tree is a prefix (folder_model.h), as reader/ sees it through recovery/, as
//      our own mount leaves it, and after an orderly end
//   2. the stream that wrote it has no finding of the judges `tag` and `order`
//   3. e2fsck -fn finds nothing after our mount and unmount
//
// Threads: one; run() has a simulation for each life.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/simulation.h"
#include "block/block_device.h"
#include "lab/record/request.h"
#include "tests/simulation/folder_worker.h"

namespace powercut::testing {

// Which file system, and how it is used.
struct FsForm {
  std::string mke2fs;
  std::string size = "4M";
  Tid first_tid{1};              // the journal's first transaction
  std::uint32_t log_blocks = 0;  // of the journal, that are used; 0: all
};

struct FsSceneOptions {
  std::uint64_t seed = 1;
  SearchStrategy strategy = SearchStrategy::kRandom;
  std::vector<std::string> mutants = {};
  unsigned operations = 40;  // of each task
  // The power goes at one of so many events of the disk, or where the code is aimed at
  // (tests/support/aimed_cut.h); at the end, if it does not come so far.
  std::uint64_t crash_events = 1500;
  // From a mount to the end of the power; some of those behind the first end in their mount.
  unsigned lives = 3;
  bool has_service = true;
  bool single_wait = false;  // of the journal
  // Units of 1 KiB.  Not of 512 bytes: a superblock torn in its middle is no superblock, and, as
  // under Linux, nothing but a copy of it helps.
  bool tears = false;
  bool asks_e2fsck = false;  // after each life
};

struct FsSceneResult {
  std::string finding;  // empty: all held
  FolderTally tally;
  std::uint64_t steps = 0, events = 0, commits = 0, checkpoints = 0, revokes = 0;
  std::uint64_t cuts = 0, orderly_ends = 0, recovered_orphans = 0, waits_for_room = 0;
  std::uint64_t trace_hash = 0;
  std::map<std::string, std::uint64_t> passings;  // of the points that cuts are aimed at
  void add(const FsSceneResult& other);
};

class FsScene {
 public:
  static constexpr std::size_t kTasks = 3;
  // Makes the file system, with a folder for each task.  Without mke2fs is_made() is false.
  explicit FsScene(const FsForm& form);
  // At which the power goes shortly after they are passed, in some of the lives.
  static std::vector<std::string> aim_points();
  bool is_made() const { return !image_.empty(); }
  const std::vector<std::uint8_t>& image() const { return image_; }
  FsSceneResult run(const FsSceneOptions& options) const;

 private:
  std::vector<std::uint8_t> image_;
};

}  // namespace powercut::testing
