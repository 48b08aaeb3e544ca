#include "cli/run_series.h"

#include <fmt/core.h>

#include "cli/work_line.h"
#include "host/machine.h"
#include "lab/campaign/prove.h"
#include "lab/report/explore_text.h"
#include "lab/report/report_json.h"
#include "lab/report/suites.h"
#include "lab/report/text.h"

namespace powercut::cli {
namespace {

constexpr std::size_t kFindingsShown = 10;

Result<void> note_image(const lab::RunOutcome& run) {
  if (run.kept.path.empty() || run.findings.empty()) return {};
  // The running kernel is none that can be fetched and asked again.
  const std::string kernel = run.accelerator ? run.kernel.name : "none";
  return lab::write_image_note(run.kept.path, {kernel, run.kernel.release, run.findings.front()});
}

int exit_code_of(const std::vector<lab::RunOutcome>& runs) {
  const lab::HuntCounts counts = lab::count(runs);
  if (counts.finding_count > 0 || counts.explored_bad_run_count > 0) return kFindings;
  return counts.incomplete_count > 0 ? kEnvironment : kNothingFound;
}

// Explores what the run has recorded, and removes the recording if nobody wants it any more.  Why
// it could not be explored is part of the outcome.
void explore_run(const RunSeries& series, const Clock& clock, lab::RunOutcome& run) {
  const std::filesystem::path recording = run.recording;
  run.explore_again =
      "powercut explore " + shell_word(recording.string()) + series.exploration->words;
  WorkLine progress("explore", series.as_json);
  auto explored = lab::explore_file(
      recording, memory_bytes() / 4, series.exploration->options, clock,
      [&progress](const lab::ExplorerCounts& counts) {
        return progress.show([&counts] { return lab::explore_progress_text(counts); });
      });
  progress.clear();
  if (explored) {
    run.explored = std::move(*explored);
  } else {
    run.not_explored = lab::error_text(explored.error());
    while (run.not_explored.ends_with('\n')) run.not_explored.pop_back();
  }
  const bool is_wanted = !series.record.empty() || run.has_findings() || !explored;
  if (is_wanted) return;
  std::error_code error;
  std::filesystem::remove(recording, error);
  run.recording.clear();
}

void print_run(const lab::RunOutcome& run, std::size_t findings_shown) {
  print(lab::run_text(run));
  if (run.ending == lab::Ending::kFirstFinding) {
    // Those of the same transaction that came after the live line ended.
    for (std::size_t i = findings_shown; i < run.findings.size() && i < 10; ++i) {
      print(lab::finding_text(run.findings[i]));
      print(lab::witness_text(run.witnesses[i]));
    }
  }
  if (!is_complete(run.ending) && !run.load_output.empty()) {
    print("  the load said:\n" + run.load_output);
  }
  if (!run.kept.path.empty()) {
    const std::string journal = run.kept.path + ".journal";
    std::error_code error;
    print(std::filesystem::exists(journal, error)
              ? fmt::format("  see it    powercut journal verify {} --journal {}\n", run.kept.path,
                            journal)
              : fmt::format("  prove it  powercut prove {}\n", run.kept.path));
  }
  if (run.online) print(lab::online_lines(*run.online, run.explore_again));
  if (run.explored) print(lab::exploration_lines(*run.explored, run.explore_again));
  if (!run.not_explored.empty()) print("  explored  no states: " + run.not_explored + "\n");
  if (!run.recording.empty()) {
    print(fmt::format("  recorded  {}\n", run.recording.string()));
  }
}

// A recording's place in the folder, beside those that earlier series left there.
std::filesystem::path free_recording_path(const std::filesystem::path& folder, unsigned number) {
  auto path = folder / fmt::format("run{}.pcrec", number);
  std::error_code error;
  for (int again = 2; std::filesystem::exists(path, error); ++again) {
    path = folder / fmt::format("run{}-{}.pcrec", number, again);
  }
  return path;
}

struct Given {
  std::vector<lab::RunOutcome> runs;
  int exit_code = kNothingFound;  // why it ended before its time
};

// One run after another, each printed at its end.
Given run_all(const RunSeries& series, const lab::LabEnvironment& environment,
              const std::filesystem::path& folder, LiveLine& live) {
  Given given;
  for (unsigned number = 1; number <= series.run_count && !was_interrupted(); ++number) {
    RunPlaces places;
    if (lab::count(given.runs).finding_count == 0) {
      places.keep = folder / fmt::format("run{}-first.img", number);
    }
    places.record = series.record;
    if (series.record.empty() && series.exploration) {
      places.record = free_recording_path(folder, number);
    }
    auto run = series.run(places, environment);
    live.clear();
    if (!run) {
      given.exit_code = print_error(run.error());
      break;
    }
    run->recording = places.record;
    if (const auto noted = note_image(*run); !noted) print_error(noted.error());
    run->explore_again = "powercut explore " + shell_word(places.record.string());
    if (series.exploration) explore_run(series, environment.clock, *run);
    if (!series.as_json) {
      if (series.run_count > 1) print(fmt::format("run {} of {}\n", number, series.run_count));
      print_run(*run, kFindingsShown);
    }
    given.runs.push_back(std::move(*run));
  }
  if (given.runs.empty() && given.exit_code == kNothingFound) given.exit_code = kEnvironment;
  return given;
}

// Of a series that gave something.
int print_results(const RunSeries& series, const Given& given,
                  const std::filesystem::path& folder) {
  const std::string json = lab::runs_json(given.runs, series.repeat_command);
  if (series.as_json) print(json);
  if (given.runs.empty()) {
    // Our own new folder holds nothing then.
    std::error_code error;
    if (series.output.empty()) std::filesystem::remove(folder, error);
    return given.exit_code;
  }
  if (const auto written = write_file_atomically(folder / "result.json", json); !written) {
    print_error(written.error());
  }
  if (!series.as_json) {
    print(lab::counts_text(given.runs));
    print(fmt::format("  results   {}\n  again     {}\n", folder.string(), series.repeat_command));
  }
  const int found = exit_code_of(given.runs);
  return series.suite.write(lab::runs_suite(series.name, given.runs, series.repeat_command),
                            found == kNothingFound ? given.exit_code : found);
}

}  // namespace

int run_series_and_print(const RunSeries& series) {
  const SteadyClock clock;
  LiveLine live(series.as_json ? 0 : kFindingsShown);
  const auto environment = series.needs_guest
                               ? make_environment(clock, live)
                               : Result<lab::LabEnvironment>(make_host_environment(clock, live));
  if (!environment) return print_error(environment.error());
  if (!series.as_json) print(series.header);
  const auto folder = make_results_folder(series.output, series.folder_name);
  if (!folder) return print_error(folder.error());
  const Given given = run_all(series, *environment, *folder, live);
  return print_results(series, given, *folder);
}

int run_in_machine_and_print(lab::RunOptions options, const VmWords& words, RunSeries series) {
  if (const auto applied = words.apply(options); !applied) return print_error(applied.error());
  auto record = words.recording_path();
  if (!record) return print_error(record.error());
  series.record = std::move(*record);
  series.folder_name = options.kernel.name;
  series.header = lab::run_header_text(options, series.header);
  series.output = words.output;
  series.run_count = words.runs;
  series.as_json = words.as_json;
  series.run = [&options](const RunPlaces& places, const lab::LabEnvironment& environment) {
    options.keep = places.keep;
    options.record = places.record;
    return run_in_vm(options, environment);
  };
  return run_series_and_print(series);
}

}  // namespace powercut::cli
