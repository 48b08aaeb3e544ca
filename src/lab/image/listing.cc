#include "lab/image/listing.h"

#include "lab/image/tree_walk.h"

namespace powercut::lab {
namespace {

// Of one part of a listing.
constexpr std::size_t kPartNames = 1 << 16;
constexpr std::size_t kPartXattrBytes = 64 << 20;

class Lister final : public TreeVisitor {
 public:
  Lister(const Volume& volume, const ListOptions& options, const ListSinks& sinks)
      : volume_(volume), options_(options), sinks_(sinks) {}

  Result<bool> enter(const TreeWalk& walk, const WalkedName&) override {
    flush();
    begin({.path = walk.path_of()});
    return true;
  }

  Result<bool> visit(const TreeWalk& walk, const WalkedName& name) override {
    if (!options_.has_hidden && name.name.starts_with('.')) return false;
    add(walk.path_of(name.name), name);
    return options_.is_recursive;
  }

  Result<void> leave(const TreeWalk&, const WalkedName&) override {
    flush();
    return {};
  }

  void trouble(const std::string& path, const Error& error) override {
    sinks_.trouble(path, error);
  }

  void single(const std::string& path, const PathTarget& from) {
    begin({.path = path, .is_single = true});
    add(path, {path, from.number, &from.inode, 0, true});
    flush();
  }

 private:
  void add(const std::string& path, const WalkedName& walked) {
    ListedName listed{
        .name = std::string(walked.name), .number = walked.number, .file_type = walked.file_type};
    if (walked.inode != nullptr) look_at(path, *walked.inode, listed);
    gathered_->names.push_back(std::move(listed));
    if (gathered_->names.size() < kPartNames && xattr_bytes_ < kPartXattrBytes) return;
    Listing next{.path = gathered_->path, .is_continued = true};
    flush();
    begin(std::move(next));
  }

  void look_at(const std::string& path, const Inode& inode, ListedName& listed) {
    listed.inode = inode;
    if (options_.has_targets && inode.is(InodeType::kSymlink)) {
      const auto target = volume_.read_link(listed.number, inode);
      if (target) {
        listed.target = *target;
      } else {
        trouble(path, target.error());
      }
    }
    if (!options_.has_xattrs) return;
    const auto visited = volume_.for_each_xattr(listed.number, inode, [&](const Xattr& xattr) {
      listed.xattrs.push_back(xattr);
      xattr_bytes_ += xattr.value.size();
      return true;
    });
    if (!visited) trouble(path, visited.error());
  }

  void begin(Listing listing) {
    gathered_ = std::move(listing);
    xattr_bytes_ = 0;
  }

  // The names of a directory are complete when the next one is entered, or when it is left.
  void flush() {
    const bool is_empty_part = gathered_ && gathered_->is_continued && gathered_->names.empty();
    if (gathered_ && !is_empty_part) sinks_.listing(*gathered_);
    gathered_.reset();
  }

  const Volume& volume_;
  const ListOptions options_;
  const ListSinks& sinks_;
  std::optional<Listing> gathered_;
  std::size_t xattr_bytes_ = 0;  // in it
};

}  // namespace

void list(const Volume& volume, const PathTarget& from, const std::string& path,
          const ListOptions& options, const ListSinks& sinks) {
  Lister lister(volume, options, sinks);
  if (options.is_itself || !from.inode.is(InodeType::kDirectory)) {
    lister.single(path, from);
    return;
  }
  TreeWalk walk(volume, path,
                {.order = WalkOrder::kByNameLevelwise, .has_dots = options.has_hidden});
  const auto walked = walk.run(from.number, from.inode, lister);
  if (!walked) sinks.trouble(path, walked.error());
}

}  // namespace powercut::lab
