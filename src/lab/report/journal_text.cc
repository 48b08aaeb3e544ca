#include "lab/report/journal_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "lab/report/name_text.h"
#include "lab/report/text.h"

namespace powercut::lab {
namespace {

std::string features_text(const JournalSuperblock& superblock) {
  struct Named {
    JournalIncompat feature;
    const char* name;
  };
  static constexpr Named kNamed[] = {
      {JournalIncompat::kRevoke, "revoke"},
      {JournalIncompat::k64Bit, "64bit"},
      {JournalIncompat::kAsyncCommit, "async_commit"},
      {JournalIncompat::kCsumV2, "csum_v2"},
      {JournalIncompat::kCsumV3, "csum_v3"},
      {JournalIncompat::kFastCommit, "fast_commit"},
  };
  std::string text;
  const auto add = [&text](const char* name) {
    text += (text.empty() ? "" : " ") + std::string(name);
  };
  if (superblock.has(JournalCompat::kChecksum)) add("checksum");
  for (const Named& each : kNamed) {
    if (superblock.has(each.feature)) add(each.name);
  }
  return text.empty() ? "none" : text;
}

std::string checksum_text(ChecksumKind kind) {
  switch (kind) {
    case ChecksumKind::kNone: return "none";
    case ChecksumKind::kV1: return "v1 (crc32, one a transaction)";
    case ChecksumKind::kV2: return "v2 (crc32c, its low half for data blocks)";
    case ChecksumKind::kV3: return "v3 (crc32c)";
  }
  return "?";
}

std::string end_text(const JournalStory& story) {
  const RecoveryPlan& plan = story.plan;
  const std::uint64_t superseded = [&] {
    std::uint64_t count = 0;
    for (const auto& each : story.transactions) count += each.count(BlockFate::kSuperseded);
    return count;
  }();
  std::string text = fmt::format("{} to replay", grouped(plan.replay_count));
  if (superseded != 0) text += fmt::format(" ({} of them superseded)", grouped(superseded));
  text += fmt::format(", {} revoked, {} damaged", grouped(plan.revoked_count),
                      grouped(plan.damages.size()));
  switch (plan.end) {
    case RecoveryEnd::kNothingToDo: return "the log is empty: nothing to do";
    case RecoveryEnd::kClean: return "clean: " + text;
    case RecoveryEnd::kRefused:
      return (plan.empties_log ? "damaged, emptied all the same: "
                               : "REFUSED, it does not mount: ") +
             text;
  }
  return "?";
}

std::string header_text(const JournalStory& story) {
  const JournalSuperblock& journal = story.plan.superblock;
  std::string text = fmt::format("journal of {}\n", printable(story.image.path.string()));
  text += fmt::format("  file system  {} blocks of {} bytes; needs_recovery is {}\n",
                      grouped(story.file_system_blocks), story.map.block_bytes(),
                      story.is_dirty ? "set" : "clear: Linux discards what is in the log");
  text += fmt::format("  journal      {}, {} blocks of {} bytes, version {}\n",
                      story.is_external
                          ? "on a device of its own: " + printable(story.image.journal.string())
                          : fmt::format("inode {}", story.journal_inode.value()),
                      grouped(journal.log_block_count), journal.block_bytes,
                      journal.version == JournalBlockType::kSuperblockV1 ? 1 : 2);
  text +=
      fmt::format("               uuid {}; features {}; checksums {}\n", uuid_text(journal.uuid),
                  features_text(journal), checksum_text(journal.format().checksum));
  text += fmt::format(
      "               ring {} to {}; s_start {}, s_sequence {}, s_errno {}, s_head {}\n",
      journal.first.value(), journal.ring_end().value() - 1, journal.start.value(),
      journal.sequence.value(), journal.error, journal.head.value());
  const FastCommitArea area = fast_commit_area(journal);
  if (area.block_count != 0) {
    text += fmt::format("               fast commits {} to {}\n", area.first.value(),
                        area.first.value() + area.block_count - 1);
  }
  return text;
}

std::string damage_line(const Damage& damage) {
  std::string text =
      fmt::format("               {}: tid {} journal block {}", recovery_rule_name(damage.rule),
                  damage.tid.value(), damage.log_block.value());
  const bool has_home =
      damage.rule == RecoveryRule::kDataChecksum || damage.rule == RecoveryRule::kBlockOutside;
  if (has_home) text += fmt::format(" file-system block {}", damage.home.value());
  if (damage.stored != damage.computed) {
    text += fmt::format(" (stored 0x{:08x}, calc 0x{:08x})", damage.stored, damage.computed);
  }
  return text + "\n";
}

std::string recovery_text(const JournalStory& story) {
  const RecoveryPlan& plan = story.plan;
  std::string text = fmt::format("  recovery     {}\n", end_text(story));
  if (plan.end != RecoveryEnd::kNothingToDo) {
    text += fmt::format(
        "               by the rules of {}: from journal block {} (tid {})\n"
        "               to {}, where tid {} is due: {}\n",
        recover_as_name(plan.recover_as), plan.superblock.start.value(),
        plan.superblock.sequence.value(), plan.end_block.value(), plan.next_tid.value(),
        recovery_rule_name(plan.end_rule));
  }
  for (const Damage& damage : plan.damages) text += damage_line(damage);
  for (const Damage& notice : plan.notices) text += damage_line(notice);
  if (plan.fast_commits) {
    text += fmt::format(
        "               {} fast commits go on from there, which Powercut does not "
        "replay; mount it with Linux\n",
        plan.fast_commits->commit_count);
  }
  return text;
}

std::string place_text(const FoundTransaction& found) {
  return fmt::format("{}-{}{}", found.first.value(), found.last.value(),
                     found.last < found.first ? " wraps" : "");
}

void add_part(std::string& text, const std::string& part) {
  text += (text.empty() ? "" : ", ") + part;
}

std::string what_text(const StoryTransaction& transaction) {
  const FoundTransaction& found = transaction.found;
  std::string text;
  struct Named {
    BlockFate fate;
    const char* name;
  };
  const bool is_live = transaction.standing == Standing::kLive;
  const Named named[] = {
      {BlockFate::kReplayed, "replayed"},
      {BlockFate::kSuperseded, "superseded"},
      {BlockFate::kRevoked, "revoked"},
      {BlockFate::kDamaged, transaction.standing == Standing::kUncommitted ? "never written"
                            : is_live                                      ? "DAMAGED"
                                                                           : "do not match"},
      {BlockFate::kOutside, "OUTSIDE"},
      {BlockFate::kNotReached, "not reached"},
      {BlockFate::kNotReplayed, "sound"},
  };
  for (const Named& each : named) {
    const std::uint32_t count = transaction.count(each.fate);
    if (count != 0) add_part(text, fmt::format("{} {}", grouped(count), each.name));
  }
  if (found.escaped_count != 0) add_part(text, fmt::format("{} escaped", found.escaped_count));
  if (!found.has_beginning) add_part(text, "its beginning is overwritten");
  if (found.missing_count != 0) {
    add_part(text, fmt::format("{} blocks are not there", grouped(found.missing_count)));
  }
  if (found.trouble != nullptr) {
    add_part(text, fmt::format("journal block {}: {}", found.trouble_at.value(), found.trouble));
  }
  if (!found.commit) add_part(text, "no commit block");
  if (found.commit && !found.commit_matches) add_part(text, "its commit block does not match");
  return text.empty() ? "no blocks" : text;
}

std::string transaction_line(const StoryTransaction& transaction, std::size_t tid_width) {
  const FoundTransaction& found = transaction.found;
  const std::string when =
      found.commit ? commit_time_text(found.commit->seconds, found.commit->nanoseconds) : "-";
  return fmt::format("  {:>{}}  {:<11}  {:<29}  {:>15} {:>6} {:>7}  {}\n", found.tid.value(),
                     tid_width, standing_name(transaction.standing), when, place_text(found),
                     transaction.blocks.size() + found.missing_count, found.revokes.size(),
                     what_text(transaction));
}

std::string fate_text(const StoryBlock& block, Standing standing) {
  std::string text(block_fate_name(block.fate));
  const bool is_unwritten = block.fate == BlockFate::kDamaged && standing == Standing::kUncommitted;
  if (is_unwritten) text = "never written";
  if (block.by) text += fmt::format(" by tid {}", block.by->value());
  return text;
}

std::string sum_text(const FoundBlock& found, ChecksumKind kind) {
  const bool has_sum = kind == ChecksumKind::kV2 || kind == ChecksumKind::kV3;
  std::string text = !has_sum ? "no checksum"
                     : found.checksum.matches()
                         ? "matches"
                         : fmt::format("stored 0x{:08x}, calc 0x{:08x}", found.checksum.stored,
                                       found.checksum.computed);
  return found.is_escaped ? text + ", escaped" : text;
}

std::string owner_text(const std::optional<Owner>& owner, std::uint32_t block_bytes) {
  return owner ? printable(owner->describe(block_bytes)) : "";
}

// 5, 7-9.
std::string ranges_text(std::vector<BlockNo> blocks) {
  std::ranges::sort(blocks);
  std::string text;
  for (std::size_t i = 0; i < blocks.size();) {
    std::size_t end = i + 1;
    while (end < blocks.size() && blocks[end] - blocks[end - 1] <= 1) ++end;
    text += text.empty() ? "" : ", ";
    text += std::to_string(blocks[i].value());
    if (blocks[end - 1] != blocks[i]) text += "-" + std::to_string(blocks[end - 1].value());
    i = end;
  }
  return text;
}

std::string blocks_text(const JournalStory& story, const StoryTransaction& transaction) {
  const ChecksumKind kind = story.plan.superblock.format().checksum;
  std::string text;
  for (const StoryBlock& block : transaction.blocks) {
    const std::string owner = owner_text(block.owner, story.map.block_bytes());
    text += fmt::format("      {:>8} = {:<10} {:<22} {:<{}}{}\n", block.found.log.value(),
                        block.found.home.value(), fate_text(block, transaction.standing),
                        sum_text(block.found, kind), owner.empty() ? 0 : 13, owner);
  }
  if (!transaction.found.revokes.empty()) {
    text += fmt::format("      revokes {}\n", ranges_text(transaction.found.revokes));
  }
  return text;
}

std::size_t tid_width_of(const JournalStory& story) {
  std::size_t width = 3;
  for (const StoryTransaction& each : story.transactions) {
    width = std::max(width, std::to_string(each.found.tid.value()).size());
  }
  return width;
}

std::string table_head(std::size_t tid_width) {
  return fmt::format("\n  {:>{}}  {:<11}  {:<29}  {:>15} {:>6} {:>7}\n", "tid", tid_width,
                     "standing", "committed (UTC)", "journal blocks", "data", "revokes");
}

std::string table_text(const JournalStory& story, const StoryTextOptions& options) {
  const std::size_t tid_width = tid_width_of(story);
  const auto old_count = static_cast<std::size_t>(
      std::ranges::count(story.transactions, Standing::kOld, &StoryTransaction::standing));
  const bool is_one = story.options.tid.has_value();
  std::size_t hidden = is_one || old_count <= options.old_max ? 0 : old_count - options.old_max;
  std::string text = table_head(tid_width);
  if (options.lists_blocks || is_one) {
    text +=
        "      journal block = file-system block; what becomes of it; its checksum; whose it was\n"
        "      then (of old ones: whose it is, as the file system lies)\n";
  }
  if (hidden != 0) {
    text += fmt::format("  {:>{}}  {} older ones: --old\n", "...", tid_width, grouped(hidden));
  }
  for (const StoryTransaction& transaction : story.transactions) {
    if (is_one && transaction.found.tid != *story.options.tid) continue;
    const bool is_hidden = transaction.standing == Standing::kOld && hidden != 0;
    if (is_hidden) {
      --hidden;
      continue;
    }
    text += transaction_line(transaction, tid_width);
    if (options.lists_blocks || is_one) text += blocks_text(story, transaction);
  }
  return text;
}

std::string history_text(const JournalStory& story) {
  const std::uint32_t block_bytes = story.map.block_bytes();
  const ChecksumKind kind = story.plan.superblock.format().checksum;
  std::string text =
      fmt::format("\n  block {} is {} (as recovered)\n", story.options.block->value(),
                  owner_text(story.home_owner, block_bytes));
  std::string at_home;
  for (const BlockVersion& version : story.versions) {
    const StoryTransaction& transaction = story.transactions[version.transaction];
    text += fmt::format("  tid {:<10} {:<11} ", transaction.found.tid.value(),
                        standing_name(transaction.standing));
    if (!version.block) {
      text += "revokes it\n";
      continue;
    }
    const StoryBlock& block = transaction.blocks[*version.block];
    text += fmt::format("journal block {:<8} {:<22} {:<12} {}{}\n", block.found.log.value(),
                        fate_text(block, transaction.standing), sum_text(block.found, kind),
                        owner_text(block.owner, block_bytes),
                        version.is_at_home ? "  [at home now]" : "");
    if (version.is_at_home)
      at_home += (at_home.empty() ? "" : ", ") + std::to_string(transaction.found.tid.value());
  }
  if (story.versions.empty()) return text + "  nothing in the ring is of this block\n";
  return text + (at_home.empty() ? "  home holds none of these versions\n"
                                 : "  home holds what tid " + at_home + " logged\n");
}

std::string fast_commits_text(const FastCommits& commits) {
  std::string text;
  for (const FastCommitRecord& record : commits.records) {
    text += fmt::format("      fast commit record {} at {}", fast_commit_tag_name(record.tag),
                        record.offset);
    if (record.inode.value() != 0) text += fmt::format(": inode {}", record.inode.value());
    if (!record.name.empty()) {
      text += fmt::format(" name {} in inode {}", printable(record.name), record.parent.value());
    }
    if (record.count != 0) {
      text += fmt::format(" blocks {} to {}", record.file.value(),
                          record.file.value() + record.count - 1);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string commit_time_text(std::uint64_t seconds, std::uint32_t nanoseconds) {
  constexpr std::uint64_t kYear10000 = 253'402'300'800;
  // debugfs stores the seconds in the upper half of their field.
  const bool is_in_upper_half = seconds >= kYear10000 && (seconds & 0xFFFFFFFF) == 0;
  if (is_in_upper_half) seconds >>= 32;
  if (seconds >= kYear10000) return fmt::format("{} s", seconds);
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto in_day = static_cast<unsigned>((time - day).count());
  std::string text =
      fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  in_day / 3600, in_day / 60 % 60, in_day % 60);
  if (nanoseconds != 0) text += fmt::format(".{:09}", nanoseconds);
  return text;
}

std::string story_text(const JournalStory& story, const StoryTextOptions& options) {
  std::string text = header_text(story) + recovery_text(story);
  if (story.options.block) {
    text += history_text(story);
  } else if (story.transactions.empty()) {
    text += "\n  the ring holds no transaction\n";
  } else {
    text += table_text(story, options);
  }
  if (options.lists_blocks && story.plan.fast_commits) {
    text += fast_commits_text(*story.plan.fast_commits);
  }
  if (story.owners_left_out != 0) {
    text += fmt::format("  owners of {} more blocks were not looked for (--limit)\n",
                        grouped(story.owners_left_out));
  }
  if (story.is_damaged()) text += fmt::format("  again        {}\n", options.repeat_command);
  return text;
}

}  // namespace powercut::lab
