// The words that say how states are explored: what `explore` and `run` share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "lab/campaign/explore.h"

namespace powercut::cli {

struct ExploreWords {
  std::string judges, check, recover_as = "linux", data;
  std::uint64_t states_max = 1'000'000, seed = 1, compare_every = 2000;
  std::uint64_t examine_every = 1, examined_max = 1000;
  double examine_seconds = 60;
  std::uint32_t atomic_bytes = 0, lied_flushes = 0;

  void add_to(CLI::App& command);
  // `time_seconds`: at most so long; 0: no bound.  Errors: kInvalid: words without sense.
  Result<lab::ExploreOptions> options(double time_seconds) const;
  // The words that explore the same states again, each with a blank before it.
  std::string repeated() const;
};

}  // namespace powercut::cli
