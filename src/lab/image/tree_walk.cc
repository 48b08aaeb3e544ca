#include "lab/image/tree_walk.h"

#include <algorithm>

namespace powercut::lab {
namespace {

bool is_dot(std::string_view name) {
  return name == "." || name == "..";
}

void add_to_path(std::string& path, std::string_view name) {
  if (!path.empty() && path.back() != '/' && !name.empty()) path += '/';
  path += name;
}

}  // namespace

std::string joined_path(std::string_view path, std::string_view name) {
  std::string joined(path);
  add_to_path(joined, name);
  return joined;
}

std::string TreeWalk::path_of(std::string_view name) const {
  std::string path = start_path_;
  for (std::size_t i = 1; i < levels_.size(); ++i) add_to_path(path, levels_[i].name);
  add_to_path(path, name);
  return path;
}

Result<void> TreeWalk::run(InodeNo number, const Inode& inode, TreeVisitor& visitor) {
  if (!inode.is(InodeType::kDirectory)) {
    return fail(Errc::kInvalid, "inode: not a directory", number.value());
  }
  levels_.clear();
  entered_.clear();
  held_bytes_ = 0;
  TRY(descend({}, number, inode, visitor));
  while (!levels_.empty()) TRY(step(visitor));
  return {};
}

Result<void> TreeWalk::descend(std::string_view name, InodeNo number, const Inode& inode,
                               TreeVisitor& visitor) {
  if (levels_.size() > kDepthMax) {
    visitor.trouble(path_of(name), fail(Errc::kLimit, "directory: too deep", kDepthMax).error);
    return {};
  }
  if (!entered_.insert(number.value()).second) {
    visitor.trouble(
        path_of(name),
        fail(Errc::kCorrupt, "directory: met again, by a loop or a second name", number.value())
            .error);
    return {};
  }
  levels_.push_back({.name = std::string(name), .number = number, .inode = inode});
  Level& level = levels_.back();
  const bool is_entered = TRY(visitor.enter(*this, {level.name, number, &level.inode}));
  if (!is_entered) {
    levels_.pop_back();
    return {};
  }
  list(level, visitor);
  return {};
}

void TreeWalk::list(Level& level, TreeVisitor& visitor) {
  bool is_full = false;
  const auto take = [&](const DirectoryEntry& entry) {
    if (!options_.has_dots && is_dot(entry.name)) return true;
    const std::uint64_t held = level.text.size() + level.listed.size() * sizeof(Listed);
    is_full = held_bytes_ + held > kHeldBytesMax;
    if (is_full) return false;
    level.listed.push_back({level.text.size(), entry.inode,
                            static_cast<std::uint8_t>(entry.name.size()), entry.file_type});
    level.text += entry.name;
    return true;
  };
  const auto walked = volume_.for_each_entry(level.number, level.inode, take);
  if (!walked) visitor.trouble(path_of(), walked.error());
  if (is_full) {
    visitor.trouble(
        path_of(),
        fail(Errc::kLimit, "directory: more names than can be held in memory", kHeldBytesMax)
            .error);
  }
  sort(level);
  hold(level);
}

void TreeWalk::sort(Level& level) const {
  if (options_.order == WalkOrder::kByInodeLevelwise) {
    std::ranges::stable_sort(level.listed, {}, &Listed::number);
  } else {
    std::ranges::stable_sort(level.listed, {},
                             [&level](const Listed& entry) { return level.name_of(entry); });
  }
}

void TreeWalk::hold(Level& level) {
  held_bytes_ -= level.held_bytes;
  level.held_bytes = level.text.size() + level.listed.size() * sizeof(Listed);
  held_bytes_ += level.held_bytes;
}

// One name of the directory that was entered last, or its end.
Result<void> TreeWalk::step(TreeVisitor& visitor) {
  Level& level = levels_.back();
  if (level.next == level.listed.size()) return end_pass(visitor);
  const Listed entry = level.listed[level.next++];
  const bool is_last = level.next == level.listed.size();
  if (level.is_second_pass) return enter_listed(entry, visitor);
  const bool is_wanted = TRY(show(entry, is_last, visitor));
  if (options_.order == WalkOrder::kByName) {
    return is_wanted ? enter_listed(entry, visitor) : Result<void>();
  }
  // What is to be entered in the second pass is kept at the front, where it was shown already.
  if (is_wanted) level.listed[level.kept_count++] = entry;
  return {};
}

Result<bool> TreeWalk::show(const Listed& entry, bool is_last, TreeVisitor& visitor) {
  const Level& level = levels_.back();
  const std::string_view name = level.name_of(entry);
  const auto inode = volume_.inode(entry.number);
  if (!inode) visitor.trouble(path_of(name), inode.error());
  const WalkedName walked{name, entry.number, inode ? &*inode : nullptr, entry.file_type, is_last};
  const bool is_wanted = TRY(visitor.visit(*this, walked));
  return is_wanted && inode && inode->is(InodeType::kDirectory) && !is_dot(name) &&
         levels_.size() < options_.depth_max;
}

Result<void> TreeWalk::enter_listed(const Listed& entry, TreeVisitor& visitor) {
  // By value: the level may move when a new one is pushed.
  const std::string name(levels_.back().name_of(entry));
  const auto inode = volume_.inode(entry.number);
  if (!inode) {
    visitor.trouble(path_of(name), inode.error());
    return {};
  }
  return descend(name, entry.number, *inode, visitor);
}

Result<void> TreeWalk::end_pass(TreeVisitor& visitor) {
  Level& level = levels_.back();
  if (!level.is_second_pass && level.kept_count != 0) {
    level.is_second_pass = true;
    level.next = 0;
    level.listed.resize(level.kept_count);
    level.listed.shrink_to_fit();
    hold(level);
    return {};
  }
  TRY(visitor.leave(*this, {level.name, level.number, &level.inode}));
  held_bytes_ -= level.held_bytes;
  levels_.pop_back();
  return {};
}

}  // namespace powercut::lab
