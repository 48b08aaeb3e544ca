// What `powercut journal verify` and `replay` print.
#include <fmt/format.h>

#include "lab/report/journal_text.h"
#include "lab/report/name_text.h"
#include "lab/report/text.h"

namespace powercut::lab {
namespace {

std::string finding_line(const CheckedFinding& checked) {
  std::string text = "  " + printable(checked.finding.describe());
  if (checked.revoked_by) {
    text += fmt::format("; revoked by tid {}, so a recovery does not look at it",
                        checked.revoked_by->value());
  }
  if (checked.is_accepted) text += "; torn behind its header, which the recovery accepts";
  const bool is_live =
      checked.standing == Standing::kLive || checked.standing == Standing::kDamaged;
  if (!is_live) text += fmt::format("; {}", standing_name(checked.standing));
  return text + "\n";
}

std::string compared_text(const JournalCheck& check) {
  if (check.checksum == ChecksumKind::kNone) return "this journal has no checksums";
  return fmt::format("{} compared with a checksum", grouped(check.verified_count));
}

std::string mode_text(const ReplayOutcome& outcome) {
  switch (outcome.options.mode) {
    case ReplayMode::kDryRun: return "dry run: nothing is written";
    case ReplayMode::kInPlace: return "in place";
    case ReplayMode::kCopy: return "into " + printable(outcome.options.output.string());
  }
  return "?";
}

std::string counts_lines(const ReplayOutcome& outcome) {
  const RecoveryPlan& plan = outcome.plan;
  const bool is_dry = outcome.options.mode == ReplayMode::kDryRun;
  std::string text = fmt::format("  {}     {} of {}", is_dry ? "replays " : "replayed",
                                 plural(plan.replay_count, "block", "blocks"),
                                 plural(plan.transactions.size(), "transaction", "transactions"));
  if (!plan.transactions.empty()) {
    text += fmt::format(" (tids {} to {})", plan.transactions.front().tid.value(),
                        plan.transactions.back().tid.value());
  }
  if (outcome.superseded_count != 0) {
    text += fmt::format(", {} of them superseded by later ones", grouped(outcome.superseded_count));
  }
  text += fmt::format("\n  revoked      {}\n  skipped      {}\n",
                      plural(plan.revoked_count, "block", "blocks"),
                      plural(plan.skipped_count, "damaged block", "damaged blocks"));
  std::uint64_t not_reached = 0;
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) {
      not_reached += block.verdict == BlockVerdict::kNotReached ? 1 : 0;
    }
  }
  if (not_reached != 0) {
    text += fmt::format(
        "  not reached  {}: a damaged descriptor or revoke block stops it before\n"
        "               it replays anything\n",
        plural(not_reached, "sound block", "sound blocks"));
  }
  return text;
}

std::string end_lines(const ReplayOutcome& outcome) {
  const RecoveryPlan& plan = outcome.plan;
  const std::string_view is = outcome.options.mode == ReplayMode::kDryRun ? "would be" : "is";
  if (plan.end == RecoveryEnd::kNothingToDo) {
    return fmt::format("  end          the log was empty; needs_recovery {} cleared\n", is);
  }
  if (plan.end == RecoveryEnd::kClean && plan.damages.empty()) {
    return fmt::format("  end          clean: the log {0} emptied, needs_recovery {0} cleared\n",
                       is);
  }
  if (plan.end == RecoveryEnd::kClean) {
    return "  end          clean by these rules, and yet damaged: what follows the damaged commit\n"
           "               block is lost\n";
  }
  if (plan.empties_log) {
    return fmt::format(
        "  end          DAMAGED: the log {0} emptied all the same, and the file system {0} marked\n"
        "               as in need of a check: then run e2fsck -f on it\n",
        is);
  }
  return fmt::format(
      "  end          REFUSED, as Linux does: {}, the log stays, and it\n"
      "               does not mount.  --recover-as e2fsck empties the log; then e2fsck -f is "
      "needed\n",
      plan.replay_count == 0 ? "nothing is replayed"
                             : fmt::format("each sound block {} written home", is));
}

}  // namespace

std::string check_text(const JournalCheck& check, const std::string& repeat_command) {
  const std::string image = printable(check.image.path.string());
  std::string text;
  for (const CheckedFinding& finding : check.findings) text += finding_line(finding);
  text += fmt::format("{}: {}", image, plural(check.live_count, "transaction", "transactions"));
  if (check.old_count != 0) text += fmt::format(" and {} old", grouped(check.old_count));
  text += fmt::format(
      ", {}, {}: {}\n", plural(check.block_count, "block", "blocks"), compared_text(check),
      check.findings.empty() ? "no damage"
                             : plural(check.findings.size(), "DAMAGED block", "DAMAGED blocks"));
  if (!check.is_dirty) {
    text += "  needs_recovery is clear: Linux discards what is in this log\n";
  }
  if (check.not_identified_count != 0) {
    text += fmt::format("  {} of them not told in full (--limit)\n",
                        grouped(check.not_identified_count));
  }
  if (check.not_reached_count != 0) {
    text += fmt::format("  {} behind the damage, which a recovery does not reach: --old\n",
                        plural(check.not_reached_count, "transaction", "transactions"));
  }
  if (!check.findings.empty()) text += fmt::format("  again: {}\n", repeat_command);
  return text;
}

std::string replay_text(const ReplayOutcome& outcome, const std::string& repeat_command) {
  std::string text = fmt::format("replay of {} ({})\n", printable(outcome.image.path.string()),
                                 mode_text(outcome));
  if (!outcome.is_dirty) {
    text += "  nothing to replay: needs_recovery is clear, so Linux discards what is in the log\n";
  } else {
    const RecoveryPlan& plan = outcome.plan;
    text += fmt::format("  rules        {}\n", recover_as_name(plan.recover_as));
    if (plan.end != RecoveryEnd::kNothingToDo) {
      text += fmt::format(
          "  log          journal block {} (tid {}) to {}, where tid {} is due: {}\n",
          plan.superblock.start.value(), plan.superblock.sequence.value(), plan.end_block.value(),
          plan.next_tid.value(), recovery_rule_name(plan.end_rule));
      text += counts_lines(outcome);
    }
    for (const CheckedFinding& finding : outcome.findings) text += finding_line(finding);
    text += end_lines(outcome);
  }
  if (outcome.options.mode == ReplayMode::kCopy) {
    text += fmt::format("  written      {}\n", printable(outcome.options.output.string()));
    if (!outcome.journal_output.empty()) {
      text += fmt::format("               {}\n", printable(outcome.journal_output.string()));
    }
  } else if (outcome.options.mode == ReplayMode::kDryRun) {
    text += fmt::format("  to write     {} --output COPY (or --in-place)\n", repeat_command);
  }
  if (outcome.is_damaged()) text += fmt::format("  again        {}\n", repeat_command);
  return text;
}

}  // namespace powercut::lab
