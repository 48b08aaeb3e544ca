#include "lab/report/image_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "format/ext4_hash.h"
#include "lab/image/inode_facts.h"
#include "lab/report/name_text.h"
#include "lab/report/text.h"

namespace powercut::lab {
namespace {

std::string damage_words(const Damage& damage) {
  std::string text =
      fmt::format("{} (transaction {}, journal block {}", recovery_rule_name(damage.rule),
                  damage.tid.value(), damage.log_block.value());
  const bool has_home =
      damage.rule == RecoveryRule::kDataChecksum || damage.rule == RecoveryRule::kBlockOutside;
  if (has_home) text += fmt::format(", file-system block {}", damage.home.value());
  return text + ")";
}

std::string refused_words(const RecoveryPlan& plan) {
  const std::string who = plan.recover_as == RecoverAs::kE2fsck
                              ? "e2fsck replays what matches, and Linux would refuse to mount it"
                              : "Linux refuses to mount this file system";
  std::string text = "the log is damaged: ";
  text += plan.damages.empty() ? std::string(recovery_rule_name(plan.end_rule))
                               : damage_words(plan.damages.front());
  if (plan.damages.size() > 1) text += fmt::format(" and {} more", plan.damages.size() - 1);
  return text + "\n" + who + "; " +
         fmt::format("shown with what is replayed before that: {} of {}\n",
                     plural(plan.replay_count, "block", "blocks"),
                     plural(plan.transactions.size(), "transaction", "transactions"));
}

template <class Feature>
void add_names(std::vector<std::string>& names, std::uint32_t word, const char* kind) {
  for (std::uint32_t bit = 1; bit != 0; bit <<= 1) {
    if ((word & bit) == 0) continue;
    const std::string_view name = feature_name(static_cast<Feature>(bit));
    names.push_back(name == "unknown feature" ? fmt::format("{}-{:#x}", kind, bit)
                                              : std::string(name));
  }
}

struct BitName {
  std::uint32_t bit;
  const char* name;
};

std::vector<std::string> names_of(std::uint32_t word, std::span<const BitName> table) {
  std::vector<std::string> names;
  for (const BitName& each : table) {
    if ((word & each.bit) == 0) continue;
    names.emplace_back(each.name);
    word &= ~each.bit;
  }
  if (word != 0) names.push_back(fmt::format("{:#x}", word));
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, " "));
}

std::string error_record_text(const char* which, const ErrorRecord& record) {
  std::string text = fmt::format("{} {}, {}:{}", which, utc_text_or_none(record.seconds),
                                 printable(record.function()), record.line);
  if (record.inode.value() != 0) text += fmt::format(", inode {}", record.inode.value());
  if (record.block != 0) text += fmt::format(", block {}", record.block);
  return text;
}

// Lines "  name      words", the name once.
class Lines {
 public:
  template <class... Args>
  void add(std::string_view name, fmt::format_string<Args...> format, Args&&... args) {
    text_ += fmt::format("  {:<10} {}\n", name, fmt::format(format, std::forward<Args>(args)...));
  }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

void add_sizes(Lines& lines, const ImageInfo& info) {
  const Superblock& superblock = info.superblock;
  const std::uint64_t bytes = superblock.block_count * superblock.block_bytes();
  lines.add("size", "{} blocks of {} bytes: {:.1f} MiB", grouped(superblock.block_count),
            grouped(superblock.block_bytes()), static_cast<double>(bytes) / kMib);
  if (superblock.blocks_per_cluster() != 1) {
    lines.add("", "in clusters of {} blocks", superblock.blocks_per_cluster());
  }
  lines.add("free", "{} blocks, {} inodes; {} blocks reserved for uid {}, gid {}",
            grouped(superblock.free_blocks), grouped(superblock.free_inodes),
            grouped(superblock.reserved_blocks), superblock.reserved_uid, superblock.reserved_gid);
  const bool is_stale = info.groups.free_blocks != superblock.free_blocks ||
                        info.groups.free_inodes != superblock.free_inodes;
  if (is_stale) {
    lines.add("", "by the groups, which Linux counts: {} blocks, {} inodes",
              grouped(info.groups.free_blocks), grouped(info.groups.free_inodes));
  }
  lines.add("inodes", "{} of {} bytes, {} in a group; the first for files {}",
            grouped(superblock.inode_count), superblock.inode_bytes,
            grouped(superblock.inodes_per_group), superblock.first_inode.value());
  lines.add("groups", "{} of {} blocks, descriptors of {} bytes; {} directories",
            grouped(superblock.group_count()), grouped(superblock.blocks_per_group),
            superblock.descriptor_bytes, grouped(info.groups.directories));
}

void add_groups(Lines& lines, const GroupSummary& groups) {
  const std::string looked_at =
      groups.checked_count == groups.group_count
          ? fmt::format("all {}", grouped(groups.group_count))
          : fmt::format("the first {} of {}", grouped(groups.checked_count),
                        grouped(groups.group_count));
  lines.add("checked", "{} group descriptors: {} damaged", looked_at,
            grouped(groups.damaged_count));
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < groups.damages.size() && i < kShown; ++i) {
    lines.add("", "group {}: {}", groups.damages[i].group, error_words(groups.damages[i].error));
  }
}

