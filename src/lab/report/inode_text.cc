// One inode as text.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lab/image/inode_facts.h"
#include "lab/report/image_text.h"
#include "lab/report/name_text.h"
#include "lab/report/text.h"

namespace powercut::lab {
namespace {

constexpr std::size_t kRunsShown = 1000;

std::string checksum_words(const InodeReport& report, const Superblock& superblock) {
  if (!superblock.has_metadata_checksums()) return "no checksum";
  if (!report.is_written) return "never written";
  return fmt::format("checksum {:#010x} matches", report.inode.checksum);
}

std::string runs_text(const InodeReport& report, const Superblock& superblock) {
  std::string text =
      fmt::format("  runs       {} of {} blocks of {} bytes; {} blocks of the map\n",
                  grouped(report.run_count), grouped(report.mapped_blocks),
                  grouped(superblock.block_bytes()), grouped(report.tree_blocks.size()));
  if (!report.runs.empty()) {
    text += fmt::format("  {:>22} {:>14} {:>10}\n", "file block", "device block", "blocks");
  }
  for (std::size_t i = 0; i < report.runs.size() && i < kRunsShown; ++i) {
    const FileRun& run = report.runs[i];
    text += fmt::format("  {:>22} {:>14} {:>10}{}\n", run.file.value(), run.device.value(),
                        run.count, run.is_unwritten ? " unwritten" : "");
  }
  if (report.run_count > kRunsShown) {
    text += fmt::format("             ... {} more\n", grouped(report.run_count - kRunsShown));
  }
  return text;
}

std::string errors_text(const InodeReport& report) {
  std::string text;
  for (const auto* error : {&report.target_error, &report.xattr_error, &report.runs_error}) {
    if (*error) text += fmt::format("  damaged    {}\n", printable(error_words(**error)));
  }
  return text;
}

}  // namespace

std::string inode_text(const InodeReport& report, const std::string& path,
                       const Superblock& superblock) {
  const Inode& inode = report.inode;
  std::string text = fmt::format("  path       {}\n", path.empty() ? "none" : quoted_name(path));
  text +=
      fmt::format("  inode      {}, {}, generation {:#010x}, {}\n", report.number.value(),
                  type_words(inode.type()), inode.generation, checksum_words(report, superblock));
  text +=
      fmt::format("  mode       {:04o} {}, owner {}:{}, project {}, links {}\n", inode.mode & 07777,
                  mode_text(inode.mode), inode.uid, inode.gid, inode.project, inode.links);
  if (is_device(inode)) {
    const DeviceNumbers numbers = device_numbers(inode);
    text += fmt::format("  device     {}, {}\n", numbers.major, numbers.minor);
  }
  text += fmt::format("  size       {} bytes, {} {}\n", grouped(inode.size), grouped(inode.sectors),
                      inode.has(InodeFlag::kHugeFile) ? "blocks" : "sectors of 512 bytes");
  const auto flags = flag_names(inode.flags);
  text += fmt::format("  flags      {:#x} {}\n", inode.flags, fmt::join(flags, " "));
  text += fmt::format("  access     {}\n  modify     {}\n  change     {}\n",
                      utc_text(inode.access_time), utc_text(inode.modify_time),
                      utc_text(inode.change_time));
  // Inodes without room for it have no birth.
  const bool has_birth = inode.create_time != Timestamp{};
  if (has_birth) text += fmt::format("  birth      {}\n", utc_text(inode.create_time));
  if (inode.delete_time != 0) {
    text += fmt::format("  deleted    {} ({}), or the next orphan's number\n",
                        utc_text(std::int64_t{inode.delete_time}), inode.delete_time);
  }
  if (inode.is(InodeType::kSymlink) && !report.target_error) {
    text += fmt::format("  target     {}\n", quoted_name(report.target));
  }
  if (inode.xattr_block.value() != 0) {
    text += fmt::format("  attributes in block {}\n", inode.xattr_block.value());
  }
  for (const Xattr& xattr : report.xattrs) {
    text += fmt::format("  attribute  {} = {}\n", printable(xattr.name),
                        xattr_value_text(xattr.name, xattr.value));
  }
  text += errors_text(report);
  return inode.has_block_map() ? text + runs_text(report, superblock) : text;
}

}  // namespace powercut::lab
