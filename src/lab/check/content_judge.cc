#include "lab/check/content_judge.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace powercut::lab {
namespace {

// What of the geometry decides where an inode and a block of a file lie.
bool is_same_geometry(const Volume& a, const Volume& b) {
  const Superblock &x = a.superblock(), &y = b.superblock();
  const auto features = [](const Superblock& one) {
    return std::pair(one.incompat & ~static_cast<std::uint32_t>(Ext4Incompat::kRecover),
                     one.ro_compat);
  };
  if (x.block_count != y.block_count || x.log_block_size != y.log_block_size ||
      x.first_data_block != y.first_data_block || x.inode_count != y.inode_count ||
      x.blocks_per_group != y.blocks_per_group || x.inodes_per_group != y.inodes_per_group ||
      x.inode_bytes != y.inode_bytes || x.descriptor_bytes != y.descriptor_bytes ||
      x.first_meta_group != y.first_meta_group || x.checksum_seed() != y.checksum_seed() ||
      x.hash_seed != y.hash_seed || x.flags != y.flags || features(x) != features(y)) {
    return false;
  }
  for (std::uint32_t i = 0; i < a.group_count(); ++i) {
    const auto one = a.group(i), other = b.group(i);
    if (one.has_value() != other.has_value()) return false;
    if (one && one->inode_table != other->inode_table) return false;
  }
  return true;
}

}  // namespace

ContentJudge::~ContentJudge() = default;

void ContentJudge::begin(const StateImage& image) {
  image_ = &image;
  view_.emplace(image);
  roles_.emplace(image.block_count());
  facts_.emplace(image.block_bytes());
  for (const std::uint32_t run : book_.runs()) facts_->add_run(run);
  volume_.reset();
  no_volume_.reset();
  geometry_blocks_.clear();
  inodes_.clear();
  directories_.clear();
  inode_at_.clear();
  directory_at_.clear();
  names_.clear();
  files_.clear();
  dirty_inodes_.clear();
  dirty_directories_.clear();
  dirty_names_.clear();
  dirty_files_.clear();
  problem_count_ = 0;
  is_geometry_dirty_ = true;
  BookChange all;
  for (std::uint32_t i = 0; i < book_.files().size(); ++i) all.new_files.push_back(i);
  for (std::uint32_t i = 0; i < book_.names().size(); ++i) all.new_names.push_back(i);
  watch_new(all);
}

void ContentJudge::learn(std::string_view mark) {
  const BookChange change = book_.learn(mark);
  if (image_ == nullptr) return;
  if (change.has_new_run) {
    facts_->add_run(book_.runs().back());
    look_anew();  // the way of treating data may be another one now
  }
  watch_new(change);
  take_in(change);
}

void ContentJudge::watch_new(const BookChange& change) {
  for (const std::uint32_t file : change.new_files) {
    const InodeNo number = book_.files()[file].inode;
    const auto [known, is_new] =
        inode_at_.emplace(number.value(), static_cast<std::uint32_t>(inodes_.size()));
    if (is_new) inodes_.emplace_back().number = number;
    inodes_[known->second].files.push_back(file);
    files_.emplace_back().inode = known->second;
    mark_inode(known->second);
    mark_file(file);
  }
  for (const std::uint32_t name : change.new_names) {
    const PromisedName& promised = book_.names()[name];
    const auto [known, is_new] = directory_at_.emplace(
        promised.directory.value(), static_cast<std::uint32_t>(directories_.size()));
    if (is_new) directories_.emplace_back().number = promised.directory;
    WatchedDirectory& directory = directories_[known->second];
    directory.names.push_back(name);
    directory.name_at.emplace(promised.name, name);
    names_.emplace_back().directory = known->second;
    mark_directory(known->second);
    mark_name(name);
  }
}

// What was promised of things that are watched has changed.
void ContentJudge::take_in(const BookChange& change) {
  for (const std::uint32_t name : change.changed_names) mark_name(name);
  for (const std::uint32_t file : change.changed_held) {
    mark_file(file);
    // What is owed of its words may depend on it (word_rules.h).
    if (is_present(file)) judge_all_blocks(inodes_[files_[file].inode]);
  }
  for (const std::uint32_t file : change.changed_sizes) {
    if (is_present(file)) judge_size(inodes_[files_[file].inode]);
  }
  for (const BookChange::Range& range : change.changed_words) {
    if (!is_present(range.file)) continue;
    const std::uint32_t at = files_[range.file].inode;
    if (book_.files()[range.file].is_gone) {
      leave_inode(at);
      mark_inode(at);
      continue;
    }
    WatchedInode& watched = inodes_[at];
    const std::uint32_t units = units_per_block();
    const std::uint32_t end = std::min(block_count_of(watched), range.end_unit / units + 1);
    for (std::uint32_t block = range.first_unit / units; block < end; ++block) {
      judge_block(watched, block);
    }
  }
}

