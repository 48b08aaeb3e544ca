// The part of ContentJudge that looks at directories and names.
#include "lab/check/content_judge.h"
#include "reader/directory_walk.h"

namespace powercut::lab {

void ContentJudge::leave_directory(std::uint32_t at) {
  WatchedDirectory& directory = directories_[at];
  for (const BlockNo block : directory.blocks) roles_->remove(block, {Part::kDirectory, at, 0});
  directory.blocks.clear();
  if (directory.slot_block) {
    roles_->remove(*directory.slot_block, {Part::kDirectorySlot, at, directory.slot_place});
  }
  directory.slot_block.reset();
}

// Finds the entries that are named in promises, and notes the blocks that this depends on.
Result<void> ContentJudge::walk_entries(WatchedDirectory& directory,
                                        std::map<std::uint32_t, InodeNo>& found) {
  const Inode inode = TRY(volume_->inode(directory.number));
  if (!inode.is(InodeType::kDirectory)) {
    return fail(Errc::kCorrupt, "inode: not a directory", directory.number.value());
  }
  const std::uint64_t most = image_->block_count();
  bool is_too_long = false;
  const auto note = [&](BlockNo block) {
    directory.blocks.push_back(block);
    is_too_long = directory.blocks.size() > most;
    return !is_too_long;
  };
  const auto run = [&](const FileRun& blocks) {
    bool goes_on = true;
    for (std::uint64_t i = 0; i < blocks.count && goes_on; ++i) goes_on = note(blocks.device + i);
    return goes_on;
  };
  TRY(volume_->for_each_run(directory.number, inode, run, note));
  if (is_too_long) {
    return fail(Errc::kCorrupt, "directory: longer than the disk", directory.number.value());
  }
  const auto entry = [&](const DirectoryEntry& one) {
    const auto known = directory.name_at.find(one.name);
    if (known != directory.name_at.end()) found.emplace(known->second, one.inode);
    return true;
  };
  return volume_->for_each_entry(directory.number, inode, entry);
}

void ContentJudge::read_directory(std::uint32_t at) {
  leave_directory(at);
  WatchedDirectory& directory = directories_[at];
  directory.is_dirty = false;
  std::map<std::uint32_t, InodeNo> found;
  Result<void> outcome;
  if (volume_) {
    outcome = walk_entries(directory, found);
    if (const auto slot = slot_of(directory.number)) {
      directory.slot_block = slot->block;
      directory.slot_place = slot->place;
      roles_->add(slot->block, {Part::kDirectorySlot, at, slot->place});
    }
  }
  for (const BlockNo block : directory.blocks) roles_->add(block, {Part::kDirectory, at, 0});
  count(directory.unreadable.has_value(), !outcome);
  const bool was_unreadable = directory.unreadable.has_value();
  directory.unreadable.reset();
  if (!outcome) {
    directory.unreadable = outcome.error();
    found.clear();
  }
  for (const std::uint32_t name : directory.names) {
    const auto entry = found.find(name);
    const InodeNo inode = entry == found.end() ? InodeNo(0) : entry->second;
    if (inode == names_[name].inode && was_unreadable == !outcome) continue;
    names_[name].inode = inode;
    mark_name(name);
  }
}

bool ContentJudge::is_name_right(std::uint32_t name) const {
  const PromisedName& promised = book_.names()[name];
  const NameState& state = names_[name];
  if (!volume_ || directories_[state.directory].unreadable || promised.may_be_anything) return true;
  if (state.inode.value() == 0) return promised.may_be_absent;
  return std::ranges::any_of(promised.files, [&](std::uint32_t file) {
    return book_.files()[file].inode == state.inode && is_present(file);
  });
}

void ContentJudge::judge_name(std::uint32_t name) {
  NameState& state = names_[name];
  state.is_dirty = false;
  const bool is_wrong = !is_name_right(name);
  count(state.is_wrong, is_wrong);
  state.is_wrong = is_wrong;
  for (const std::uint32_t file : book_.names()[name].files) mark_file(file);
}

std::uint32_t ContentJudge::held_count(std::uint32_t file) const {
  const PromisedFile& promised = book_.files()[file];
  if (!is_present(file)) return 0;
  return static_cast<std::uint32_t>(std::ranges::count_if(
      promised.names, [&](std::uint32_t name) { return names_[name].inode == promised.inode; }));
}

void ContentJudge::judge_held(std::uint32_t file) {
  FileState& state = files_[file];
  state.is_dirty = false;
  const PromisedFile& promised = book_.files()[file];
  bool is_known = volume_.has_value();
  for (const std::uint32_t name : promised.names) {
    is_known = is_known && !directories_[names_[name].directory].unreadable;
  }
  const std::uint32_t held = held_count(file);
  const bool is_wrong = is_known && (held < promised.held_least || held > promised.held_most);
  count(state.is_held_wrong, is_wrong);
  state.is_held_wrong = is_wrong;
}

CheckFinding ContentJudge::name_finding(std::uint32_t name) const {
  const PromisedName& promised = book_.names()[name];
  const NameState& state = names_[name];
  std::string should;
  for (const std::uint32_t file : promised.files) {
    should += (should.empty() ? "file " : " or file ") + std::to_string(book_.files()[file].number);
  }
  if (promised.may_be_absent) should += should.empty() ? "be absent" : " or be absent";
  const bool is_absent = state.inode.value() == 0;
  const std::string is =
      is_absent ? "is not there" : "is inode " + std::to_string(state.inode.value());
  const std::string_view rule = is_absent                ? "name-lost"
                                : promised.files.empty() ? "name-left"
                                                         : "name-wrong";
  return finding(rule,
                 "name " + promised.name + " in directory inode " +
                     std::to_string(promised.directory.value()) + " " + is + ", must " +
                     (promised.files.empty() ? "" : "be ") + should,
                 promised.directory);
}

void ContentJudge::add_name_findings(std::size_t max, std::vector<CheckFinding>& found) const {
  for (const WatchedDirectory& directory : directories_) {
    if (!directory.unreadable || found.size() >= max) continue;
    found.push_back(
        finding("directory-unreadable", error_words(*directory.unreadable), directory.number));
  }
  for (std::uint32_t name = 0; name < names_.size() && found.size() < max; ++name) {
    if (names_[name].is_wrong) found.push_back(name_finding(name));
  }
  for (std::uint32_t file = 0; file < files_.size() && found.size() < max; ++file) {
    if (!files_[file].is_held_wrong) continue;
    const PromisedFile& promised = book_.files()[file];
    found.push_back(finding("held-count",
                            "file " + std::to_string(promised.number) + " is held by " +
                                std::to_string(held_count(file)) + " names, must be by " +
                                std::to_string(promised.held_least) + " to " +
                                std::to_string(promised.held_most),
                            promised.inode));
  }
}

}  // namespace powercut::lab
