#include "lab/check/differential_judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "block/window_view.h"
#include "host/process.h"
#include "lab/verify/journal_place.h"
#include "reader/volume.h"

namespace powercut::lab {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
constexpr std::size_t kToolWordsMax = 300;
constexpr int kE2fsckClean = 0;

CheckFinding difference(std::string rule, std::string words,
                        std::optional<BlockNo> block = std::nullopt) {
  CheckFinding made = finding_of(JudgeName::kDifferential, std::move(rule), std::move(words));
  made.block = block;
  return made;
}

std::string in_one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  if (text.size() > kToolWordsMax) text.resize(kToolWordsMax);
  return text;
}

// Whether a mount has more to do than to replay the log.
Result<bool> has_orphans(const Volume& volume) {
  bool found = false;
  TRY(volume.for_each_orphan([&](InodeNo) {
    found = true;
    return false;
  }));
  return found;
}

// What of a disk is to be looked at.
struct ComparedPiece {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  // at most kPieceBytes
};

// All of a disk in which our recovery and the kernel's may differ: what either has changed.  Where
// neither has, both have the crashed state.
std::vector<ComparedPiece> pieces_to_compare(const ExaminedState& state, const OverlayDevice& left,
                                             std::uint32_t block_bytes) {
  std::vector<ComparedPiece> pieces;
  if (state.changed) {
    left.for_each_page([&](std::uint64_t offset, Bytes bytes) {
      pieces.push_back({offset, bytes.size()});
    });
    for (const BlockNo block : *state.changed) {
      pieces.push_back({block.value() * block_bytes, block_bytes});
    }
    std::ranges::sort(pieces, {}, &ComparedPiece::offset);
    return pieces;
  }
  const std::uint64_t size = left.size_bytes();
  for (std::uint64_t at = 0; at < size; at += kPieceBytes) {
    pieces.push_back({at, std::min<std::uint64_t>(kPieceBytes, size - at)});
  }
  return pieces;
}

// Calls visit(offset, ours, theirs) for each piece, until it returns false.
template <class Visit>
Result<void> for_each_piece(const std::vector<ComparedPiece>& pieces, const BlockView& ours,
                            const BlockView& theirs, Visit visit) {
  std::vector<std::uint8_t> one(kPieceBytes), other(kPieceBytes);
  for (const auto& [at, count] : pieces) {
    const MutableBytes mine = MutableBytes(one).first(count);
    const MutableBytes yours = MutableBytes(other).first(count);
    TRY(ours.read(at, mine));
    TRY(theirs.read(at, yours));
    if (!visit(at, Bytes(mine), Bytes(yours))) return {};
  }
  return {};
}

// A copy in memory that another program can open.
Result<File> copy_of(const BlockView& view) {
  File copy = TRY(File::in_memory("powercut-state", view.size_bytes()));
  std::vector<std::uint8_t> piece(kPieceBytes);
  for (std::uint64_t at = 0; at < view.size_bytes(); at += kPieceBytes) {
    piece.resize(std::min<std::uint64_t>(kPieceBytes, view.size_bytes() - at));
    TRY(view.read(at, piece));
    if (!all_zero(piece)) TRY(copy.write_at(at, piece));
  }
  return copy;
}

}  // namespace

Result<void> DifferentialJudge::compare(const ExaminedState& state,
                                        std::vector<CheckFinding>& findings) {
  const BlockView& ours = *state.recovered;
  const Volume volume = TRY(Volume::open(ours));
  if (TRY(has_orphans(volume))) return {};
  const JournalMap journal = TRY(locate_journal_on(ours, volume, stage_.split()));
  const std::uint32_t block_bytes = volume.superblock().block_bytes();
  ++counts_.compared_count;
  const auto is_own = [&](std::uint64_t offset) {  // what a mount changes by itself
    const bool is_superblock =
        offset >= kSuperblockOffset && offset < kSuperblockOffset + kSuperblockBytes;
    return is_superblock || journal.log_block(BlockNo(offset / block_bytes)).has_value();
  };
  const OverlayDevice& theirs = stage_.left();
  const auto pieces = pieces_to_compare(state, theirs, block_bytes);
  return for_each_piece(pieces, ours, theirs, [&](std::uint64_t at, Bytes mine, Bytes yours) {
    if (std::ranges::equal(mine, yours)) return true;
    for (std::size_t i = 0; i < mine.size(); ++i) {
      if (mine[i] == yours[i] || is_own(at + i)) continue;
      findings.push_back(difference("recovered-otherwise",
                                    fmt::format("byte {} of the block: {:#04x} by our recovery, "
                                                "{:#04x} by the kernel's",
                                                (at + i) % block_bytes, mine[i], yours[i]),
                                    BlockNo((at + i) / block_bytes)));
      return false;
    }
    return true;
  });
}

Result<void> DifferentialJudge::ask_e2fsck(std::vector<CheckFinding>& findings) {
  const BlockView& left = stage_.left();
  const std::uint64_t second_at = stage_.split().second_at;
  const std::uint64_t first_bytes = second_at == 0 ? left.size_bytes() : second_at;
  const File copy = TRY(copy_of(WindowView(left, 0, first_bytes)));
  const File journal = TRY(copy_of(WindowView(left, first_bytes, left.size_bytes() - first_bytes)));
  ProcessOptions e2fsck;
  e2fsck.arguments = {"e2fsck", "-fn"};
  if (stage_.split().is_split()) {
    e2fsck.arguments.insert(e2fsck.arguments.end(),
                            {"-j", fmt::format("/proc/self/fd/{}", journal.fd())});
  }
  e2fsck.arguments.push_back(fmt::format("/proc/self/fd/{}", copy.fd()));
  e2fsck.environment = {{"LC_ALL", "C"}};
  e2fsck.inherited_fds = {copy.fd(), journal.fd()};
  const CommandOutcome outcome = TRY(run_command(e2fsck, options_.limit));
  ++counts_.check_count;
  if (outcome.status.code == kE2fsckClean) return {};
  findings.push_back(difference("e2fsck-objects", in_one_line(outcome.output)));
  return {};
}

Result<std::vector<CheckFinding>> DifferentialJudge::examine(const ExaminedState& state) {
  std::vector<CheckFinding> findings;
  const StateStage::Inside nothing = [](const std::filesystem::path&) { return Result<void>(); };
  const Visit visit = TRY(stage_.visit(state.crashed, {.is_read_only = true}, nothing));
  const bool we_mount = state.recovered != nullptr;
  if (!visit.is_mounted && !we_mount) {
    ++counts_.refusal_count;
    return findings;
  }
  if (!visit.is_mounted) {
    findings.push_back(
        difference("kernel-refuses", in_one_line(visit.refusal + ": " + visit.kernel_words)));
    return findings;
  }
  if (!we_mount) {
    findings.push_back(difference("kernel-mounts", "our recovery refuses this state"));
    return findings;
  }
  ++counts_.mount_count;
  TRY(compare(state, findings));
  if (!options_.asks_e2fsck) return findings;
  // For writing: then orphans are cleaned up and the counts of the superblock written.
  TRY(stage_.visit(state.crashed, {}, nothing));
  TRY(ask_e2fsck(findings));
  return findings;
}

}  // namespace powercut::lab