void add_history(Lines& lines, const Superblock& superblock) {
  lines.add("state", "{}; on errors: {}", state_words(superblock),
            error_behaviour_words(superblock));
  lines.add("made", "{}", utc_text_or_none(superblock.mkfs_seconds));
  lines.add("mounted", "{}, {} since the last check{}", utc_text_or_none(superblock.mount_seconds),
            plural(superblock.mount_count, "time", "times"),
            superblock.mount_count_max > 0 ? fmt::format(" of {}", superblock.mount_count_max)
                                           : std::string());
  if (!superblock.last_mounted().empty()) {
    lines.add("", "on {}", printable(superblock.last_mounted()));
  }
  lines.add("written", "{}, {} KiB in its life", utc_text_or_none(superblock.write_seconds),
            grouped(superblock.kilobytes_written));
  lines.add("checked on", "{}", utc_text_or_none(superblock.check_seconds));
  if (superblock.error_count == 0) {
    lines.add("errors", "none recorded");
    return;
  }
  lines.add("errors", "{} recorded", grouped(superblock.error_count));
  lines.add("", "{}", error_record_text("first", superblock.first_error));
  lines.add("", "{}", error_record_text("last", superblock.last_error));
}

void add_journal(Lines& lines, const ImageInfo& info) {
  if (info.journal_error) {
    lines.add("journal", "not readable: {}", error_words(*info.journal_error));
    return;
  }
  if (!info.journal) {
    lines.add("journal", "none");
    return;
  }
  const JournalSummary& journal = *info.journal;
  const JournalSuperblock& superblock = journal.superblock;
  const std::string where =
      journal.inode.value() == 0
          ? std::string("on a device of its own")
          : fmt::format("inode {}, from block {}", journal.inode.value(), journal.device);
  lines.add("journal", "{}: {} blocks of {} bytes, {:.1f} MiB; features {}", where,
            grouped(superblock.log_block_count), grouped(superblock.block_bytes),
            static_cast<double>(superblock.log_block_count) * superblock.block_bytes / kMib,
            joined(feature_names(superblock)));
  if (journal.is_empty) {
    lines.add("", "empty; the next transaction is {}", superblock.sequence.value());
  } else if (!journal.first_tid) {
    lines.add("", "starts at block {} with transaction {}, which is not whole",
              superblock.start.value(), superblock.sequence.value());
  } else {
    lines.add("", "from block {}: {}, {} to {}; {} replayed, {} revoked, {} damaged",
              superblock.start.value(), plural(journal.transactions, "transaction", "transactions"),
              journal.first_tid->value(), journal.last_tid->value(),
              plural(journal.replayed_blocks, "block", "blocks"), grouped(journal.revoked_blocks),
              grouped(journal.skipped_blocks));
  }
  if (journal.fast_commits != 0) {
    lines.add("", "{} behind them", plural(journal.fast_commits, "fast commit", "fast commits"));
  }
  if (superblock.error != 0) lines.add("", "holds error {}", superblock.error);
}