void ContentJudge::open_geometry() {
  is_geometry_dirty_ = false;
  auto opened = Volume::open(*view_);
  if (opened && opened->superblock().block_bytes() != image_->block_bytes()) {
    opened = fail(Errc::kCorrupt, "superblock: blocks of another size than the image's");
  }
  const bool is_same = opened && volume_ && is_same_geometry(*opened, *volume_);
  if (is_same) return;
  for (const BlockNo block : geometry_blocks_) roles_->remove(block, {Part::kGeometry, 0, 0});
  geometry_blocks_ = {BlockNo(kSuperblockOffset / image_->block_bytes())};
  count(no_volume_.has_value(), !opened);
  no_volume_.reset();
  volume_.reset();
  if (opened) {
    volume_.emplace(std::move(*opened));
    const Superblock& superblock = volume_->superblock();
    for (std::uint32_t i = 0; i < superblock.descriptor_block_count(); ++i) {
      geometry_blocks_.push_back(superblock.descriptor_block(i));
    }
  } else {
    no_volume_ = opened.error();
  }
  for (const BlockNo block : geometry_blocks_) roles_->add(block, {Part::kGeometry, 0, 0});
  look_anew();
}

// Forgets what was read of everything, so that it is read again.
void ContentJudge::look_anew() {
  for (std::uint32_t i = 0; i < inodes_.size(); ++i) {
    leave_inode(i);
    leave_slot(i);
    mark_inode(i);
  }
  for (std::uint32_t i = 0; i < directories_.size(); ++i) mark_directory(i);
  // Also those that stay as they are: without a volume nothing is held against a name.
  for (std::uint32_t i = 0; i < names_.size(); ++i) mark_name(i);
  for (std::uint32_t i = 0; i < files_.size(); ++i) mark_file(i);
}

void ContentJudge::change(BlockNo block, ContentId from, ContentId to) {
  const Bytes before = image_->pool().bytes(from), now = image_->pool().bytes(to);
  roles_->for_each(block, [&](const Role& role) { tell(role, before, now); });
}

void ContentJudge::tell(const Role& role, Bytes from, Bytes to) {
  switch (role.part) {
    case Part::kGeometry: is_geometry_dirty_ = true; return;
    case Part::kSlot:
      if (has_changed(role.place, from, to)) mark_inode(role.owner);
      return;
    case Part::kMap: inodes_[role.owner].is_map_dirty = true; return mark_inode(role.owner);
    case Part::kData: return judge_block(inodes_[role.owner], role.place);
    case Part::kDirectorySlot:
      if (has_changed(role.place, from, to)) mark_directory(role.owner);
      return;
    case Part::kDirectory: return mark_directory(role.owner);
  }
}

// Whether the inode at `place` differs.
bool ContentJudge::has_changed(std::uint32_t place, Bytes from, Bytes to) const {
  if (!volume_) return true;
  const std::size_t length = volume_->superblock().inode_bytes;
  return std::memcmp(from.data() + place, to.data() + place, length) != 0;
}

bool ContentJudge::settle() {
  if (is_geometry_dirty_) open_geometry();
  // Each step marks only for those after it.
  for (const std::uint32_t at : std::exchange(dirty_inodes_, {})) read_inode(at);
  for (const std::uint32_t at : std::exchange(dirty_directories_, {})) read_directory(at);
  for (const std::uint32_t name : std::exchange(dirty_names_, {})) judge_name(name);
  for (const std::uint32_t file : std::exchange(dirty_files_, {})) judge_held(file);
  return problem_count_ == 0;
}

std::vector<CheckFinding> ContentJudge::findings(std::size_t max) const {
  std::vector<CheckFinding> found;
  if (no_volume_ && max > 0) {
    found.push_back(finding("volume-unreadable", error_words(*no_volume_)));
  }
  add_name_findings(max, found);
  add_file_findings(max, found);
  return found;
}

void ContentJudge::mark_inode(std::uint32_t at) {
  if (std::exchange(inodes_[at].is_dirty, true)) return;
  dirty_inodes_.push_back(at);
}

void ContentJudge::mark_directory(std::uint32_t at) {
  if (std::exchange(directories_[at].is_dirty, true)) return;
  dirty_directories_.push_back(at);
}

void ContentJudge::mark_name(std::uint32_t name) {
  if (std::exchange(names_[name].is_dirty, true)) return;
  dirty_names_.push_back(name);
}

// Who holds it is to be looked at again.
void ContentJudge::mark_file(std::uint32_t file) {
  if (std::exchange(files_[file].is_dirty, true)) return;
  dirty_files_.push_back(file);
}

std::optional<ContentJudge::Slot> ContentJudge::slot_of(InodeNo number) const {
  if (!volume_) return std::nullopt;
  const Superblock& superblock = volume_->superblock();
  if (number.value() == 0 || number.value() > superblock.inode_count) return std::nullopt;
  const std::uint32_t position = number.value() - 1;
  const auto group = volume_->group(position / superblock.inodes_per_group);
  if (!group) return std::nullopt;
  const std::uint64_t at =
      std::uint64_t{position % superblock.inodes_per_group} * superblock.inode_bytes;
  const std::uint32_t block_bytes = superblock.block_bytes();
  const BlockNo block = group->inode_table + at / block_bytes;
  if (block.value() >= image_->block_count()) return std::nullopt;
  return Slot{block, static_cast<std::uint32_t>(at % block_bytes)};
}

}  // namespace powercut::lab
