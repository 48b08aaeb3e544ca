#include "lab/report/image_json.h"

#include "lab/verify/json_form.h"

#include "lab/image/inode_facts.h"
#include "lab/report/image_text.h"
#include "lab/report/name_text.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kTroublesMax = 1000;

Bytes bytes_in(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Bytes that are no UTF-8 lose something as a JSON string: they are there in hexadecimal, too.
void put_bytes(Json& into, const std::string& key, std::string_view bytes) {
  into[key] = std::string(bytes);
  if (!is_utf8(bytes)) into[key + "_hex"] = hex_text(bytes_in(bytes));
}

Json error_json(const Error& error) {
  return {{"kind", errc_name(error.code)}, {"text", error_words(error)}};
}

Json optional_error(const std::optional<Error>& error) {
  return error ? error_json(*error) : Json(nullptr);
}

Json time_json(const Timestamp& time) {
  return {{"seconds", time.seconds}, {"nanoseconds", time.nanoseconds}};
}

Json xattrs_json(const std::vector<Xattr>& xattrs) {
  Json list = Json::array();
  for (const Xattr& xattr : xattrs) {
    Json item;
    put_bytes(item, "name", xattr.name);
    item["text"] = xattr_value_text(xattr.name, xattr.value);
    item["hex"] = hex_text(xattr.value);
    list.push_back(std::move(item));
  }
  return list;
}

void put_inode(Json& into, const Inode& inode) {
  into["type"] = type_words(inode.type());
  into["mode"] = inode.mode & 07777;
  into["links"] = inode.links;
  into["uid"] = inode.uid;
  into["gid"] = inode.gid;
  into["size"] = inode.size;
  if (is_device(inode)) {
    const DeviceNumbers numbers = device_numbers(inode);
    into["major"] = numbers.major;
    into["minor"] = numbers.minor;
  }
  into["access_time"] = time_json(inode.access_time);
  into["modify_time"] = time_json(inode.modify_time);
  into["change_time"] = time_json(inode.change_time);
  into["create_time"] = time_json(inode.create_time);
}

Json record_json(const ErrorRecord& record) {
  return {{"seconds", record.seconds}, {"inode", record.inode.value()},
          {"block", record.block},     {"function", std::string(record.function())},
          {"line", record.line},       {"code", record.code}};
}

Json journal_json(const JournalSummary& journal) {
  const JournalSuperblock& superblock = journal.superblock;
  Json json = {{"inode", journal.inode.value()},
               {"first_block", journal.device},
               {"blocks", superblock.log_block_count},
               {"block_bytes", superblock.block_bytes},
               {"features", feature_names(superblock)},
               {"fast_commit_blocks", superblock.fast_commit_block_count},
               {"sequence", superblock.sequence.value()},
               {"start", superblock.start.value()},
               {"error", superblock.error},
               {"checksum", superblock.checksum},
               {"empty", journal.is_empty},
               {"transactions", journal.transactions}};
  json["first_tid"] = journal.first_tid ? Json(journal.first_tid->value()) : Json(nullptr);
  json["last_tid"] = journal.last_tid ? Json(journal.last_tid->value()) : Json(nullptr);
  json["replayed_blocks"] = journal.replayed_blocks;
  json["revoked_blocks"] = journal.revoked_blocks;
  json["damaged_blocks"] = journal.skipped_blocks;
  json["fast_commits"] = journal.fast_commits;
  return json;
}

Json groups_json(const GroupSummary& groups) {
  Json damages = Json::array();
  for (const GroupSummary::Damage& damage : groups.damages) {
    damages.push_back({{"group", damage.group}, {"error", error_json(damage.error)}});
  }
  return {{"count", groups.group_count},       {"checked", groups.checked_count},
          {"damaged", groups.damaged_count},   {"free_blocks", groups.free_blocks},
          {"free_inodes", groups.free_inodes}, {"directories", groups.directories},
          {"damages", std::move(damages)}};
}

void put_sizes(Json& into, const Superblock& superblock) {
  into["block_bytes"] = superblock.block_bytes();
  into["blocks"] = superblock.block_count;
  into["free_blocks"] = superblock.free_blocks;
  into["reserved_blocks"] = superblock.reserved_blocks;
  into["overhead_clusters"] = superblock.overhead_clusters;
  into["cluster_blocks"] = superblock.blocks_per_cluster();
  into["first_block"] = superblock.first_data_block.value();
  into["reserved_uid"] = superblock.reserved_uid;
  into["reserved_gid"] = superblock.reserved_gid;
  into["inodes"] = superblock.inode_count;
  into["free_inodes"] = superblock.free_inodes;
  into["first_inode"] = superblock.first_inode.value();
  into["inode_bytes"] = superblock.inode_bytes;
  into["extra_isize_required"] = superblock.extra_isize_min;
  into["extra_isize_wanted"] = superblock.extra_isize_wanted;
  into["blocks_per_group"] = superblock.blocks_per_group;
  into["inodes_per_group"] = superblock.inodes_per_group;
  into["inode_blocks_per_group"] = superblock.inode_table_blocks();
  into["groups_per_flex"] = std::uint64_t{1}
                            << std::min<unsigned>(superblock.log_groups_per_flex, 63);
  into["descriptor_bytes"] = superblock.descriptor_bytes;
  into["reserved_descriptor_blocks"] = superblock.reserved_descriptor_blocks;
}

void put_history(Json& into, const Superblock& superblock) {
  into["state"] = state_words(superblock);
  into["on_errors"] = error_behaviour_words(superblock);
  into["made"] = superblock.mkfs_seconds;
  into["mounted"] = superblock.mount_seconds;
  into["written"] = superblock.write_seconds;
  into["checked"] = superblock.check_seconds;
  into["mounts"] = superblock.mount_count;
  into["mounts_max"] = superblock.mount_count_max;
  into["check_interval"] = superblock.check_interval;
  into["kib_written"] = superblock.kilobytes_written;
  into["error_count"] = superblock.error_count;
  if (superblock.error_count != 0) {
    into["first_error"] = record_json(superblock.first_error);
    into["last_error"] = record_json(superblock.last_error);
  }
}

Json name_json(const std::string& path, const ListedName& name, std::uint32_t depth) {
  Json json;
  put_bytes(json, "path", path);
  json["depth"] = depth;
  json["inode"] = name.number.value();
  if (!name.inode) return json;
  put_inode(json, *name.inode);
  if (name.inode->is(InodeType::kSymlink)) put_bytes(json, "target", name.target);
  if (!name.xattrs.empty()) json["xattrs"] = xattrs_json(name.xattrs);
  return json;
}

const char* end_name(ExtractEnd end) {
  switch (end) {
    case ExtractEnd::kComplete: return "complete";
    case ExtractEnd::kStopped: return "interrupted";
    case ExtractEnd::kDestinationFailed: return "destination failed";
    case ExtractEnd::kTooMuchData: return "too much data";
  }
  return "?";
}

const char* kind_name(ExtractTrouble::Kind kind) {
  switch (kind) {
    case ExtractTrouble::Kind::kImage: return "unreadable";
    case ExtractTrouble::Kind::kDestination: return "unwritten";
    case ExtractTrouble::Kind::kSkipped: return "skipped";
    case ExtractTrouble::Kind::kAttribute: return "attribute";
  }
  return "?";
}

Json trouble_json(const std::string& path, const Error& error) {
  Json json;
  put_bytes(json, "path", path);
  json["error"] = error_json(error);
  return json;
}

}  // namespace

