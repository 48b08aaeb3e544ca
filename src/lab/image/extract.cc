#include "lab/image/extract.h"

#include <unordered_map>

#include "format/ext4_acl.h"
#include "format/inode_kind.h"
#include "host/tree_writer.h"
#include "lab/image/file_copy.h"
#include "lab/image/inode_facts.h"
#include "lab/image/tree_walk.h"

namespace powercut::lab {
namespace {

constexpr std::uint32_t kIdBits = 06000;  // set-user-id and set-group-id
constexpr std::string_view kCapability = "security.capability";

HostTime host_time(const Timestamp& time) {
  return {time.seconds, time.nanoseconds};
}

Result<HostXattr> host_xattr(const Xattr& xattr) {
  if (!xattr.name.starts_with("system.posix_acl_")) return HostXattr{xattr.name, xattr.value};
  const auto acl = TRY(Acl::parse(xattr.value));
  return HostXattr{xattr.name, acl.kernel_form()};
}

class Extraction final : public TreeVisitor {
 public:
  Extraction(const Volume& volume, TreeWriter& writer, const ExtractOptions& options,
             ExtractObserver& observer)
      : volume_(volume),
        writer_(writer),
        options_(options),
        observer_(observer),
        bytes_max_(options.bytes_max.value_or(volume.superblock().block_count *
                                              volume.superblock().block_bytes())),
        copy_(volume, [this](std::uint64_t bytes) { return before_write(bytes); }) {}

  ExtractOutcome run(const PathTarget& from, const std::string& path) {
    Result<void> outcome;
    if (from.inode.is(InodeType::kDirectory)) {
      outcome = TreeWalk(volume_, path, {.order = WalkOrder::kByInodeLevelwise})
                    .run(from.number, from.inode, *this);
    } else {
      const std::string name =
          from.name.empty() ? "inode-" + std::to_string(from.number.value()) : from.name;
      outcome = make(path, name, from.number, from.inode);
    }
    if (!outcome) end_early(outcome.error());
    return {end_, counts_, error_};
  }

  Result<bool> enter(const TreeWalk& walk, const WalkedName& directory) override {
    TRY(look_up());
    if (walk.depth() != 0) {
      const auto entered = writer_.enter(std::string(directory.name));
      if (!entered) return failed(walk.path_of(), entered.error());
    }
    open_.push_back({directory.number, *directory.inode});
    ++counts_.directories;
    observer_.progress(counts_);
    return true;
  }

  Result<bool> visit(const TreeWalk& walk, const WalkedName& name) override {
    TRY(look_up());
    if (name.inode == nullptr) return false;
    if (name.inode->is(InodeType::kDirectory)) return true;
    TRY(make(walk.path_of(name.name), std::string(name.name), name.number, *name.inode));
    return false;
  }

  Result<void> leave(const TreeWalk& walk, const WalkedName& directory) override {
    open_.pop_back();
    return leave_directory(walk.path_of(), directory.number, *directory.inode);
  }

  void trouble(const std::string& path, const Error& error) override {
    ++counts_.damaged;
    observer_.trouble({ExtractTrouble::Kind::kImage, path, {}, error});
  }

 private:
  struct Open {
    InodeNo number;
    Inode inode;
  };
  struct FirstName {
    MadeName made;
    std::uint32_t names_left = 0;
  };

  Result<void> look_up() {
    if (observer_.is_stopped()) return fail(Errc::kAborted, "interrupted");
    return {};
  }

  Result<void> before_write(std::uint64_t bytes) {
    TRY(look_up());
    if (bytes > bytes_max_ - counts_.data_bytes) {
      end_ = ExtractEnd::kTooMuchData;
      return fail(options_.bytes_max ? Errc::kLimit : Errc::kCorrupt,
                  options_.bytes_max ? "extract: more data than was allowed"
                                     : "extract: more data than the file system has room for",
                  bytes_max_);
    }
    counts_.data_bytes += bytes;
    observer_.progress(counts_);
    return {};
  }

