#include "lab/report/listing_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "lab/image/inode_facts.h"
#include "lab/report/name_text.h"
#include "lab/report/text.h"

namespace powercut::lab {
namespace {

// The columns of `ls -l` before the time, as text; aligned over a listing.
struct Row {
  std::string mode = "??????????", links = "?", uid = "?", gid = "?", size = "?";
  std::string time = "                  ?";
};

Row row_of(const ListedName& name) {
  Row row;
  if (!name.inode) return row;
  const Inode& inode = *name.inode;
  row.mode = mode_text(inode.mode);
  row.links = std::to_string(inode.links);
  row.uid = std::to_string(inode.uid);
  row.gid = std::to_string(inode.gid);
  row.size = std::to_string(inode.size);
  if (is_device(inode)) {
    const DeviceNumbers numbers = device_numbers(inode);
    row.size = fmt::format("{}, {}", numbers.major, numbers.minor);
  }
  row.time = utc_text(inode.modify_time.seconds);
  return row;
}

struct Widths {
  std::size_t inode = 0, links = 0, uid = 0, gid = 0, size = 0;
};

class ListingWriter {
 public:
  ListingWriter(const Listing& listing, const ListTextOptions& options)
      : listing_(listing), options_(options) {}

  std::string text() {
    std::vector<Row> rows;
    if (options_.is_long) {
      for (const ListedName& name : listing_.names) rows.push_back(row_of(name));
    }
    measure(rows);
    if (options_.has_header && !listing_.is_continued) {
      text_ += quoted_name(listing_.path) + ":\n";
    }
    for (std::size_t i = 0; i < listing_.names.size(); ++i) {
      line(listing_.names[i], options_.is_long ? &rows[i] : nullptr);
    }
    return std::move(text_);
  }

 private:
  void measure(const std::vector<Row>& rows) {
    const auto widen = [](std::size_t& width, std::size_t by) { width = std::max(width, by); };
    for (const ListedName& name : listing_.names) {
      widen(widths_.inode, std::to_string(name.number.value()).size());
    }
    for (const Row& row : rows) {
      widen(widths_.links, row.links.size());
      widen(widths_.uid, row.uid.size());
      widen(widths_.gid, row.gid.size());
      widen(widths_.size, row.size.size());
    }
  }

  std::string shown(std::string_view name) const {
    return options_.is_raw ? std::string(name) : quoted_name(name);
  }

  void line(const ListedName& name, const Row* row) {
    if (options_.has_inode) text_ += fmt::format("{:>{}} ", name.number.value(), widths_.inode);
    if (row != nullptr) {
      text_ += fmt::format("{} {:>{}} {:>{}} {:>{}} {:>{}} {} ", row->mode, row->links,
                           widths_.links, row->uid, widths_.uid, row->gid, widths_.gid, row->size,
                           widths_.size, row->time);
    }
    text_ += shown(options_.has_whole_paths && !listing_.is_single
                       ? joined_path(listing_.path, name.name)
                       : name.name);
    const bool has_target = row != nullptr && name.inode && name.inode->is(InodeType::kSymlink);
    if (has_target) text_ += " -> " + shown(name.target);
    text_ += options_.is_raw ? '\0' : '\n';
    for (const Xattr& xattr : name.xattrs) {
      text_ += fmt::format("    {} = {}\n", printable(xattr.name),
                           xattr_value_text(xattr.name, xattr.value));
    }
  }

  const Listing& listing_;
  const ListTextOptions& options_;
  Widths widths_;
  std::string text_;
};

}  // namespace

std::string listing_text(const Listing& listing, const ListTextOptions& options) {
  return ListingWriter(listing, options).text();
}

void TreeCounts::add(const Inode* inode) {
  if (inode == nullptr) {
    ++unreadable;
  } else if (inode->is(InodeType::kDirectory)) {
    ++directories;
  } else if (inode->is(InodeType::kRegular)) {
    ++files;
    bytes += inode->size;
  } else if (inode->is(InodeType::kSymlink)) {
    ++symlinks;
  } else {
    ++others;
  }
}

std::string tree_counts_text(const TreeCounts& counts) {
  const auto number = [](std::uint64_t count, const char* one, const char* many) {
    return grouped(count) + " " + (count == 1 ? one : many);
  };
  std::string text = fmt::format(
      "{}, {}, {}, {}", number(counts.directories, "directory", "directories"),
      number(counts.files, "file", "files"), number(counts.symlinks, "symlink", "symlinks"),
      number(counts.others, "other", "others"));
  if (counts.unreadable != 0) text += fmt::format(", {} unreadable", grouped(counts.unreadable));
  return text + "; " + number(counts.bytes, "byte", "bytes") + "\n";
}

Result<bool> TreeDrawing::enter(const TreeWalk& walk, const WalkedName&) {
  prefix_sizes_.push_back(prefix_.size());
  if (walk.depth() == 0) {
    print_(quoted_name(walk.path_of()) + "\n");
  } else {
    prefix_ += is_last_ ? "    " : "│   ";
  }
  return true;
}

Result<bool> TreeDrawing::visit(const TreeWalk& walk, const WalkedName& name) {
  counts_.add(name.inode);
  is_last_ = name.is_last;
  std::string line = prefix_ + (name.is_last ? "└── " : "├── ") + quoted_name(name.name);
  if (name.inode != nullptr && name.inode->is(InodeType::kSymlink)) {
    const auto target = volume_.read_link(name.number, *name.inode);
    if (target) {
      line += " -> " + quoted_name(*target);
    } else {
      trouble(walk.path_of(name.name), target.error());
    }
  }
  print_(line + "\n");
  return true;
}

Result<void> TreeDrawing::leave(const TreeWalk&, const WalkedName&) {
  prefix_.resize(prefix_sizes_.back());
  prefix_sizes_.pop_back();
  return {};
}

}  // namespace powercut::lab
