// Runs one after another, printed as they end, stored in a folder: what `hunt` and `run` share,
// wherever they run.
#pragma once

#include <functional>
#include <string>

#include "cli/command.h"

namespace powercut::cli {

struct RunSeries {
  std::string name;            // for the results' folder
  std::string header;          // what is about to be run; printed first
  std::string repeat_command;  // what does the same again
  std::string output;          // the results' folder; empty: a new one
  unsigned run_count = 1;
  bool as_json = false;
  bool needs_guest = true;  // it runs in virtual machines
  // One run, that keeps the image at its first finding in `keep`, if that is not empty.
  using Run = std::function<Result<lab::RunOutcome>(const std::filesystem::path& keep,
                                                    const lab::LabEnvironment& environment)>;
  Run run;
};

// The exit code.  A run that cannot begin ends the series; what the runs before it gave is printed
// and stored all the same.
int run_series_and_print(const RunSeries& series);

}  // namespace powercut::cli