std::string info_json(const ImageInfo& info, const std::string& name) {
  const Superblock& superblock = info.superblock;
  Json json;
  put_bytes(json, "image", name);
  json["seen"] = seen_as_name(info.seen.as);
  json["damaged"] = info.is_damaged();
  put_bytes(json, "label", superblock.label());
  json["uuid"] = uuid_text(superblock.uuid);
  json["revision"] = superblock.revision;
  json["features"] = feature_names(superblock);
  json["flags"] = superblock_flag_names(superblock);
  json["default_mount_options"] = default_mount_option_names(superblock);
  json["creator_os"] = superblock.creator_os;
  put_sizes(json, superblock);
  put_history(json, superblock);
  put_bytes(json, "last_mounted_on", superblock.last_mounted());
  json["hash"] = hash_words(superblock);
  json["hash_seed"] = hash_seed_text(superblock);
  json["checksum"] =
      superblock.has_metadata_checksums() ? Json(superblock.checksum) : Json(nullptr);
  json["groups"] = groups_json(info.groups);
  json["journal"] = info.journal ? journal_json(*info.journal) : Json(nullptr);
  json["journal_error"] =
      optional_error(info.seen.journal_error ? info.seen.journal_error : info.journal_error);
  json["orphan_count"] = info.orphans.count;
  Json orphans = Json::array();
  for (const InodeNo inode : info.orphans.inodes) orphans.push_back(inode.value());
  json["orphans"] = std::move(orphans);
  json["orphans_error"] = optional_error(info.orphans.error);
  if (info.mmp) {
    json["mmp"] = {
        {"block", superblock.mmp_block.value()}, {"state", mmp_state_name(info.mmp->state())},
        {"seconds", info.mmp->seconds},          {"interval", superblock.mmp_interval},
        {"node", std::string(info.mmp->node())}, {"device", std::string(info.mmp->device())}};
  }
  json["mmp_error"] = optional_error(info.mmp_error);
  return json_document(json);
}

