// The journal's writer in a simulation: tasks that change blocks of a file system that mke2fs made,
// on a simulated disk whose stream the judges `tag` and `order` follow.
//
// Each writer has two blocks and puts the same number into both, in one handle, the numbers rising;
// of some it waits until they are durable.  So after a recovery both blocks of a writer hold one
// number, at least the last that was durable and at most the last that was begun.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/simulation.h"
#include "block/simulated_disk.h"
#include "recovery/journal_map.h"

namespace powercut::testing {

// What is put between the journal and the disk; as it is, nothing.
using Decorator = std::function<std::unique_ptr<BlockDevice>(BlockDevice&)>;

struct SceneOptions {
  SimulationOptions simulation = {};
  std::uint64_t seed_count = 1;    // seeds, up to the first finding; not for an exhaustive search
  std::uint64_t crash_events = 0;  // the power goes at one of so many events; 0: at the end
  bool tears = false;              // some of the power cuts tear blocks, in units of 512 bytes
  int writers = 3;
  int rounds = 12;
  bool has_service = true;  // the journal's own tasks
  Decorator decorator = {};
};

struct SceneResult {
  SimulationResult simulation;
  std::string finding;            // of the judges, or of what a recovery brought back; empty: none
  std::uint64_t event_count = 0;  // of the disk, in the last run
  // In all runs:
  std::uint64_t commit_count = 0;       // that the `tag` judge saw
  std::uint64_t transaction_count = 0;  // that the `order` judge evaluated
  std::uint64_t crash_count = 0;
};

class JournalScene {
 public:
  // Makes the file system.  Without mke2fs is_made() is false.
  JournalScene();
  bool is_made() const { return !image_.empty(); }
  // The judges' findings are the simulation's, too.
  SceneResult play(const SceneOptions& options) const;

 private:
  void play_once(const SceneOptions& options, SceneResult& result) const;

  std::vector<std::uint8_t> image_;
};

}  // namespace powercut::testing