  // A name that could not be made: told, and the rest goes on, unless that has no sense.
  Result<bool> failed(const std::string& path, const Error& error) {
    ++counts_.failed;
    observer_.trouble({ExtractTrouble::Kind::kDestination, path, {}, error});
    if (ends_all_writing(error)) {
      end_ = ExtractEnd::kDestinationFailed;
      return Failure{error};
    }
    return false;
  }

  void tell(const std::string& path, const AttributeRefusals& refusals) {
    for (const AttributeRefusal& refusal : refusals) {
      ++counts_.refused;
      observer_.trouble({ExtractTrouble::Kind::kAttribute, path, refusal.attribute, refusal.error});
    }
  }

  // Errors of the destination are told and passed over, or end it all.
  Result<void> take_refusals(const std::string& path, const Result<AttributeRefusals>& refusals,
                             std::uint64_t& count) {
    if (!refusals) {
      TRY(failed(path, refusals.error()));
      return {};
    }
    ++count;
    tell(path, *refusals);
    observer_.progress(counts_);
    return {};
  }

  HostAttributes attributes_of(const std::string& path, InodeNo number, const Inode& inode) {
    HostAttributes attributes;
    attributes.mode = inode.mode & 07777u;
    attributes.access_time = host_time(inode.access_time);
    attributes.modify_time = host_time(inode.modify_time);
    if (options_.keeps_owners) {
      attributes.owner = HostAttributes::Owner{inode.uid, inode.gid};
    } else if ((attributes.mode & kIdBits) != 0) {
      attributes.mode &= ~kIdBits;
      ++counts_.privileges_left;
    }
    if (!options_.keeps_xattrs) return attributes;
    const auto take = [&](const Xattr& xattr) {
      if (!xattr.is_listed) return true;  // there is no way to set it
      if (xattr.name == kCapability && !options_.keeps_owners) {
        ++counts_.privileges_left;
        return true;
      }
      auto converted = host_xattr(xattr);
      if (converted) {
        attributes.xattrs.push_back(std::move(*converted));
      } else {
        trouble(path, converted.error());
      }
      return true;
    };
    const auto visited = volume_.for_each_xattr(number, inode, take);
    if (!visited) trouble(path, visited.error());
    return attributes;
  }

  Result<void> make(const std::string& path, const std::string& name, InodeNo number,
                    const Inode& inode) {
    const auto first = first_names_.find(number.value());
    if (first != first_names_.end()) return make_link(path, name, first->second, number);
    bool is_made = false;
    switch (inode.type()) {
      case InodeType::kRegular: is_made = TRY(make_file(path, name, number, inode)); break;
      case InodeType::kSymlink: is_made = TRY(make_symlink(path, name, number, inode)); break;
      case InodeType::kFifo:
      case InodeType::kSocket:
      case InodeType::kCharacterDevice:
      case InodeType::kBlockDevice: is_made = TRY(make_special(path, name, number, inode)); break;
      case InodeType::kDirectory: break;
      case InodeType::kNone:
        trouble(path, fail(Errc::kCorrupt, "inode: no type", number.value()).error);
        break;
    }
    if (is_made && inode.links > 1) {
      const auto made = writer_.made(name);
      if (made) first_names_.emplace(number.value(), FirstName{*made, inode.links - 1u});
    }
    return {};
  }

  // When all names were met the first one is forgotten.
  Result<void> make_link(const std::string& path, const std::string& name, FirstName& first,
                         InodeNo number) {
    const auto linked = writer_.make_link(name, first.made);
    if (!linked) {
      TRY(failed(path, linked.error()));
      return {};
    }
    ++counts_.hard_links;
    observer_.progress(counts_);
    if (--first.names_left == 0) first_names_.erase(number.value());
    return {};
  }