void add_rest(Lines& lines, const ImageInfo& info) {
  if (info.orphans.error) {
    lines.add("orphans", "{}, then: {}", grouped(info.orphans.count),
              error_words(*info.orphans.error));
  } else {
    lines.add("orphans", "{}", grouped(info.orphans.count));
  }
  if (info.mmp) {
    lines.add("mmp", "{}; {} on {}, {}", mmp_state_name(info.mmp->state()),
              printable(info.mmp->device()), printable(info.mmp->node()),
              utc_text_or_none(info.mmp->seconds));
  }
  if (info.mmp_error) lines.add("mmp", "not readable: {}", error_words(*info.mmp_error));
}

}  // namespace

std::string_view seen_as_name(SeenAs as) {
  switch (as) {
    case SeenAs::kClean: return "clean";
    case SeenAs::kReplayed: return "replayed";
    case SeenAs::kRefused: return "refused";
    case SeenAs::kAsItLies: return "as-it-lies";
    case SeenAs::kUnrecoverable: return "unrecoverable";
  }
  return "?";
}

std::string seen_text(const ImageFile& file, const SeenVolume& seen) {
  std::string text;
  const auto& journal = file.journal();
  switch (seen.as) {
    case SeenAs::kClean: break;
    case SeenAs::kAsItLies: text = "as it lies: the log is not replayed (--raw)\n"; break;
    case SeenAs::kRefused: text = refused_words(journal->plan); break;
    case SeenAs::kReplayed:
      text = fmt::format("log replayed in memory: {} of {}\n",
                         plural(journal->plan.replay_count, "block", "blocks"),
                         plural(journal->plan.transactions.size(), "transaction", "transactions"));
      if (seen.drops_damage) {
        text += "behind them, Linux drops damaged transactions without a word: " +
                damage_words(journal->plan.damages.front()) + "\n";
      }
      break;
    case SeenAs::kUnrecoverable: text = "shown as it lies, without the log\n"; break;
  }
  if (!seen.journal_error) return text;
  return "the journal cannot be read: " + error_words(*seen.journal_error) +
         "\nLinux refuses to mount this file system\n" + text;
}

std::string trouble_text(const std::string& path, const Error& error) {
  return quoted_name(path) + ": " + printable(error_words(error)) + "\n";
}

std::vector<std::string> feature_names(const Superblock& superblock) {
  std::vector<std::string> names;
  add_names<Ext4Compat>(names, superblock.compat, "compat");
  add_names<Ext4Incompat>(names, superblock.incompat, "incompat");
  add_names<Ext4RoCompat>(names, superblock.ro_compat, "ro_compat");
  return names;
}

