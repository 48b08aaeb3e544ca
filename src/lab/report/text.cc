#include "lab/report/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "host/running.h"

namespace powercut::lab {
namespace {

std::string_view accelerator_name(Accelerator accelerator) {
  switch (accelerator) {
    case Accelerator::kAuto: return "KVM if guests start, else TCG";
    case Accelerator::kTcg: return "TCG";
    case Accelerator::kKvm: return "KVM";
  }
  return "?";
}

std::string kernel_lines(const KernelImage& kernel) {
  std::string text = fmt::format("  kernel    {}", kernel.release);
  if (!kernel.package.empty()) text += fmt::format("  ({} {})", kernel.package, kernel.version);
  return text + fmt::format("\n            sha256 {}\n", kernel.sha256);
}

std::string version_word(const RecoveryPlan& plan) {
  switch (plan.end) {
    case RecoveryEnd::kNothingToDo: return "nothing to recover";
    case RecoveryEnd::kClean: return "recovers cleanly";
    case RecoveryEnd::kRefused: return "refuses this image";
  }
  return "?";
}

std::string joined(const std::vector<BlockNo>& blocks) {
  std::vector<std::uint64_t> numbers;
  for (const BlockNo block : blocks) numbers.push_back(block.value());
  return fmt::format("{}", fmt::join(numbers, ", "));
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string plural(std::uint64_t count, std::string_view one, std::string_view many) {
  return grouped(count) + " " + std::string(count == 1 ? one : many);
}

std::string error_text(const Error& error) {
  return fmt::format("{}: {}\n", errc_name(error.code), error_words(error));
}

std::string run_header_text(const RunOptions& options, const std::string& title) {
  std::string text = title + "\n" + kernel_lines(options.kernel);
  text += fmt::format("  machine   QEMU ({}), {}, {} MiB of memory\n",
                      accelerator_name(options.accelerator),
                      plural(options.cpus, "processor", "processors"), options.memory_mib);
  text += fmt::format("  disk      {:.0f} MiB, ext4 with {} MiB of journal, mounted {}",
                      static_cast<double>(options.disk_bytes) / kMib, options.journal_mib,
                      options.mount_options);
  if (options.throttle_iops != 0) text += fmt::format(", {} writes/s", options.throttle_iops);
  text += "\n";
  for (const auto& command : options.commands) {
    text += fmt::format("  load      {}\n", fmt::join(command, " "));
  }
  if (!options.append.empty()) {
    text += fmt::format("  append    {}\n", fmt::join(options.append, " "));
  }
  for (const KernelSetting& setting : options.settings) {
    text += fmt::format("  setting   {} = {}\n", setting.name, setting.value);
  }
  return text;
}

std::string host_run_header_text(const HostRunOptions& options, const std::string& title) {
  std::string text =
      fmt::format("{}\n  kernel    {}, the one that runs here\n", title, kernel_release());
  text += fmt::format("  disk      {:.0f} MiB, through FUSE and a loop device",
                      static_cast<double>(options.disk_bytes) / kMib);
  if (options.hands_over_device) {
    text += ", empty: $POWERCUT_DEVICE";
  } else {
    text += fmt::format("; ext4 with {} MiB of journal{}, mounted {}", options.journal_mib,
                        options.has_external_journal ? " on a device of its own" : "",
                        options.mount_options.empty() ? "by default" : options.mount_options);
  }
  const double delay_us = 1e6 * seconds_of(options.write_delay);
  if (delay_us > 0) text += fmt::format(", writes take {:.0f} us", delay_us);
  return text + fmt::format("\n  load      {}\n", fmt::join(options.command, " "));
}

std::string progress_text(const RunProgress& progress) {
  const JudgeCounters& counters = progress.disk->counters;
  std::string text = fmt::format(
      "  {:6.1f} s {:8}  commits {}  blocks checked {}  mismatches {}  journal {:.0f} MiB",
      progress.phase_seconds, progress.phase, grouped(counters.commit_count),
      grouped(counters.verified_count), grouped(counters.finding_count),
      static_cast<double>(counters.journal_bytes) / kMib);
  if (progress.explored) {
    text += fmt::format("  crash points {} of {}", grouped(progress.explored->first),
                        grouped(progress.explored->second));
  }
  return text;
}

std::string finding_text(const Finding& finding) {
  return fmt::format("  [{:8.3f} s, commit {}] {}\n", seconds_of(finding.when),
                     grouped(finding.commit_number), finding.describe());
}

std::string witness_text(std::string_view witness) {
  std::string text;
  while (!witness.empty()) {
    const std::string_view line = witness.substr(0, witness.find('\n'));
    witness.remove_prefix(std::min(line.size() + 1, witness.size()));
    text += fmt::format("              {}\n", line);
  }
  return text;
}

std::string run_text(const RunOutcome& run) {
  const JudgeCounters& counters = run.disk.counters;
  std::string text =
      fmt::format("  ended     {} after {:.1f} s", ending_name(run.ending), run.seconds);
  if (run.accelerator) text += fmt::format(" ({})", accelerator_name(*run.accelerator));
  if (!run.trouble.empty()) text += ": " + run.trouble;
  text += "\n";
  if (!run.accelerator_reason.empty()) text += "            KVM: " + run.accelerator_reason + "\n";
  if (run.load_started) {
    text += fmt::format("  times     mounted {:.1f} s, load {:.1f} s\n", run.mounted.value_or(0),
                        run.load_seconds());
  }
  if (!run.disk.trouble.empty()) text += "  journal   not checked: " + run.disk.trouble + "\n";
  text += fmt::format("  commits   {} seen, {} passed (tids {} to {}){}\n",
                      grouped(counters.commit_count), grouped(counters.tid_count),
                      counters.first_tid.value(), counters.last_tid.value(),
                      run.has_all_commits() ? ": complete" : ": COMMITS ARE MISSING");
  text += fmt::format("  blocks    {} logged, {} checked ({} escaped, {} revoked)\n",
                      grouped(counters.block_count), grouped(counters.verified_count),
                      grouped(counters.escaped_count), grouped(counters.revoke_count));
  text += fmt::format("  mismatch  {} in {}", plural(counters.finding_count, "block", "blocks"),
                      plural(counters.bad_transaction_count, "transaction", "transactions"));
  if (const auto first = run.first_finding_seconds()) {
    text += fmt::format(", the first {:.2f} s after the load began", *first);
  }
  text += "\n";
  if (run.disk.dropped_count != 0) {
    text += fmt::format("            {} of them not told in full\n", run.disk.dropped_count);
  }
  text += fmt::format("  check     {:.2f} s of processor time, {:.2f} % of the run's {:.1f} s\n",
                      seconds_of(counters.judge_time), 100 * run.check_share(),
                      run.guest_cpu_seconds + run.disk.cpu_seconds);
  if (run.disk.failed_count != 0) {
    text += fmt::format("  disk      {} failed, the first: {}\n",
                        plural(run.disk.failed_count, "request", "requests"), run.disk.failure);
  }
  if (run.disk.folded_events != 0) {
    text += fmt::format("  recording {} events folded into its base, to keep its limit\n",
                        grouped(run.disk.folded_events));
  }
  if (!run.disk.record_trouble.empty()) text += "  recording " + run.disk.record_trouble + "\n";
  if (!run.kept.path.empty()) text += "  image     " + run.kept.path + "\n";
  if (!run.kept.why_not.empty()) text += "  image     not kept: " + run.kept.why_not + "\n";
  return text;
}

namespace {

std::string explored_text(const HuntCounts& counts) {
  std::string text = fmt::format(
      "  cuts      {} recovered states judged in {}, {} bad in {}\n", grouped(counts.judged_count),
      plural(counts.explored_run_count, "run", "runs"), grouped(counts.bad_state_count),
      plural(counts.explored_bad_run_count, "run", "runs"));
  if (counts.explored_bad_run_count == 0) {
    return text + fmt::format(
                      "            with 95 % confidence fewer than {:.2g} % of such runs "
                      "have one that is found so\n",
                      100 * counts.explored_clean_bound);
  }
  return text +
         fmt::format("            95 %: {:.3g} to {:.3g} % of runs have one (unit: the run)\n",
                     100 * counts.explored_bad_share.low, 100 * counts.explored_bad_share.high);
}

}  // namespace

std::string counts_text(std::span<const RunOutcome> runs) {
  const HuntCounts counts = count(runs);
  std::string text = fmt::format(
      "  in all    {}, {} with a mismatch; {} commits, {} blocks checked, {} mismatches, {:.0f} s "
      "of load\n",
      plural(counts.run_count, "run", "runs"), grouped(counts.bad_run_count),
      grouped(counts.commit_count), grouped(counts.verified_count), grouped(counts.finding_count),
      counts.load_seconds);
  if (counts.incomplete_count != 0) {
    text += fmt::format("            {} incomplete and not counted\n",
                        plural(counts.incomplete_count, "run", "runs"));
  }
  if (counts.run_count == 0) return text + "  rate      unknown: no run was completed\n";
  const double share =
      static_cast<double>(counts.bad_run_count) / static_cast<double>(counts.run_count);
  if (counts.bad_run_count == 0) {
    text += fmt::format(
        "  rate      no run of {} had a mismatch: with 95 % confidence fewer than {:.2g} % of\n"
        "            such runs have one (unit: the run; {} clean runs would say < 1 %)\n",
        counts.run_count, 100 * counts.clean_bound, clean_runs_needed(0.01));
  } else {
    text += fmt::format(
        "  rate      {:.3g} % of runs have a mismatch (95 %: {:.3g} to {:.3g} %; unit: the run)\n",
        100 * share, 100 * counts.bad_run_share.low, 100 * counts.bad_run_share.high);
    text += fmt::format(
        "            one mismatch in {:.0f} commits (they cluster: no interval is given)\n",
        static_cast<double>(counts.commit_count) / static_cast<double>(counts.finding_count));
  }
  if (counts.explored_run_count != 0) text += explored_text(counts);
  if (counts.position_known_count != 0) {
    text += fmt::format(
        "  position  {} of {} were the last block of their transaction, {} among its last five\n",
        grouped(counts.last_block_count), grouped(counts.position_known_count),
        grouped(counts.last_five_count));
  }
  const ReplayableTimes times = replayable_times(runs);
  if (times.known_count != 0) {
    text += fmt::format(
        "  exposure  a bad transaction stayed replayable {:.2f} to {:.2f} s (median {:.2f} s, {} "
        "known)\n",
        times.shortest, times.longest, times.median, times.known_count);
  }
  return text;
}

std::string verification_text(const std::string& name, const Verification& verification) {
  constexpr std::size_t kShown = 20;
  const JudgeCounters& counters = verification.counters;
  std::string text = fmt::format("verify {}\n", name);
  if (verification.is_cut) text += "  recording ends in a broken part, which was left out\n";
  if (!verification.trouble.empty())
    text += "  journal   not checked: " + verification.trouble + "\n";
  for (std::size_t i = 0; i < verification.findings.size() && i < kShown; ++i) {
    text += finding_text(verification.findings[i]);
  }
  text += fmt::format("  commits   {} seen, {} passed (tids {} to {})\n",
                      grouped(counters.commit_count), grouped(counters.tid_count),
                      counters.first_tid.value(), counters.last_tid.value());
  text += fmt::format("  blocks    {} logged, {} checked ({} escaped, {} revoked)\n",
                      grouped(counters.block_count), grouped(counters.verified_count),
                      grouped(counters.escaped_count), grouped(counters.revoke_count));
  text += fmt::format("  mismatch  {} in {}\n", plural(counters.finding_count, "block", "blocks"),
                      plural(counters.bad_transaction_count, "transaction", "transactions"));
  return text;
}

std::string proof_text(const Proof& proof, const ImageNote* note) {
  std::string text = fmt::format("prove {}\n", proof.image.string());
  if (note != nullptr && note->finding) {
    text += "  named     when it was written: file-system block " +
            std::to_string(note->finding->home.value()) + " in journal block " +
            std::to_string(note->finding->log_block.value()) + "\n";
  }
  text += fmt::format(
      "  ours      {}, by the rules of {}: {} transactions whole, {} blocks to replay, {} revoked, "
      "{} "
      "damaged\n",
      version_word(proof.plan), recover_as_name(proof.plan.recover_as),
      grouped(proof.plan.transactions.size()), grouped(proof.plan.replay_count),
      grouped(proof.plan.revoked_count), grouped(proof.plan.damages.size()));
  for (std::size_t i = 0; i < proof.plan.damages.size(); ++i) {
    const Damage& damage = proof.plan.damages[i];
    text += fmt::format(
        "            {}: tid {} journal block {} file-system block {} (stored 0x{:08x}, calc "
        "0x{:08x}){}\n",
        recovery_rule_name(damage.rule), damage.tid.value(), damage.log_block.value(),
        damage.home.value(), damage.stored, damage.computed,
        proof.owners[i].empty() ? "" : " = " + proof.owners[i]);
  }
  if (proof.e2fsck) {
    text += fmt::format("  e2fsck    exit {}; it says of the journal:\n", proof.e2fsck->exit_code);
    for (const std::string& line : proof.e2fsck->lines) text += "            " + line + "\n";
  } else {
    text += "  e2fsck    not asked: " + proof.e2fsck_trouble + "\n";
  }
  if (!proof.kernel) return text + "  Linux     not asked (--kernel SPEC)\n";
  const KernelOpinion& kernel = *proof.kernel;
  text += fmt::format("  Linux     {} {}\n", kernel.kernel.release,
                      kernel.has_mounted   ? "mounts it"
                      : kernel.has_refused ? "REFUSES to mount it: " + kernel.refusal
                                           : "could not be asked: " + kernel.trouble);
  for (const std::string& line : kernel.lines) text += "            " + line + "\n";
  const auto ours = proof.damaged_blocks();
  if (kernel.has_refused) {
    text += fmt::format("  blocks    named by the check: {}; by the kernel's recovery: {}: {}\n",
                        joined(ours), joined(kernel.damaged),
                        ours == kernel.damaged ? "the same" : "NOT THE SAME");
  }
  return text;
}

}  // namespace powercut::lab
