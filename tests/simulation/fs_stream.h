// The stream of a load on our own file system, recorded in a simulation; and what all judges say
// of it and of the states that a power cut could have left.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/check/explorer.h"
#include "lab/record/recording_file.h"
#include "tests/simulation/fs_scene.h"

namespace powercut::testing {

struct FsLoad {
  std::string kind;  // as `powercut workload` has it; not mmap
  std::uint64_t seed = 1;
  unsigned tasks = 2, files = 2;
  std::uint32_t file_kib = 32;
  std::uint64_t operations = 60;  // of each task
  unsigned sync_percent = 20;
  bool has_service = true;
  bool single_wait = false;  // of the journal
  std::vector<std::string> mutants = {};
};

struct RecordedLoad {
  std::string finding;  // of the run itself: what was read back, a CHECK; empty: none
  lab::Recording recording;
  std::uint64_t commits = 0, checkpoints = 0;
};
// `image`: the file system before the mount.
RecordedLoad record_load(const std::vector<std::uint8_t>& image, const FsLoad& load);

struct JudgedLoad {
  std::string finding;  // the first of any judge; empty: none
  lab::ExplorerCounts counts;
};
// All five judges: tag and order of the stream, recover, structure and content of its states.
JudgedLoad judge_load(const lab::Recording& recording, std::uint64_t states_max,
                      std::uint64_t seed);

}  // namespace powercut::testing
