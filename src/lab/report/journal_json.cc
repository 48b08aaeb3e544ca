#include "lab/report/journal_json.h"

#include "lab/verify/json_form.h"

#include "lab/verify/finding_json.h"

namespace powercut::lab {
namespace {

std::string_view end_name(RecoveryEnd end) {
  switch (end) {
    case RecoveryEnd::kNothingToDo: return "nothing to do";
    case RecoveryEnd::kClean: return "clean";
    case RecoveryEnd::kRefused: return "refused";
  }
  return "?";
}

Json tid_json(const std::optional<Tid>& tid) {
  return tid ? Json(tid->value()) : Json(nullptr);
}

Json owner_json(const std::optional<Owner>& owner, std::uint32_t block_bytes) {
  if (!owner) return nullptr;
  return json_of_line(owner_to_json(*owner, block_bytes));
}

Json superblock_json(const JournalSuperblock& superblock) {
  std::string uuid;
  for (const std::uint8_t byte : superblock.uuid) {
    static constexpr char kDigits[] = "0123456789abcdef";
    uuid += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return {{"version", superblock.version == JournalBlockType::kSuperblockV1 ? 1 : 2},
          {"block_bytes", superblock.block_bytes},
          {"blocks", superblock.log_block_count},
          {"first", superblock.first.value()},
          {"ring_end", superblock.ring_end().value()},
          {"start", superblock.start.value()},
          {"sequence", superblock.sequence.value()},
          {"error", superblock.error},
          {"head", superblock.head.value()},
          {"compat", superblock.compat},
          {"incompat", superblock.incompat},
          {"checksum_version", static_cast<int>(superblock.format().checksum)},
          {"fast_commit_first", fast_commit_area(superblock).first.value()},
          {"fast_commit_blocks", fast_commit_area(superblock).block_count},
          {"uuid", uuid}};
}

Json damage_json(const Damage& damage) {
  return {{"rule", recovery_rule_name(damage.rule)},
          {"tid", damage.tid.value()},
          {"log_block", damage.log_block.value()},
          {"home", damage.home.value()},
          {"stored", damage.stored},
          {"computed", damage.computed}};
}

Json plan_json(const RecoveryPlan& plan) {
  Json damages = Json::array();
  for (const Damage& damage : plan.damages) damages.push_back(damage_json(damage));
  Json notices = Json::array();
  for (const Damage& notice : plan.notices) notices.push_back(damage_json(notice));
  return {{"rules", recover_as_name(plan.recover_as)},
          {"end", end_name(plan.end)},
          {"end_rule", recovery_rule_name(plan.end_rule)},
          {"end_block", plan.end_block.value()},
          {"next_tid", plan.next_tid.value()},
          {"empties_log", plan.empties_log},
          {"transactions", plan.transactions.size()},
          {"replayed", plan.replay_count},
          {"revoked", plan.revoked_count},
          {"skipped", plan.skipped_count},
          {"fast_commits", plan.fast_commits ? plan.fast_commits->commit_count : 0},
          {"damages", std::move(damages)},
          {"notices", std::move(notices)}};
}

Json block_json(const StoryBlock& block, std::uint32_t block_bytes) {
  return {{"log_block", block.found.log.value()},
          {"home", block.found.home.value()},
          {"escaped", block.found.is_escaped},
          {"stored", block.found.checksum.stored},
          {"computed", block.found.checksum.computed},
          {"fate", block_fate_name(block.fate)},
          {"by", tid_json(block.by)},
          {"owner", owner_json(block.owner, block_bytes)}};
}

Json transaction_json(const StoryTransaction& transaction, bool lists_blocks,
                      std::uint32_t block_bytes) {
  const FoundTransaction& found = transaction.found;
  Json json = {
      {"tid", found.tid.value()},
      {"standing", standing_name(transaction.standing)},
      {"first", found.first.value()},
      {"last", found.last.value()},
      {"has_beginning", found.has_beginning},
      {"has_commit", found.commit.has_value()},
      {"commit_matches", found.commit_matches},
      {"commit_seconds", found.commit ? Json(found.commit->seconds) : Json(nullptr)},
      {"commit_nanoseconds", found.commit ? Json(found.commit->nanoseconds) : Json(nullptr)},
      {"descriptors", found.descriptor_count},
      {"revoke_blocks", found.revoke_block_count},
      {"data_blocks", transaction.blocks.size()},
      {"escaped", found.escaped_count},
      {"missing", found.missing_count},
      {"trouble", found.trouble == nullptr ? Json(nullptr) : Json(found.trouble)}};
  for (const BlockFate fate :
       {BlockFate::kReplayed, BlockFate::kSuperseded, BlockFate::kRevoked, BlockFate::kDamaged,
        BlockFate::kOutside, BlockFate::kNotReached, BlockFate::kNotReplayed}) {
    json["fates"][std::string(block_fate_name(fate))] = transaction.count(fate);
  }
  Json revokes = Json::array();
  for (const BlockNo block : found.revokes) revokes.push_back(block.value());
  json["revokes"] = std::move(revokes);
  if (!lists_blocks) return json;
  Json blocks = Json::array();
  for (const StoryBlock& block : transaction.blocks) {
    blocks.push_back(block_json(block, block_bytes));
  }
  json["blocks"] = std::move(blocks);
  return json;
}

Json history_json(const JournalStory& story) {
  const std::uint32_t block_bytes = story.map.block_bytes();
  Json versions = Json::array();
  for (const BlockVersion& version : story.versions) {
    const StoryTransaction& transaction = story.transactions[version.transaction];
    Json json = {{"tid", transaction.found.tid.value()},
                 {"standing", standing_name(transaction.standing)},
                 {"revokes", !version.block},
                 {"at_home", version.is_at_home}};
    if (version.block) {
      json["block"] = block_json(transaction.blocks[*version.block], block_bytes);
    }
    versions.push_back(std::move(json));
  }
  return {{"block", story.options.block->value()},
          {"owner", owner_json(story.home_owner, block_bytes)},
          {"versions", std::move(versions)}};
}

Json findings_json(std::span<const CheckedFinding> findings) {
  Json list = Json::array();
  for (const CheckedFinding& checked : findings) {
    Json json = json_of_line(finding_to_json(checked.finding));
    json["standing"] = standing_name(checked.standing);
    json["revoked_by"] = tid_json(checked.revoked_by);
    json["accepted"] = checked.is_accepted;
    list.push_back(std::move(json));
  }
  return list;
}

Json check_json(const ImageCheck& image) {
  if (!image.check) {
    return {{"image", image.image},
            {"error", std::string(errc_name(image.check.error().code)) + ": " +
                          error_words(image.check.error())}};
  }
  const JournalCheck& check = *image.check;
  return {{"image", image.image},
          {"needs_recovery", check.is_dirty},
          {"checksum_version", static_cast<int>(check.checksum)},
          {"transactions", check.live_count},
          {"old_transactions", check.old_count},
          {"not_reached", check.not_reached_count},
          {"blocks", check.block_count},
          {"verified", check.verified_count},
          {"not_identified", check.not_identified_count},
          {"findings", findings_json(check.findings)}};
}

}  // namespace

std::string story_json(const JournalStory& story, bool lists_blocks,
                       const std::string& repeat_command) {
  Json json = {{"repeat", repeat_command},
               {"image", story.image.path.string()},
               {"offset", story.image.offset_bytes},
               {"needs_recovery", story.is_dirty},
               {"file_system_blocks", story.file_system_blocks},
               {"journal_inode", story.is_external ? 0 : story.journal_inode.value()},
               {"journal_device", story.is_external ? story.image.journal.string() : ""},
               {"journal", superblock_json(story.plan.superblock)},
               {"recovery", plan_json(story.plan)},
               {"owners_left_out", story.owners_left_out}};
  if (story.options.block) json["history"] = history_json(story);
  Json transactions = Json::array();
  for (const StoryTransaction& each : story.transactions) {
    const bool is_asked_for = story.options.tid && each.found.tid == *story.options.tid;
    if (story.options.tid && !is_asked_for) continue;
    transactions.push_back(
        transaction_json(each, lists_blocks || is_asked_for, story.map.block_bytes()));
  }
  json["transactions"] = std::move(transactions);
  return json_document(json);
}

std::string checks_json(std::span<const ImageCheck> checks, const std::string& repeat_command) {
  Json images = Json::array();
  for (const ImageCheck& each : checks) images.push_back(check_json(each));
  return json_document({{"repeat", repeat_command}, {"images", std::move(images)}});
}

std::string replay_json(const ReplayOutcome& outcome, const std::string& repeat_command) {
  static constexpr const char* kModes[] = {"dry run", "copy", "in place"};
  return json_document({{"repeat", repeat_command},
                        {"image", outcome.image.path.string()},
                        {"mode", kModes[static_cast<std::size_t>(outcome.options.mode)]},
                        {"output", outcome.options.output.string()},
                        {"journal_output", outcome.journal_output.string()},
                        {"needs_recovery", outcome.is_dirty},
                        {"recovered", outcome.ends_recovered()},
                        {"damaged", outcome.is_damaged()},
                        {"superseded", outcome.superseded_count},
                        {"recovery", plan_json(outcome.plan)},
                        {"findings", findings_json(outcome.findings)}});
}

}  // namespace powercut::lab
