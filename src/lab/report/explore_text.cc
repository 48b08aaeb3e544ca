#include "lab/report/explore_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "lab/report/text.h"

namespace powercut::lab {
namespace {

constexpr std::size_t kTagFindingsShown = 20;

std::string power_of_two(double log2_states) {
  if (log2_states < 40) {
    return grouped(static_cast<std::uint64_t>(std::exp2(log2_states) + 0.5));
  }
  return fmt::format("2^{:.0f}", log2_states);
}

double rate(const ExplorerCounts& counts, std::uint64_t count) {
  return counts.seconds > 0 ? static_cast<double>(count) / counts.seconds : 0;
}

std::string finding_lines(const GroupedFinding& group, const std::string& repeat) {
  const CheckFinding& finding = group.finding;
  std::string text = fmt::format("  FINDING   {}: {}: {}\n", judge_name(finding.judge),
                                 finding.rule, finding.words);
  if (group.state_count > 1) {
    text +=
        fmt::format("            in {} states; the first of them:\n", grouped(group.state_count));
  }
  return text + fmt::format("            {} {}\n", repeat, state_words(group.first));
}

// The first of each rule, and how many more there are.
std::string stream_lines(std::span<const CheckFinding> findings) {
  std::map<std::string_view, std::uint64_t> counts;  // by rule
  for (const CheckFinding& finding : findings) ++counts[finding.rule];
  std::string text;
  for (const CheckFinding& finding : findings) {
    const auto known = counts.find(finding.rule);
    if (known == counts.end()) continue;
    text += fmt::format("  FINDING   {}: {}: {}\n", judge_name(finding.judge), finding.rule,
                        finding.words);
    if (known->second > 1) {
      text += fmt::format("            and {} more of that rule (powercut verify shows them)\n",
                          grouped(known->second - 1));
    }
    counts.erase(known);
  }
  return text;
}

std::string count_lines(const ExplorerCounts& counts) {
  std::string text =
      fmt::format("  points    {} crash points, {} explored, {} of them completely\n",
                  grouped(counts.crash_points), grouped(counts.explored), grouped(counts.whole));
  text += fmt::format("  states    {} in all; the crash point with most has {}\n",
                      power_of_two(counts.log2_states), power_of_two(counts.log2_states_max));
  text += fmt::format(
      "  explored  {} walked: {} distinct, {} distinct when recovered, {} judged, {} bad\n",
      grouped(counts.walked), grouped(counts.distinct), grouped(counts.recovered),
      grouped(counts.judged), grouped(counts.bad));
  text += fmt::format(
      "  speed     {:.2f} s: {} judged, {} distinct states a second; {} runs of the log, {} "
      "outcomes\n",
      counts.seconds, grouped(static_cast<std::uint64_t>(rate(counts, counts.judged))),
      grouped(static_cast<std::uint64_t>(rate(counts, counts.distinct))), grouped(counts.runs),
      grouped(counts.outcomes));
  return text + fmt::format(
                    "  checked   {} states recovered the slow way too, {} second power cuts in "
                    "recoveries: no difference\n",
                    grouped(counts.compared), grouped(counts.second_cuts));
}

std::string examined_lines(const ExploreResult& result) {
  const ExplorerCounts& counts = result.counts;
  if (counts.examined == 0) return "";
  std::string text = fmt::format("  examined  {} states on their own, {:.1f} s",
                                 grouped(counts.examined), counts.examine_seconds);
  if (result.differential) {
    text += fmt::format(
        "; the kernel mounts {}, refuses {}, {} compared block by block, {} given to e2fsck -fn",
        grouped(result.differential->mount_count), grouped(result.differential->refusal_count),
        grouped(result.differential->compared_count), grouped(result.differential->check_count));
  }
  return text + "\n";
}

}  // namespace

std::string state_words(const StateId& state) {
  return fmt::format("--crash {} --keep {}", state.crash_point, state.writes);
}

std::string explore_progress_text(const ExplorerCounts& counts) {
  return fmt::format("{} of {} crash points, {} states judged, {} bad", grouped(counts.explored),
                     grouped(counts.crash_points), grouped(counts.judged), grouped(counts.bad));
}

std::string exploration_lines(const ExploreResult& result, const std::string& repeat) {
  std::string text;
  text += stream_lines(result.stream_findings);
  for (const GroupedFinding& group : result.findings) text += finding_lines(group, repeat);
  if (result.left_out_events != 0) {
    text += fmt::format(
        "  left out  the oldest {} events of the recording: with them it is larger than a quarter "
        "of "
        "the memory\n",
        grouped(result.left_out_events));
  }
  if (result.counts.crash_points != 0) text += count_lines(result.counts);
  text += examined_lines(result);
  if (result.counts.crash_points != 0) return text;
  return text + fmt::format("  state     {}\n", result.has_findings() ? "bad" : "good");
}

std::string bad_state_text(const GroupedFinding& group) {
  return fmt::format("  [a power cut] {}: {}: {} ({})\n", judge_name(group.finding.judge),
                     group.finding.rule, group.finding.words, state_words(group.first));
}

std::string online_lines(const OnlineResult& result, const std::string& repeat) {
  const ExplorerCounts& counts = result.counts;
  std::string text;
  for (const GroupedFinding& group : result.findings) text += finding_lines(group, repeat);
  const double share = counts.crash_points == 0 ? 0
                                                : 100 * static_cast<double>(counts.explored) /
                                                      static_cast<double>(counts.crash_points);
  text += fmt::format(
      "  meanwhile {} of about {} crash points explored while the load ran ({:.1f} %), {} of them "
      "completely, in {} windows\n",
      grouped(counts.explored), grouped(counts.crash_points), std::min(share, 100.0),
      grouped(counts.whole), grouped(result.windows));
  text += fmt::format("            {} states walked, {} judged, {} bad\n", grouped(counts.walked),
                      grouped(counts.judged), grouped(counts.bad));
  if (!result.trouble.empty()) text += "            it ended early: " + result.trouble + "\n";
  return text;
}

std::string exploration_text(const std::string& name, const ExploreResult& result,
                             const std::string& repeat) {
  std::string text = fmt::format("explore {}\n", name);
  if (result.is_cut) text += "  recording ends in a broken part, which was left out\n";
  if (result.tag) {
    for (std::size_t i = 0; i < result.tag->findings.size() && i < kTagFindingsShown; ++i) {
      text += finding_text(result.tag->findings[i]);
    }
    text += fmt::format("  commits   {} seen, {} blocks checked, {} do not match\n",
                        grouped(result.tag->counters.commit_count),
                        grouped(result.tag->counters.verified_count),
                        grouped(result.tag->counters.finding_count));
  }
  return text + exploration_lines(result, repeat);
}

}  // namespace powercut::lab
