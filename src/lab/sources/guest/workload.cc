#include "lab/sources/guest/workload.h"

#include <array>
#include <thread>
#include <utility>

#include <unistd.h>

#include "lab/sources/guest/load_kinds.h"
#include "lab/sources/guest/mark_client.h"

namespace powercut::lab {
namespace {

using RunLoad = Result<std::string> (*)(LoadPlace&);
constexpr std::array<std::pair<std::string_view, RunLoad>, 5> kKinds = {{
    {"write", run_write_load},
    {"mmap", run_mmap_load},
    {"append", run_append_load},
    {"rename", run_rename_load},
    {"mixed", run_mixed_load},
}};

RunLoad find_kind(std::string_view name) {
  for (const auto& [kind, run] : kKinds) {
    if (kind == name) return run;
  }
  return nullptr;
}

Result<void> take_number(const std::string& option, const std::string& word,
                         WorkloadOptions& options) {
  if (option == "--threads") {
    options.thread_count =
        static_cast<unsigned>(TRY(parse_count("workload: not a number of its range", word, 1, 64)));
  } else if (option == "--files") {
    options.file_count =
        static_cast<unsigned>(TRY(parse_count("workload: not a number of its range", word, 1, 64)));
  } else if (option == "--kib") {
    options.file_kib = static_cast<std::uint32_t>(
        TRY(parse_count("workload: not a number of its range", word, 8, 8192)));
    if (options.file_kib % 4 != 0) {
      return fail_with(Errc::kInvalid, "workload: --kib is a multiple of 4", word);
    }
  } else if (option == "--sync") {
    options.sync_percent = static_cast<unsigned>(
        TRY(parse_count("workload: not a number of its range", word, 0, 100)));
  } else if (option == "--seconds") {
    const std::uint64_t count =
        TRY(parse_count("workload: not a number of its range", word, 1, 86'400));
    options.duration = std::chrono::seconds(static_cast<std::int64_t>(count));
  } else if (option == "--operations") {
    options.operation_max =
        TRY(parse_count("workload: not a number of its range", word, 1, std::uint64_t{1} << 40));
  } else if (option == "--seed") {
    options.seed =
        TRY(parse_count("workload: not a number of its range", word, 0, ~std::uint64_t{0}));
  } else {
    return fail_with(Errc::kInvalid, "workload: unknown option", option);
  }
  return {};
}

// The run's number: from the seed, and the first whose folders are not there yet.
Result<std::uint32_t> choose_run(const WorkloadOptions& options) {
  constexpr int kTriesMax = 1000;
  Prng prng = Prng(options.seed).child(options.kind);
  for (int i = 0; i < kTriesMax; ++i) {
    const auto run = static_cast<std::uint32_t>(prng.next());
    const std::string first = options.directory + "/" + options.kind + "-" + run_hex(run) + "-t0";
    if (::access(first.c_str(), F_OK) != 0) return run;
  }
  return fail_with(Errc::kExists, "workload: too many folders of such runs", options.directory);
}

// The folders and what leads to them are durable before anything is promised of what is in them.
Result<std::vector<LoadPlace>> make_places(LoadShared& shared, std::uint32_t run) {
  const WorkloadOptions& options = shared.options;
  std::vector<LoadPlace> places;
  for (unsigned i = 0; i < options.thread_count; ++i) {
    const std::string name = options.kind + "-" + run_hex(run) + "-t" + std::to_string(i);
    const Prng prng = Prng(options.seed).child(name);
    places.push_back(TRY(LoadPlace::make(shared, options.directory, name, prng)));
  }
  TRY(shared.system.sync_all(places.front().fd(), options.directory));
  return places;
}

struct ThreadEnd {
  Result<std::string> wrong = std::string();
};

// The first error, else the first thing that is wrong.
Result<std::string> run_threads(LoadShared& shared, std::vector<LoadPlace>& places, RunLoad run) {
  std::vector<ThreadEnd> ends(places.size());
  {
    std::vector<std::jthread> threads;
    threads.reserve(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      threads.emplace_back([&shared, &place = places[i], &end = ends[i], run] {
        end.wrong = run(place);
        if (!end.wrong) shared.is_over.store(true);
      });
    }
  }
  std::string wrong;
  for (ThreadEnd& end : ends) {
    if (!end.wrong) return end.wrong;
    if (wrong.empty()) wrong = *end.wrong;
  }
  return wrong;
}

}  // namespace

Result<WorkloadOptions> parse_workload(const std::vector<std::string>& words) {
  WorkloadOptions options;
  std::vector<std::string> plain;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--")) {
      plain.push_back(words[i]);
      continue;
    }
    if (i + 1 == words.size()) {
      return fail_with(Errc::kInvalid, "workload: no value for", words[i]);
    }
    TRY(take_number(words[i], words[i + 1], options));
    ++i;
  }
  if (plain.size() != 2 || find_kind(plain[0]) == nullptr || plain[1].empty()) {
    return fail_with(Errc::kInvalid, "workload: a kind and one directory are wanted",
                     plain.empty() ? "" : plain[0]);
  }
  options.kind = plain[0];
  options.directory = plain[1];
  return options;
}

Result<WorkloadTally> run_workload(const WorkloadOptions& options, const Clock& clock) {
  const RunLoad run = find_kind(options.kind);
  if (run == nullptr) return fail_with(Errc::kInvalid, "workload: no such kind", options.kind);
  std::optional<MarkClient> marks;
  if (!options.marks.empty()) marks.emplace(TRY(MarkClient::open(options.marks, clock)));
  const std::uint32_t number = TRY(choose_run(options));
  const auto system = kernel_load_system(marks ? &*marks : nullptr);
  LoadShared shared{.options = options,
                    .clock = clock,
                    .code = WordCode(number),
                    .system = *system,
                    .deadline = clock.now() + options.duration};
  auto places = TRY(make_places(shared, number));
  const DataMode mode = find_data_mode(options.directory);
  TRY(places.front().mark({BeginClause{options.kind, mode}}));
  WorkloadTally tally;
  tally.first_wrong = TRY(run_threads(shared, places, run));
  TRY(places.front().mark({EndClause{}}));
  tally.data_mode = data_mode_name(mode);
  tally.operations = shared.operations.load();
  tally.syncs = shared.syncs.load();
  tally.marks = shared.mark_count.load();
  tally.files = shared.next_file.load();
  tally.words_checked = shared.words_checked.load();
  return tally;
}

int workload_main(const std::vector<std::string>& words, const std::string& marks) {
  auto options = parse_workload(words);
  if (!options) {
    say(STDERR_FILENO,
        error_words(options.error()) + "\nusage: " + std::string(kWorkloadUsage) + "\n");
    return 2;
  }
  options->marks = marks;
  if (marks.empty()) {
    say(STDERR_FILENO, "workload: POWERCUT_MARKS is not set: nothing is promised to a judge\n");
  }
  const SteadyClock clock;
  const auto tally = run_workload(*options, clock);
  if (!tally) {
    say(STDERR_FILENO, error_words(tally.error()) + "\n");
    return tally.error().code == Errc::kInvalid ? 2 : 3;
  }
  say(STDOUT_FILENO, options->kind + ": " + std::to_string(tally->operations) + " operations, " +
                         std::to_string(tally->syncs) + " syncs, " + std::to_string(tally->marks) +
                         " marks, " + std::to_string(tally->files) + " files, " +
                         std::to_string(tally->words_checked) +
                         " words read back, data=" + tally->data_mode + "\n");
  if (tally->first_wrong.empty()) return 0;
  say(STDERR_FILENO, "workload: wrong in the running kernel: " + tally->first_wrong + "\n");
  return 1;
}

}  // namespace powercut::lab