std::string inode_json(const InodeReport& report, const std::string& path,
                       const Superblock& superblock) {
  const Inode& inode = report.inode;
  Json json;
  put_bytes(json, "path", path);
  json["inode"] = report.number.value();
  put_inode(json, inode);
  json["project"] = inode.project;
  json["generation"] = inode.generation;
  json["flags"] = inode.flags;
  json["flag_names"] = flag_names(inode.flags);
  json["sectors"] = inode.sectors;
  json["delete_time"] = inode.delete_time;
  json["checksum"] = superblock.has_metadata_checksums() && report.is_written ? Json(inode.checksum)
                                                                              : Json(nullptr);
  if (inode.is(InodeType::kSymlink)) put_bytes(json, "target", report.target);
  json["xattr_block"] = inode.xattr_block.value();
  json["xattrs"] = xattrs_json(report.xattrs);
  Json runs = Json::array();
  for (const FileRun& run : report.runs) {
    runs.push_back({{"file_block", run.file.value()},
                    {"device_block", run.device.value()},
                    {"blocks", run.count},
                    {"unwritten", run.is_unwritten}});
  }
  json["run_count"] = report.run_count;
  json["mapped_blocks"] = report.mapped_blocks;
  json["runs"] = std::move(runs);
  Json map_blocks = Json::array();
  for (const BlockNo block : report.tree_blocks) map_blocks.push_back(block.value());
  json["map_blocks"] = std::move(map_blocks);
  Json errors = Json::array();
  for (const auto* error : {&report.target_error, &report.xattr_error, &report.runs_error}) {
    if (*error) errors.push_back(error_json(**error));
  }
  json["errors"] = std::move(errors);
  return json_document(json);
}

std::string extract_json(const ExtractOutcome& outcome,
                         const std::vector<ExtractTrouble>& troubles) {
  const ExtractCounts& counts = outcome.counts;
  Json json = {{"end", end_name(outcome.end)},
               {"directories", counts.directories},
               {"files", counts.files},
               {"symlinks", counts.symlinks},
               {"hard_links", counts.hard_links},
               {"specials", counts.specials},
               {"data_bytes", counts.data_bytes},
               {"damaged", counts.damaged},
               {"failed", counts.failed},
               {"devices_skipped", counts.devices_skipped},
               {"attributes_refused", counts.refused},
               {"privileges_left", counts.privileges_left}};
  const bool has_error =
      outcome.end == ExtractEnd::kDestinationFailed || outcome.end == ExtractEnd::kTooMuchData;
  json["error"] = has_error ? error_json(outcome.error) : Json(nullptr);
  Json list = Json::array();
  for (const ExtractTrouble& trouble : troubles) {
    Json item = trouble_json(trouble.path, trouble.error);
    item["kind"] = kind_name(trouble.kind);
    if (!trouble.attribute.empty()) put_bytes(item, "attribute", trouble.attribute);
    list.push_back(std::move(item));
  }
  json["troubles"] = std::move(list);
  return json_document(json);
}

ListingJson::ListingJson(Print print, const std::string& image, const std::string& path,
                         SeenAs seen)
    : print_(std::move(print)) {
  Json json;
  put_bytes(json, "image", image);
  put_bytes(json, "path", path);
  json["seen"] = seen_as_name(seen);
  std::string head = json_line(json);
  head.pop_back();  // the brace: the document goes on
  print_(head + ",\n\"names\": [");
}

void ListingJson::print_item(const std::string& item) {
  print_((has_item_ ? ",\n" : "\n") + item);
  has_item_ = true;
}

void ListingJson::add(const Listing& listing) {
  for (const ListedName& name : listing.names) {
    add(listing.is_single ? name.name : joined_path(listing.path, name.name), name, 0);
  }
}

void ListingJson::add(const std::string& path, const ListedName& name, std::uint32_t depth) {
  print_item(json_line(name_json(path, name, depth)));
}

void ListingJson::trouble(const std::string& path, const Error& error) {
  if (++trouble_count_ > kTroublesMax) return;
  if (!troubles_.empty()) troubles_ += ",\n";
  troubles_ += json_line(trouble_json(path, error));
}

void ListingJson::end(const TreeCounts* counts) {
  Json json = {{"error_count", trouble_count_}};
  if (counts != nullptr) {
    json["directories"] = counts->directories;
    json["files"] = counts->files;
    json["symlinks"] = counts->symlinks;
    json["others"] = counts->others;
    json["unreadable"] = counts->unreadable;
    json["bytes"] = counts->bytes;
  }
  print_("\n],\n\"errors\": [" + troubles_ + "],\n" + json_line(json).substr(1) + "\n");
}

Result<bool> TreeJson::visit(const TreeWalk& walk, const WalkedName& name) {
  counts_.add(name.inode);
  const std::string path = walk.path_of(name.name);
  ListedName listed{
      .name = std::string(name.name), .number = name.number, .file_type = name.file_type};
  if (name.inode != nullptr) listed.inode = *name.inode;
  if (name.inode != nullptr && name.inode->is(InodeType::kSymlink)) {
    const auto target = volume_.read_link(name.number, *name.inode);
    if (target) {
      listed.target = *target;
    } else {
      trouble(path, target.error());
    }
  }
  json_.add(path, listed, walk.depth() + 1);
  return true;
}

}  // namespace powercut::lab
