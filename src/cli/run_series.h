// Runs one after another, printed as they end, stored in a folder: what `hunt` and `run` share,
// wherever they run.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/command.h"
#include "cli/suite_words.h"
#include "lab/campaign/explore.h"

namespace powercut::cli {

// Where one run puts what it leaves; empty: nowhere.
struct RunPlaces {
  std::filesystem::path keep;    // the image at its first finding
  std::filesystem::path record;  // the recording
};

// How the recording of each run is explored at its end.
struct RunExploration {
  lab::ExploreOptions options;
  std::string words;  // of `powercut explore`, that say the same; each with a blank before it
};

struct RunSeries {
  std::string name;              // of the command, as "powercut run"
  std::string folder_name;       // for the results' folder
  std::string header;            // what is about to be run; printed first
  std::string repeat_command;    // what does the same again
  std::string output;            // the results' folder; empty: a new one
  std::filesystem::path record;  // the recording that the user wants, of the only run
  unsigned run_count = 1;
  bool as_json = false;
  bool needs_guest = true;  // it runs in virtual machines
  SuiteWords suite;
  // A recording that only this wants is kept if something was found.
  std::optional<RunExploration> exploration;
  using Run = std::function<Result<lab::RunOutcome>(const RunPlaces& places,
                                                    const lab::LabEnvironment& environment)>;
  Run run;
};

// The exit code.  A run that cannot begin ends the series; what the runs before it gave is printed
// and stored all the same.
int run_series_and_print(const RunSeries& series);

// Those of `options` in a virtual machine, as `words` say.
int run_in_machine_and_print(lab::RunOptions options, const VmWords& words, RunSeries series);

}  // namespace powercut::cli