  Result<bool> make_file(const std::string& path, const std::string& name, InodeNo number,
                         const Inode& inode) {
    if (inode.has(InodeFlag::kEncrypted)) {
      trouble(path, fail(Errc::kUnsupported, "inode: content is encrypted", number.value()).error);
      return false;
    }
    auto file = writer_.make_file(name, inode.size);
    if (!file) return failed(path, file.error());
    const auto unread = copy_.copy(number, inode, *file);
    if (!unread && end_ != ExtractEnd::kComplete) return Failure{unread.error()};
    if (!unread && unread.error().code == Errc::kAborted) return Failure{unread.error()};
    if (!unread) return failed(path, unread.error());
    if (*unread) trouble(path, **unread);
    ++counts_.files;
    tell(path, file->finish(attributes_of(path, number, inode)));
    observer_.progress(counts_);
    return true;
  }

  Result<bool> make_symlink(const std::string& path, const std::string& name, InodeNo number,
                            const Inode& inode) {
    const auto target = volume_.read_link(number, inode);
    if (!target) {
      trouble(path, target.error());
      return false;
    }
    const auto attributes = attributes_of(path, number, inode);
    const std::uint64_t before = counts_.symlinks;
    TRY(take_refusals(path, writer_.make_symlink(name, *target, attributes), counts_.symlinks));
    return counts_.symlinks != before;
  }

  Result<bool> make_special(const std::string& path, const std::string& name, InodeNo number,
                            const Inode& inode) {
    TreeWriter::Special special;
    special.kind = file_kind_of(inode.type());
    if (is_device(inode)) {
      const DeviceNumbers numbers = device_numbers(inode);
      special.major = numbers.major;
      special.minor = numbers.minor;
    }
    const auto skip = [&](const Error& why) {
      ++counts_.devices_skipped;
      observer_.trouble({ExtractTrouble::Kind::kSkipped, path, {}, why});
      return false;
    };
    if (is_device(inode) && !options_.keeps_owners) {
      return skip(fail(Errc::kReadOnly, "devices are made with --owner only").error);
    }
    const auto attributes = attributes_of(path, number, inode);
    const auto made = writer_.make_special(name, special, attributes);
    if (!made && made.error().code == Errc::kReadOnly && !ends_all_writing(made.error())) {
      return skip(made.error());
    }
    const std::uint64_t before = counts_.specials;
    TRY(take_refusals(path, made, counts_.specials));
    return counts_.specials != before;
  }

  Result<void> leave_directory(const std::string& path, InodeNo number, const Inode& inode) {
    const auto refusals = writer_.leave(attributes_of(path, number, inode));
    if (!refusals) {
      TRY(failed(path, refusals.error()));
      return {};
    }
    tell(path, *refusals);
    return {};
  }

  // The directories that are there get their attributes; what they do not hold is missing.
  void end_early(const Error& why) {
    error_ = why;
    if (end_ == ExtractEnd::kComplete) {
      end_ = why.code == Errc::kAborted ? ExtractEnd::kStopped : ExtractEnd::kDestinationFailed;
    }
    while (!open_.empty()) {
      const Open directory = open_.back();
      open_.pop_back();
      const auto refusals = writer_.leave(attributes_of("/", directory.number, directory.inode));
      if (!refusals) return;
    }
  }

  const Volume& volume_;
  TreeWriter& writer_;
  const ExtractOptions options_;
  ExtractObserver& observer_;
  const std::uint64_t bytes_max_;
  FileCopy copy_;
  ExtractCounts counts_;
  ExtractEnd end_ = ExtractEnd::kComplete;
  Error error_;
  std::vector<Open> open_;  // directories that were entered and not left
  std::unordered_map<std::uint32_t, FirstName> first_names_;
};

}  // namespace

Result<ExtractOutcome> extract(const Volume& volume, const PathTarget& from,
                               const std::string& path, const std::filesystem::path& destination,
                               const ExtractOptions& options, ExtractObserver& observer) {
  TreeWriter writer = TRY(TreeWriter::open(destination));
  return Extraction(volume, writer, options, observer).run(from, path);
}

}  // namespace powercut::lab
