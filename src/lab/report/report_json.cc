#include "lab/report/report_json.h"

#include "lab/verify/json_form.h"

#include "lab/report/check_json.h"
#include "lab/report/explore_text.h"
#include "lab/verify/finding_json.h"

namespace powercut::lab {
namespace {

Json optional_number(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

Json findings_json(std::span<const Finding> findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) list.push_back(json_of_line(finding_to_json(finding)));
  return list;
}

Json kernel_json(const KernelImage& kernel) {
  return {{"name", kernel.name},
          {"release", kernel.release},
          {"package", kernel.package},
          {"version", kernel.version},
          {"sha256", kernel.sha256}};
}

Json accelerator_json(const std::optional<Accelerator>& accelerator) {
  if (!accelerator) return nullptr;  // the running kernel
  return *accelerator == Accelerator::kKvm ? "kvm" : "tcg";
}

Json run_json(const RunOutcome& run) {
  return {{"kernel", kernel_json(run.kernel)},
          {"accelerator", accelerator_json(run.accelerator)},
          {"ending", ending_name(run.ending)},
          {"complete", run.is_whole()},
          {"trouble", run.trouble},
          {"seconds", run.seconds},
          {"booted", optional_number(run.booted)},
          {"mounted", optional_number(run.mounted)},
          {"load_started", optional_number(run.load_started)},
          {"load_seconds", run.load_seconds()},
          {"first_finding_seconds", optional_number(run.first_finding_seconds())},
          {"all_commits_seen", run.has_all_commits()},
          {"counters", json_of_line(counters_to_json(run.disk.counters))},
          {"journal_trouble", run.disk.trouble},
          {"check_share", run.check_share()},
          {"guest_cpu_seconds", run.guest_cpu_seconds},
          {"disk_cpu_seconds", run.disk.cpu_seconds},
          {"disk_words", run.disk_words},
          {"kept_image", run.kept.path},
          {"not_kept", run.kept.why_not},
          {"record_trouble", run.disk.record_trouble},
          {"record_folded_events", run.disk.folded_events},
          {"findings_dropped", run.disk.dropped_count},
          {"recording", run.recording.string()},
          {"online_exploration",
           run.online ? json_of_line(online_json(*run.online, run.explore_again)) : Json(nullptr)},
          {"exploration", run.explored
                              ? json_of_line(exploration_json(*run.explored, run.explore_again))
                              : Json(nullptr)},
          {"not_explored", run.not_explored},
          {"load_output", run.load_output},
          {"findings", findings_json(run.findings)},
          {"witnesses", run.witnesses}};
}

Json blocks_json(const std::vector<BlockNo>& blocks) {
  Json list = Json::array();
  for (const BlockNo block : blocks) list.push_back(block.value());
  return list;
}

}  // namespace

std::string runs_json(std::span<const RunOutcome> runs, const std::string& repeat_command) {
  const HuntCounts counts = count(runs);
  Json json = {
      {"repeat", repeat_command},
      {"runs", counts.run_count},
      {"bad_runs", counts.bad_run_count},
      {"incomplete_runs", counts.incomplete_count},
      {"commits", counts.commit_count},
      {"blocks", counts.block_count},
      {"verified", counts.verified_count},
      {"mismatches", counts.finding_count},
      {"bad_run_share_low", counts.bad_run_share.low},
      {"bad_run_share_high", counts.bad_run_share.high},
      {"clean_bound", counts.bad_run_count == 0 ? Json(counts.clean_bound) : Json(nullptr)},
      {"explored_runs", counts.explored_run_count},
      {"explored_bad_runs", counts.explored_bad_run_count},
      {"states_judged", counts.judged_count},
      {"states_bad", counts.bad_state_count}};
  Json list = Json::array();
  for (const RunOutcome& run : runs) list.push_back(run_json(run));
  json["run_list"] = std::move(list);
  return json_document(json);
}

std::string proof_json(const Proof& proof) {
  Json json = {{"image", proof.image.string()},
               {"rules", recover_as_name(proof.plan.recover_as)},
               {"refused_by_us", proof.plan.end == RecoveryEnd::kRefused},
               {"damage_seen_by_us", proof.is_damaged()},
               {"transactions", proof.plan.transactions.size()},
               {"replayed", proof.plan.replay_count},
               {"revoked", proof.plan.revoked_count},
               {"damaged_blocks", blocks_json(proof.damaged_blocks())}};
  if (proof.e2fsck) {
    json["e2fsck"] = {{"exit_code", proof.e2fsck->exit_code},
                      {"damaged_blocks", blocks_json(proof.e2fsck->damaged)},
                      {"lines", proof.e2fsck->lines}};
  }
  if (proof.kernel) {
    json["linux"] = {{"kernel", kernel_json(proof.kernel->kernel)},
                     {"mounts", proof.kernel->has_mounted},
                     {"refuses", proof.kernel->has_refused},
                     {"refusal", proof.kernel->refusal},
                     {"trouble", proof.kernel->trouble},
                     {"damaged_blocks", blocks_json(proof.kernel->damaged)},
                     {"lines", proof.kernel->lines}};
  }
  return json_document(json);
}

std::string verification_json(const VerifiedStream& verified) {
  Json json = Json::object();
  if (verified.tag != nullptr) {
    json["counters"] = json_of_line(counters_to_json(verified.tag->counters));
    json["trouble"] = verified.tag->trouble;
    json["findings"] = findings_json(verified.tag->findings);
  }
  json["order"] =
      verified.order == nullptr ? Json(nullptr) : json_of_line(order_to_json(*verified.order));
  json["causes"] = json_of_line(causes_to_json(verified.causes));
  return json_document(json);
}

}  // namespace powercut::lab
