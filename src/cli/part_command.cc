// The parts of a run on the running kernel, as the processes they are.
#include "cli/command.h"
#include "lab/sources/guest/guest_job.h"
#include "lab/sources/host_disk.h"
#include "lab/sources/host_stage.h"

namespace powercut::cli {
namespace {

int end_of_disk(const std::vector<std::string>& words) {
  const auto served = lab::serve_host_disk(words);
  return served ? kNothingFound : print_error(served.error());
}

// Its words are lines of a protocol, so its error is, too.
int end_of_stage(const std::vector<std::string>& words) {
  const auto say = [](std::string_view line) { print(std::string(line) + "\n"); };
  const auto run = lab::run_host_stage(words, say);
  if (run) return kNothingFound;
  say(std::string(lab::kProtocolWord) + "trouble: " + error_words(run.error()));
  return kEnvironment;
}

int end_of_first(const std::vector<std::string>& words) {
  const auto run = lab::run_host_first(words);
  return run ? *run : print_error(run.error());
}

}  // namespace

std::optional<int> run_as_part(int argument_count, char** arguments) {
  if (argument_count < 2) return std::nullopt;
  const std::string_view part = arguments[1];
  const std::vector<std::string> words(arguments + 2, arguments + argument_count);
  if (part == lab::kHostDiskWord) return end_of_disk(words);
  if (part == lab::kHostStageWord) return end_of_stage(words);
  if (part == lab::kHostFirstWord) return end_of_first(words);
  return std::nullopt;
}

}  // namespace powercut::cli
