#include "tests/logs/hearing.h"

#include <cstdio>
#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>

#include "format/ext4.h"
#include "tests/logs/known_differences.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::testing {
namespace {

constexpr std::uint64_t kSecondEvery = 4;

// Keeps the image of a failure in $TMPDIR, once for each log; returns its path.
std::string keep(const LogImage& log) {
  std::string file = log.name;
  for (char& each : file) each = each == '/' || each == ' ' ? '_' : each;
  const auto folder = std::filesystem::temp_directory_path() / "powercut-logs";
  std::filesystem::create_directories(folder);
  const std::string path = (folder / (file + ".img")).string();
  if (!std::filesystem::exists(path)) write_whole(path, log.bytes);
  return path;
}

// Whether a view of the plan reads as what was written by it: each home block.
bool shows_the_same(const RecoveredView& view, const OurRecovery& ours, const LogImage& log) {
  const std::size_t size = log.map.block_bytes();
  Contents block(size);
  for (const LoggedTransaction& transaction : ours.plan->transactions) {
    for (const LoggedBlock& logged : transaction.blocks) {
      const std::uint64_t at = logged.home.value() * size;
      const bool is_marked = at <= kSuperblockOffset && kSuperblockOffset < at + size;
      if (logged.verdict != BlockVerdict::kReplay || is_marked) continue;
      CHECK(view.read(at, block), "memory can be read");
      if (std::memcmp(block.data(), &ours.bytes[at], size) != 0) return false;
    }
  }
  return true;
}

}  // namespace

Hearing::Hearing() {
  if (find_tool("debugfs")) witnesses_.push_back(make_debugfs_witness());
  if (find_tool("e2fsck")) witnesses_.push_back(make_e2fsck_witness());
  if (!no_loop_mounts().empty()) return;
  witnesses_.push_back(make_kernel_witness(MountKind::kReadOnly));
  witnesses_.push_back(make_kernel_witness(MountKind::kReadWrite));
}

Hearing::~Hearing() {
  const Figures& all = figures_;
  std::printf(
      "%llu logs: %llu transactions, blocks: %llu replayed, %llu revoked, %llu damaged, %llu "
      "escaped; %llu logs refused, %llu unreadable, %llu wrapped\n",
      static_cast<unsigned long long>(all.logs), static_cast<unsigned long long>(all.transactions),
      static_cast<unsigned long long>(all.replayed), static_cast<unsigned long long>(all.revoked),
      static_cast<unsigned long long>(all.skipped), static_cast<unsigned long long>(all.escaped),
      static_cast<unsigned long long>(all.refused), static_cast<unsigned long long>(all.unreadable),
      static_cast<unsigned long long>(all.wrapped));
  for (const auto& [name, count] : heard_) {
    std::printf("  %-12s compared with %llu\n", name.c_str(),
                static_cast<unsigned long long>(count));
  }
  for (const auto& [name, count] : known_) {
    std::printf("  known difference, %s: %llu times\n", name.c_str(),
                static_cast<unsigned long long>(count));
  }
}

void Hearing::hear(const LogImage& log) {
  std::map<RecoverAs, OurRecovery> by_rules;
  const auto ours_by = [&](RecoverAs rules) -> const OurRecovery& {
    const auto found = by_rules.find(rules);
    if (found != by_rules.end()) return found->second;
    return by_rules.emplace(rules, recover_ours(log, rules)).first->second;
  };
  for (const auto& witness : witnesses_) {
    if (witness->is_second() && figures_.logs % kSecondEvery != 0) continue;
    const OurRecovery& ours = ours_by(witness->rules());
    Comparison comparison = compare(log, *witness, ours);
    // Another process's mount may have spoken in between; what is really so is so again.
    if (!comparison.differences.empty()) comparison = compare(log, *witness, ours);
    ++heard_[witness->name()];
    report(log, *witness, ours, comparison);
  }
  count(log, ours_by(RecoverAs::kLinux));
}

void Hearing::count(const LogImage& log, const OurRecovery& ours) {
  ++figures_.logs;
  figures_.refused += ours.is_refused ? 1 : 0;
  if (!ours.plan) {
    ++figures_.unreadable;
    return;
  }
  const RecoveryPlan& plan = *ours.plan;
  EXPECT_TRUE(shows_the_same(RecoveredView(BytesView(log.bytes), log.map, plan), ours, log))
      << log.name << "\n  again: " << command_for(log.name);
  figures_.transactions += plan.transactions.size();
  figures_.replayed += plan.replay_count;
  figures_.revoked += plan.revoked_count;
  figures_.skipped += plan.skipped_count;
  figures_.wrapped += plan.end_block < plan.superblock.start ? 1 : 0;
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) figures_.escaped += block.is_escaped;
  }
}

void Hearing::report(const LogImage& log, Witness& witness, const OurRecovery& ours,
                     const Comparison& comparison) {
  const KnownDifference* known = known_difference(log, ours, witness);
  if (known != nullptr) ++known_[std::string(known->name) + ", " + witness.name()];
  std::string text;
  for (const Difference& difference : comparison.differences) {
    if (known != nullptr && known->excused.contains(difference.aspect)) continue;
    text += "  " + difference.text + "\n";
  }
  if (text.empty()) return;
  ADD_FAILURE() << log.name << ", " << witness.name() << ":\n"
                << text << "  we said: " << ours.said << "\n  they said: " << comparison.theirs.said
                << "\n  kept: " << keep(log) << "\n  again: " << command_for(log.name);
}

}  // namespace powercut::testing
