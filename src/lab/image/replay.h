// Replays the journal of an image: into a copy, in place, or not at all.
//
// Everything is checked before the first byte is written.  The log is emptied only when all of it
// is at home and durable, so a replay that ends in the middle (no space, an error of the device, a
// kill) is made again from the beginning.
#pragma once

#include "lab/image/image_file.h"
#include "lab/image/journal_check.h"

namespace powercut::lab {

enum class ReplayMode : std::uint8_t { kDryRun, kCopy, kInPlace };

struct ReplayOptions {
  ReplayMode mode = ReplayMode::kDryRun;
  std::filesystem::path output;  // kCopy: not there yet
};

struct ReplayOutcome {
  ImageOptions image;
  ReplayOptions options;
  bool is_dirty = false;  // before; without it Linux discards the log, and nothing is replayed
  RecoveryPlan plan;
  std::uint64_t superseded_count = 0;  // of plan.replay_count: a later copy is written over them
  // What was found to be damaged; empty if the plan names no damage.
  std::vector<CheckedFinding> findings;
  // Written: an external journal's copy too.
  std::filesystem::path journal_output;
  bool is_damaged() const {
    return is_dirty && (plan.end == RecoveryEnd::kRefused || !plan.damages.empty());
  }
  // needs_recovery is clear afterwards (or would be, with kDryRun).
  bool ends_recovered() const {
    return !is_dirty || plan.empties_log || plan.end == RecoveryEnd::kNothingToDo;
  }
};

// Where the copy of an external journal goes: beside the copy of the image.
std::filesystem::path journal_copy_path(const std::filesystem::path& output);

// `image` is opened for reading; what is written, is opened again.
// Errors: those of image.journal() if the image is dirty; as ImageFile::open and check_journal;
// kUnsupported: fast commits; kInUse: the image is mounted or attached, and is to be written to;
// kExists: the output is there; kNoSpace, kIo: then the output is not there, and an image in place
// can be replayed again.
Result<ReplayOutcome> replay_journal(const ImageFile& image, const ReplayOptions& options,
                                     const WorkWatcher& watcher = {});

}  // namespace powercut::lab