std::vector<std::string> feature_names(const JournalSuperblock& superblock) {
  constexpr BitName kIncompat[] = {
      {0x1, "journal_incompat_revoke"}, {0x2, "journal_64bit"},
      {0x4, "journal_async_commit"},    {0x8, "journal_checksum_v2"},
      {0x10, "journal_checksum_v3"},    {0x20, "fast_commit"},
  };
  std::vector<std::string> names;
  if (superblock.has(JournalCompat::kChecksum)) names.emplace_back("journal_checksum");
  for (std::string& name : names_of(superblock.incompat, kIncompat)) {
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> superblock_flag_names(const Superblock& superblock) {
  constexpr BitName kNames[] = {
      {1, "signed_directory_hash"}, {2, "unsigned_directory_hash"}, {4, "test_filesystem"}};
  return names_of(superblock.flags, kNames);
}

std::vector<std::string> default_mount_option_names(const Superblock& superblock) {
  constexpr std::uint32_t kDataMode = 0x60;
  constexpr BitName kNames[] = {
      {0x1, "debug"},       {0x2, "bsdgroups"},   {0x4, "user_xattr"},       {0x8, "acl"},
      {0x10, "uid16"},      {0x100, "nobarrier"}, {0x200, "block_validity"}, {0x400, "discard"},
      {0x800, "nodelalloc"}};
  auto names = names_of(superblock.default_mount_options & ~kDataMode, kNames);
  switch (superblock.default_mount_options & kDataMode) {
    case 0x20: names.emplace_back("journal_data"); break;
    case 0x40: names.emplace_back("journal_data_ordered"); break;
    case 0x60: names.emplace_back("journal_data_writeback"); break;
    default: break;
  }
  return names;
}

std::string state_words(const Superblock& superblock) {
  std::string words = superblock.has(Ext4State::kValid) ? "clean" : "not clean";
  if (superblock.has(Ext4State::kErrors)) words += " with errors";
  return words;
}

std::string error_behaviour_words(const Superblock& superblock) {
  switch (superblock.error_behaviour) {
    case 1: return "continue";
    case 2: return "remount read-only";
    case 3: return "panic";
    default: return fmt::format("unknown ({})", superblock.error_behaviour);
  }
}

std::string hash_words(const Superblock& superblock) {
  return std::string(directory_hash_name(static_cast<DirectoryHash>(superblock.hash_version)));
}

std::string info_text(const ImageInfo& info, const std::string& name) {
  const Superblock& superblock = info.superblock;
  Lines lines;
  lines.add("label", "{}", superblock.label().empty() ? "none" : printable(superblock.label()));
  lines.add("uuid", "{}", uuid_text(superblock.uuid));
  add_sizes(lines, info);
  add_groups(lines, info.groups);
  lines.add("features", "{}", joined(feature_names(superblock)));
  lines.add("flags", "{}; default mount options {}", joined(superblock_flag_names(superblock)),
            joined(default_mount_option_names(superblock)));
  lines.add("hash", "{} of directory names, seed {}", hash_words(superblock),
            hash_seed_text(superblock));
  add_history(lines, superblock);
  add_journal(lines, info);
  add_rest(lines, info);
  return quoted_name(name) + "\n" + std::move(lines).text();
}

std::string orphans_text(const OrphanSummary& orphans) {
  std::string text;
  for (const InodeNo inode : orphans.inodes) {
    text += fmt::format("  orphan     <{}>\n", inode.value());
  }
  if (orphans.count > orphans.inodes.size()) {
    text +=
        fmt::format("  orphan     ... {} more\n", grouped(orphans.count - orphans.inodes.size()));
  }
  return text;
}

std::string extract_trouble_text(const ExtractTrouble& trouble) {
  const std::string path = quoted_name(trouble.path);
  const std::string words = printable(error_words(trouble.error));
  switch (trouble.kind) {
    case ExtractTrouble::Kind::kImage: return fmt::format("{}: {}\n", path, words);
    case ExtractTrouble::Kind::kDestination:
      return fmt::format("{}: not written: {}\n", path, words);
    case ExtractTrouble::Kind::kSkipped: return fmt::format("{}: skipped: {}\n", path, words);
    case ExtractTrouble::Kind::kAttribute:
      return fmt::format("{}: {}: {}\n", path, printable(trouble.attribute), words);
  }
  return {};
}

std::string extract_progress_text(const ExtractCounts& counts, double seconds) {
  const double mib = static_cast<double>(counts.data_bytes) / kMib;
  return fmt::format("  {:6.1f} s  {} files  {:.1f} MiB  {:.0f} MiB/s", seconds,
                     grouped(counts.files), mib, seconds > 0 ? mib / seconds : 0.0);
}

std::string extract_text(const ExtractOutcome& outcome, const std::string& destination) {
  const ExtractCounts& counts = outcome.counts;
  std::string text = fmt::format(
      "{}: {}, {}, {}, {}, {}; {:.1f} MiB of data\n", quoted_name(destination),
      plural(counts.directories, "directory", "directories"), plural(counts.files, "file", "files"),
      plural(counts.symlinks, "symlink", "symlinks"),
      plural(counts.hard_links, "hard link", "hard links"),
      plural(counts.specials, "special file", "special files"),
      static_cast<double>(counts.data_bytes) / kMib);
  const auto add = [&text](std::uint64_t count, std::string_view words) {
    if (count != 0) text += fmt::format("  {} {}\n", grouped(count), words);
  };
  add(counts.damaged, "could not be read, or not as a whole");
  add(counts.failed, "could not be written");
  add(counts.devices_skipped, "devices skipped");
  add(counts.refused, "attributes were not taken by this machine");
  add(counts.privileges_left, "set-user-id bits and capabilities left out (--owner keeps them)");
  switch (outcome.end) {
    case ExtractEnd::kComplete: break;
    case ExtractEnd::kStopped:
      text += "interrupted: what is there is whole, the rest is missing\n";
      break;
    case ExtractEnd::kDestinationFailed:
    case ExtractEnd::kTooMuchData:
      text += fmt::format("stopped: {}: what is there is whole, the rest is missing\n",
                          printable(error_words(outcome.error)));
      break;
  }
  return text;
}

}  // namespace powercut::lab
