#include "lab/campaign/explore.h"

#include <algorithm>

#include "host/new_file.h"
#include "lab/campaign/state_judges.h"
#include "lab/check/order_recording.h"
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
  return locate_journal(volume);
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

// One state: what it is, and its findings as groups of one.
Result<void> explore_one(BlockStream& stream, const JournalMap& map, const ExploreOptions& options,
                         const Clock& clock, ExploreResult& result) {
  if (!options.extract.empty()) {
    Explorer explorer(stream, map, {}, clock, options.explorer);
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
  for (const JudgeName name : options.judges) {
    const auto there_are = explore_judges();
    if (std::ranges::find(there_are, name) == there_are.end()) {
      return fail_with(Errc::kInvalid, "no such judge of recordings", judge_name(name));
    }
  }
  const JournalMap map = TRY(journal_at_first(recording));
  BlockStream stream = TRY(BlockStream::make(recording, map.block_bytes(), options.memory_max));
  ExploreResult result;
  result.disk_bytes = recording.disk_bytes;
  result.block_bytes = map.block_bytes();
  result.is_cut = recording.is_cut;
  if (options.one) {
    TRY(explore_one(stream, map, wanted, clock, result));
    return result;
  }
  if (has(options, JudgeName::kTag)) result.tag = verify_recording(recording, clock);
  if (has(options, JudgeName::kOrder)) result.stream_findings = verify_order(recording).findings;
  const StateJudges judges(options.judges);
  Explorer explorer(stream, map, judges.all(), clock, wanted.explorer);
  TRY(explorer.run(goes_on));
  result.counts = explorer.counts();
  result.findings = explorer.findings();
  return result;
}

}  // namespace powercut::lab
