// What the commands share: exit codes, printing, the environment of a run.
//
// A command is a file with one function that adds it to the parser; when it was chosen, its
// callback puts the exit code into `CommandLine::exit_code`.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "lab/campaign/vm_run.h"
#include "lab/sources/kernel.h"

namespace powercut::cli {

enum ExitCode : int {
  kNothingFound = 0,
  kFindings = 1,
  kUsage = 2,
  kEnvironment = 3,  // also: an input that cannot be read
  kOurBug = 4,
};

struct CommandLine {
  CLI::App app{"Powercut: what a power cut would do to ext4, and why.", "powercut"};
  int exit_code = kNothingFound;
};

void add_hunt(CommandLine& line);
void add_run(CommandLine& line);
void add_prove(CommandLine& line);
void add_verify(CommandLine& line);
void add_record(CommandLine& line);
void add_explore(CommandLine& line);
void add_journal(CommandLine& line);
void add_image(CommandLine& line);
void add_workload(CommandLine& line);
void add_mark(CommandLine& line);
void add_demo(CommandLine& line);

// Powercut started by itself, as one of its parts (lab/sources/host_disk.h, host_stage.h): the exit
// status of that, or nothing if it was not.
std::optional<int> run_as_part(int argument_count, char** arguments);

void print(std::string_view text);       // to standard output, flushed
void print_note(std::string_view text);  // to standard error
// To standard error.  Returns kUsage where the user's words make no sense, else kEnvironment.
int print_error(const Error& error);
// The same for a kernel that is not to be had, which is said to be `unknown`.
int print_no_kernel(const Error& error);

// Shows how a run is going: one line that is overwritten on a terminal, else a line every 10 s of a
// phase; and each finding (the first ones) as it comes.
class LiveLine {
 public:
  explicit LiveLine(std::size_t findings_shown_max) : findings_left_(findings_shown_max) {}
  void show(const lab::RunProgress& progress);
  // Wipes the line, so that other text can follow.
  void clear();

 private:
  std::size_t findings_left_;
  bool is_shown_ = false;
  std::string_view plain_phase_;  // of the last plain line
  double plain_seconds_ = 0;
};

// Clock, cache, and the guest's program beside our own; interrupts are caught from here on.
// Errors: kNotFound: powercut-guest is not beside the program.
Result<lab::LabEnvironment> make_environment(const Clock& clock, LiveLine& live);

// The same for what runs on the running kernel, which needs no guest and no cache.
lab::LabEnvironment make_host_environment(const Clock& clock, LiveLine& live);

// The kernel of that name; `modules_dir` (may be empty) is for a bzImage.  Prints what is fetched.
Result<lab::KernelImage> obtain_kernel_by_name(const std::string& spec,
                                               const std::string& modules_dir);

// A folder for results: `wanted`, or powercut-results/NAME-1, -2, ... in the working folder.
Result<std::filesystem::path> make_results_folder(const std::string& wanted,
                                                  const std::string& name);

// A word as it must be typed in a shell.
std::string shell_word(const std::string& word);

// Options that `hunt` and `run` share.
struct VmWords {
  std::string modules_dir, output, record, accelerator = "auto", mount_options;
  std::vector<std::string> append, mkfs_options;
  unsigned cpus = 0, memory_mib = 0, disk_mib = 1024, journal_mib = 64, runs = 1;
  int throttle_iops = -1;
  double seconds = 0;
  bool until_first = false, as_json = false;
  std::uint64_t record_max_mib = 0;  // 0: as the recording's use demands
  void add_to(CLI::App& command);
  // Puts the words over `options`, where they were given.
  Result<void> apply(lab::RunOptions& options) const;
  // Where the recording goes that the user wants; empty if none.  Errors: kInvalid, kExists.
  Result<std::filesystem::path> recording_path() const;
  std::uint64_t record_bytes_max() const;
  // The words that say the same again, each with a blank before it; not those of the output.
  std::string repeated() const;
};

}  // namespace powercut::cli
