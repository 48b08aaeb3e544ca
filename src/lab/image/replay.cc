#include "lab/image/replay.h"

#include <unordered_set>

#include "host/in_use.h"
#include "host/new_file.h"

namespace powercut::lab {
namespace {

std::uint64_t count_superseded(const RecoveryPlan& plan) {
  std::unordered_set<std::uint64_t> homes;
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) {
      if (block.verdict == BlockVerdict::kReplay) homes.insert(block.home.value());
    }
  }
  return plan.replay_count - homes.size();
}

Result<void> refuse_if_in_use(const std::filesystem::path& path) {
  if (path.empty()) return {};
  const auto uses = TRY(uses_of(path));
  if (uses.empty()) return {};
  return fail_with(Errc::kInUse, "not written to while others may write, too",
                   path.filename().string() + ": " + uses.front().who);
}

// Writes what the plan of `image`, opened for it, replays.
Result<void> write_recovery(const ImageFile& image) {
  if (!image.is_dirty()) return {};
  if (!image.journal()) return Failure{image.journal().error()};
  const ImageJournal& journal = *image.journal();
  TRY(apply_recovery(journal.plan, image.device(), journal.map, image.device()));
  const bool is_settled = journal.plan.empties_log || journal.plan.end == RecoveryEnd::kNothingToDo;
  return is_settled ? mark_recovered(journal.plan, journal.map, image.device()) : Result<void>{};
}

Result<void> replay_in_place(const ImageOptions& image) {
  TRY(refuse_if_in_use(image.path));
  TRY(refuse_if_in_use(image.journal));
  ImageOptions options = image;
  options.is_writable = true;
  const ImageFile opened = TRY(ImageFile::open(options));
  return write_recovery(opened);
}

// A copy that has no name yet, and the name by which this process reaches it.
struct Copy {
  NewFile file;
  std::filesystem::path reached_by;
};

Result<Copy> copy_of(const std::filesystem::path& from, const std::filesystem::path& to) {
  const File original = TRY(File::open(from, File::Access::kRead));
  NewFile copy = TRY(NewFile::make(to, original.size_bytes()));
  TRY(copy_into(original, copy.file()));
  const std::string reached_by = "/proc/self/fd/" + std::to_string(copy.file().fd());
  return Copy{std::move(copy), reached_by};
}

Result<void> replay_into_copy(const ReplayOptions& options, bool is_external,
                              ReplayOutcome& outcome) {
  Copy copy = TRY(copy_of(outcome.image.path, options.output));
  std::optional<Copy> journal;
  ImageOptions image = outcome.image;
  image.path = copy.reached_by;
  image.is_writable = true;
  if (is_external) {
    outcome.journal_output = journal_copy_path(options.output);
    journal.emplace(TRY(copy_of(outcome.image.journal, outcome.journal_output)));
    image.journal = journal->reached_by;
  }
  {
    const ImageFile opened = TRY(ImageFile::open(image));
    TRY(write_recovery(opened));
  }
  if (journal) TRY(journal->file.publish());
  const auto published = copy.file.publish();
  if (!published && journal) {
    std::error_code ignored;
    std::filesystem::remove(outcome.journal_output, ignored);
  }
  return published;
}

}  // namespace

std::filesystem::path journal_copy_path(const std::filesystem::path& output) {
  return output.native() + ".journal";
}

Result<ReplayOutcome> replay_journal(const ImageFile& image, const ReplayOptions& options,
                                     const WorkWatcher& watcher) {
  ReplayOutcome outcome;
  outcome.image = image.options();
  outcome.options = options;
  outcome.is_dirty = image.is_dirty();
  const auto& journal = image.journal();
  // Of a log that is not replayed nothing need be right.
  if (image.is_dirty() && !journal) return Failure{journal.error()};
  if (journal) outcome.plan = journal->plan;
  outcome.superseded_count = count_superseded(outcome.plan);
  if (outcome.is_dirty && outcome.plan.fast_commits) {
    return fail(Errc::kUnsupported,
                "journal: fast commits are not replayed, and would be lost; mount it with Linux",
                outcome.plan.fast_commits->tid.value());
  }
  if (outcome.is_damaged()) outcome.findings = TRY(check_journal(image, {}, watcher)).findings;
  switch (options.mode) {
    case ReplayMode::kDryRun: break;
    case ReplayMode::kInPlace: TRY(replay_in_place(outcome.image)); break;
    case ReplayMode::kCopy:
      TRY(replay_into_copy(options, journal && journal->is_external, outcome));
      break;
  }
  return outcome;
}

}  // namespace powercut::lab
