#include "lab/campaign/explore.h"

#include <algorithm>

#include "host/new_file.h"
#include "lab/campaign/state_judges.h"
#include "lab/check/command_judge.h"
#include "lab/check/order_recording.h"
#include "lab/record/recording_past.h"
#include "lab/verify/journal_place.h"
#include "reader/volume.h"

namespace powercut::lab {
namespace {

// The block size and the journal of the file system that a recording begins with.
Result<JournalMap> journal_at_first(const Recording& recording) {
  RecordedView view(recording);
  for (const RecordedEvent& event : recording.events) {
    if (event.kind == EventKind::kBase) view.apply(event);
  }
  const Volume volume = TRY(Volume::open(view));
  return locate_journal_on(view, volume, recording.split);
}

bool has(const ExploreOptions& options, JudgeName name) {
  return std::ranges::find(options.judges, name) != options.judges.end();
}

Result<void> write_out(const ContentPool& pool, std::span<const ContentId> contents,
                       const std::filesystem::path& path) {
  NewFile file = TRY(NewFile::make(path, std::uint64_t{pool.block_bytes()} * contents.size()));
  for (std::size_t block = 0; block < contents.size(); ++block) {
    if (contents[block] == kZeroContent) continue;
    TRY(file.file().write_at(std::uint64_t{pool.block_bytes()} * block,
                             pool.bytes(contents[block])));
  }
  return file.publish();
}

// The judges that mount states, on a stage of their own; none where they are not wanted.
class Examiners {
 public:
  static Result<Examiners> make(const ExploreOptions& options, const Recording& recording,
                                const Clock& clock) {
    Examiners made;
    const bool has_command = has(options, JudgeName::kCommand);
    const bool has_differential = has(options, JudgeName::kDifferential);
    if (has_command && options.check_command.empty()) {
      return fail(Errc::kInvalid, "the judge `command` needs a command (--check)");
    }
    if (!has_command && !has_differential) return made;
    made.stage_ = TRY(StateStage::open(recording.disk_bytes, recording.split, clock));
    if (has_differential) {
      made.differential_ = std::make_unique<DifferentialJudge>(*made.stage_);
      made.all_.push_back(made.differential_.get());
    }
    if (has_command) {
      made.command_ = std::make_unique<CommandJudge>(
          *made.stage_,
          CommandJudge::Options{options.check_command, options.mount_options, options.check_limit});
      made.all_.push_back(made.command_.get());
    }
    return made;
  }
  const std::vector<StateExaminer*>& all() const { return all_; }
  std::optional<DifferentialCounts> differential() const {
    if (!differential_) return std::nullopt;
    return differential_->counts();
  }

 private:
  std::unique_ptr<StateStage> stage_;
  std::unique_ptr<DifferentialJudge> differential_;
  std::unique_ptr<CommandJudge> command_;
  std::vector<StateExaminer*> all_;
};

// One state: what it is, and its findings as groups of one.
Result<void> explore_one(BlockStream& stream, const JournalMap& map, const ExploreOptions& options,
                         const Clock& clock, ExploreResult& result) {
  if (!options.extract.empty()) {
    ExplorerOptions plain = options.explorer;
    plain.examiners.clear();
    Explorer explorer(stream, map, {}, clock, plain);
    const auto contents = TRY(explorer.contents_of(*options.one));
    TRY(write_out(stream.pool(), contents, options.extract));
  }
  const StateJudges judges(options.judges);
  Explorer explorer(stream, map, judges.all(), clock, options.explorer);
  for (CheckFinding& finding : TRY(explorer.judge_one(*options.one))) {
    result.findings.push_back({std::move(finding), *options.one, 1});
  }
  result.counts = explorer.counts();
  result.counts.judged = 1;
  return {};
}

}  // namespace

std::vector<JudgeName> explore_judges() {
  return {JudgeName::kTag, JudgeName::kOrder, JudgeName::kRecover, JudgeName::kStructure,
          JudgeName::kContent};
}

Result<ExploreResult> explore(const Recording& recording, const ExploreOptions& options,
                              const Clock& clock,
                              const std::function<bool(const ExplorerCounts&)>& goes_on) {
  ExploreOptions wanted = options;
  wanted.explorer.judges_recovery = has(options, JudgeName::kRecover);
  const JournalMap map = TRY(journal_at_first(recording));
  BlockStream stream = TRY(BlockStream::make(recording, map.block_bytes(), options.memory_max));
  ExploreResult result;
  result.disk_bytes = recording.disk_bytes;
  result.block_bytes = map.block_bytes();
  result.is_cut = recording.is_cut;
  result.judges = options.judges;
  const Examiners examiners = TRY(Examiners::make(options, recording, clock));
  wanted.explorer.examiners = examiners.all();
  if (options.one) {
    TRY(explore_one(stream, map, wanted, clock, result));
    result.differential = examiners.differential();
    return result;
  }
  if (has(options, JudgeName::kTag)) result.tag = verify_recording(recording, clock);
  if (has(options, JudgeName::kOrder)) {
    result.stream_findings = verify_order(recording, {options.data_mode}).findings;
  }
  const StateJudges judges(options.judges);
  Explorer explorer(stream, map, judges.all(), clock, wanted.explorer);
  TRY(explorer.run(goes_on));
  result.counts = explorer.counts();
  result.findings = explorer.findings();
  result.differential = examiners.differential();
  return result;
}

Result<ExploreResult> explore_file(const std::filesystem::path& path, std::uint64_t recording_max,
                                   const ExploreOptions& options, const Clock& clock,
                                   const std::function<bool(const ExplorerCounts&)>& goes_on) {
  const File file = TRY(File::open(path, File::Access::kRead));
  RecordingPast past;
  const auto opened = past.open(path);
  // Of format 1, which is read whole or not at all.
  if (!opened && opened.error().code == Errc::kUnsupported) {
    return explore(TRY(read_recording(file, recording_max)), options, clock, goes_on);
  }
  TRY(opened);
  const std::uint64_t first = TRY(past.first_within(recording_max));
  const bool is_whole = first == past.first();
  const Recording recording =
      TRY(read_recording(file, recording_max, is_whole ? std::nullopt : std::optional(first)));
  ExploreOptions wanted = options;
  // States keep the names that they had before anything was folded or left out.
  if (first != 0) wanted.explorer.first_number = first - TRY(past.pass(first));
  for (const RecordingPast::Mark& mark : past.marks()) {
    if (mark.number < first) wanted.explorer.known_marks.push_back(mark.text);
  }
  if (options.one && options.one->crash_point < wanted.explorer.first_number) {
    return fail(Errc::kLimit,
                "the recording is larger than the memory it may take, and that state lies before "
                "the part of it that is explored",
                options.one->crash_point);
  }
  ExploreResult result = TRY(explore(recording, wanted, clock, goes_on));
  result.left_out_events = first - past.first();
  return result;
}

}  // namespace powercut::lab
