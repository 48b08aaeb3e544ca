// The part of ContentJudge that looks at inodes and the content of files.
#include "lab/check/content_judge.h"
#include "reader/block_map.h"

namespace powercut::lab {

// The file of those promised that lies in the inode now; `inode` is filled then.
std::optional<std::uint32_t> ContentJudge::find_present(const WatchedInode& watched,
                                                        Inode& inode) const {
  if (!volume_) return std::nullopt;
  const auto read = volume_->inode(watched.number);
  if (!read || !read->is(InodeType::kRegular) || read->links == 0) return std::nullopt;
  // The last one that was promised: inode and generation may come again.
  for (auto file = watched.files.rbegin(); file != watched.files.rend(); ++file) {
    if (book_.files()[*file].generation != read->generation) continue;
    inode = *read;
    return *file;
  }
  return std::nullopt;
}

void ContentJudge::read_inode(std::uint32_t at) {
  WatchedInode& watched = inodes_[at];
  watched.is_dirty = false;
  const bool was_map_dirty = std::exchange(watched.is_map_dirty, false);
  if (!watched.slot_block) find_slot(at);
  Inode inode;
  const auto present = find_present(watched, inode);
  const bool is_new = present != watched.present;
  if (is_new) {
    const auto before = watched.present;
    leave_inode(at);
    watched.present = present;
    for (const auto& file : {before, present}) {
      if (!file) continue;
      mark_file(*file);
      for (const std::uint32_t name : book_.files()[*file].names) mark_name(name);
    }
  }
  if (!present) return;
  const bool is_other_map = is_new || was_map_dirty ||
                            inode.block_area != watched.inode.block_area ||
                            inode.flags != watched.inode.flags || inode.size != watched.inode.size;
  watched.inode = inode;
  if (book_.files()[*present].is_gone || !is_other_map) return;
  judge_size(watched);
  read_map(at, is_new);
}

void ContentJudge::find_slot(std::uint32_t at) {
  WatchedInode& watched = inodes_[at];
  const auto slot = slot_of(watched.number);
  if (!slot) return;
  watched.slot_block = slot->block;
  watched.slot_place = slot->place;
  roles_->add(slot->block, {Part::kSlot, at, slot->place});
}

void ContentJudge::leave_slot(std::uint32_t at) {
  WatchedInode& watched = inodes_[at];
  if (!watched.slot_block) return;
  roles_->remove(*watched.slot_block, {Part::kSlot, at, watched.slot_place});
  watched.slot_block.reset();
}

// Forgets what was read of the inode, but where it lies.
void ContentJudge::leave_inode(std::uint32_t at) {
  WatchedInode& watched = inodes_[at];
  set_tree_blocks(at, {});
  for (std::uint32_t block = 0; block < watched.map.size(); ++block) {
    if (watched.map[block].value() != 0) {
      roles_->remove(watched.map[block], {Part::kData, at, block});
    }
  }
  for (const WordProblem problem : watched.problems) count(problem != WordProblem::kNone, false);
  count(watched.unreadable.has_value(), false);
  count(watched.is_size_wrong, false);
  watched.map.clear();
  watched.problems.clear();
  watched.unreadable.reset();
  watched.is_size_wrong = false;
  if (!watched.present) return;
  mark_file(*watched.present);
  for (const std::uint32_t name : book_.files()[*watched.present].names) mark_name(name);
  watched.present.reset();
}

std::uint32_t ContentJudge::block_count_of(const WatchedInode& watched) const {
  constexpr std::uint64_t kBytesMax = (std::uint64_t{kIndexMax} + 1) * kWordBytes;
  if (book_.files()[*watched.present].is_gone) return 0;
  const std::uint64_t bytes = std::min(watched.inode.size, kBytesMax);
  return static_cast<std::uint32_t>((bytes + image_->block_bytes() - 1) / image_->block_bytes());
}

void ContentJudge::set_tree_blocks(std::uint32_t at, std::vector<BlockNo> blocks) {
  WatchedInode& watched = inodes_[at];
  for (const BlockNo block : watched.tree_blocks) roles_->remove(block, {Part::kMap, at, 0});
  watched.tree_blocks = std::move(blocks);
  for (const BlockNo block : watched.tree_blocks) roles_->add(block, {Part::kMap, at, 0});
}

void ContentJudge::read_map(std::uint32_t at, bool is_new) {
  WatchedInode& watched = inodes_[at];
  std::vector<BlockNo> map(block_count_of(watched));
  std::vector<BlockNo> tree_blocks;
  const auto run = [&map](const FileRun& blocks) {
    if (blocks.is_unwritten) return true;
    const std::uint64_t end =
        std::min<std::uint64_t>(map.size(), blocks.file.value() + blocks.count);
    for (std::uint64_t i = blocks.file.value(); i < end; ++i) {
      map[i] = blocks.device + (i - blocks.file.value());
    }
    return true;
  };
  const auto tree = [&](BlockNo block) {
    tree_blocks.push_back(block);
    return tree_blocks.size() <= image_->block_count();
  };
  const auto walked =
      walk_block_map(*volume_, watched.number, watched.inode, {0, map.size()}, run, tree);
  set_tree_blocks(at, std::move(tree_blocks));
  count(watched.unreadable.has_value(), !walked);
  watched.unreadable.reset();
  if (!walked) {
    watched.unreadable = walked.error();
    map.clear();
  }
  set_map(at, std::move(map), is_new);
}

// Judges again what lies elsewhere now, and what the size has come to cover in another way.
void ContentJudge::set_map(std::uint32_t at, std::vector<BlockNo> map, bool is_new) {
  WatchedInode& watched = inodes_[at];
  const auto before = static_cast<std::uint32_t>(watched.map.size());
  const auto now = static_cast<std::uint32_t>(map.size());
  const std::vector<BlockNo> old = std::exchange(watched.map, std::move(map));
  for (std::uint32_t block = now; block < before; ++block) {
    count(watched.problems[block] != WordProblem::kNone, false);
  }
  watched.problems.resize(now, WordProblem::kNone);
  for (std::uint32_t block = 0; block < std::max(before, now); ++block) {
    const BlockNo from = block < before ? old[block] : BlockNo(0);
    const BlockNo to = block < now ? watched.map[block] : BlockNo(0);
    if (from != to) {
      if (from.value() != 0) roles_->remove(from, {Part::kData, at, block});
      if (to.value() != 0) roles_->add(to, {Part::kData, at, block});
    }
    const bool is_at_an_end = block + 1 >= std::min(before, now);
    if (block < now && (is_new || from != to || is_at_an_end)) judge_block(watched, block);
  }
}

void ContentJudge::judge_size(WatchedInode& watched) {
  const PromisedFile& file = book_.files()[*watched.present];
  const std::uint64_t size = watched.inode.size;
  const bool is_wrong = !file.is_gone && (size < file.size_least || size > file.size_most);
  count(watched.is_size_wrong, is_wrong);
  watched.is_size_wrong = is_wrong;
}

WordPlace ContentJudge::place_of(const WatchedInode& watched, std::uint32_t block) const {
  const std::uint32_t first_unit = block * units_per_block();
  const std::uint64_t words = watched.inode.size / kWordBytes;
  const std::uint64_t first = std::uint64_t{first_unit} * kUnitWords;
  return {&book_.files()[*watched.present], first_unit, words > first ? words - first : 0, mode()};
}

Bytes ContentJudge::bytes_of(const WatchedInode& watched, std::uint32_t block) const {
  const BlockNo device = watched.map[block];
  const bool is_there = device.value() != 0 && device.value() < image_->block_count();
  return is_there ? image_->bytes(device) : Bytes{};
}

void ContentJudge::judge_block(WatchedInode& watched, std::uint32_t block) {
  if (block >= watched.map.size()) return;
  const WordPlace place = place_of(watched, block);
  const BlockNo device = watched.map[block];
  WordProblem problem = WordProblem::kNone;
  bool is_known = false;
  if (device.value() != 0 && device.value() < image_->block_count()) {
    const BlockFact& fact = facts_->block(image_->pool(), image_->at(device));
    is_known = is_plainly_right(*facts_, fact, place, units_per_block());
  }
  if (!is_known) {
    problem = judge_words(bytes_of(watched, block), image_->block_bytes(), place).problem;
  }
  count(watched.problems[block] != WordProblem::kNone, problem != WordProblem::kNone);
  watched.problems[block] = problem;
}

CheckFinding ContentJudge::block_finding(const WatchedInode& watched, std::uint32_t block) const {
  const WordPlace place = place_of(watched, block);
  const WordVerdict verdict = judge_words(bytes_of(watched, block), image_->block_bytes(), place);
  const UnitFloor floor = place.file->floor(verdict.index / kUnitWords);
  std::string words = "file " + std::to_string(place.file->number) + " word " +
                      std::to_string(verdict.index) + " (byte " +
                      std::to_string(std::uint64_t{verdict.index} * kWordBytes) + "): ";
  const SelfWord said = WordCode::decode(verdict.stored);
  if (verdict.stored == 0) {
    words += "zero";
  } else if (WordCode(place.file->run).is_own(verdict.stored)) {
    words += "file " + std::to_string(said.file) + " word " + std::to_string(said.index) +
             " version " + std::to_string(said.version);
  } else {
    words += "no word of this run";
  }
  if (floor.version == WordsClause::kMustBeZero) {
    words += ", must be zero";
  } else if (floor.version != 0) {
    words += ", promised version " + std::to_string(floor.version);
  }
  CheckFinding made = finding(rule_of(verdict.problem), std::move(words), watched.number);
  if (watched.map[block].value() != 0) made.block = watched.map[block];
  return made;
}

void ContentJudge::add_file_findings(std::size_t max, std::vector<CheckFinding>& found) const {
  for (const WatchedInode& watched : inodes_) {
    if (!watched.present || found.size() >= max) continue;
    const PromisedFile& file = book_.files()[*watched.present];
    const std::string who = "file " + std::to_string(file.number) + ": ";
    if (watched.is_size_wrong) {
      found.push_back(finding(watched.inode.size < file.size_least ? "size-short" : "size-long",
                              who + "size " + std::to_string(watched.inode.size) + ", promised " +
                                  std::to_string(file.size_least) + " or more",
                              watched.number));
    }
    if (watched.unreadable && found.size() < max) {
      found.push_back(
          finding("file-unreadable", who + error_words(*watched.unreadable), watched.number));
    }
    for (std::uint32_t block = 0; block < watched.problems.size() && found.size() < max; ++block) {
      if (watched.problems[block] == WordProblem::kNone) continue;
      found.push_back(block_finding(watched, block));
    }
  }
}

}  // namespace powercut::lab
