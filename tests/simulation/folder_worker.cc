#include "tests/simulation/folder_worker.h"

#include <algorithm>

#include "base/check.h"

namespace powercut::testing {
namespace {

constexpr std::size_t kFilesMax = 6;
constexpr std::size_t kFileBytesMax = 40'000;
constexpr std::size_t kOrphansMax = 2;

void put(std::vector<std::uint8_t>& bytes, std::size_t at, Bytes from) {
  if (bytes.size() < at + from.size()) bytes.resize(at + from.size());
  std::ranges::copy(from, bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

void put_zeroes(std::vector<std::uint8_t>& bytes, std::size_t at, std::size_t end) {
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at, bytes.size())),
            bytes.begin() + static_cast<std::ptrdiff_t>(std::min(end, bytes.size())), 0);
}

Result<void> without_count(const Result<std::size_t>& written) {
  if (!written) return Failure{written.error()};
  return {};
}

}  // namespace

void FolderTally::add(const FolderTally& other) {
  operations += other.operations;
  syncs += other.syncs;
  without_room += other.without_room;
  orphans += other.orphans;
  renames_over += other.renames_over;
}

void FolderWorker::run(unsigned operations) {
  next_number_ = 1;
  for (const auto& [path, file] : model_) {
    if (file != nullptr) next_number_ = std::max(next_number_, file->number + 1);
  }
  for (unsigned i = 0; i < operations && !is_over_; ++i) one_operation();
  while (!orphans_.empty() && !is_over_) {
    take_end(fs::close_node(core_, orphans_.front()));
    orphans_.pop_front();
  }
  orphans_.clear();
}

void FolderWorker::one_operation() {
  ++tally_.operations;
  switch (random_.below(26)) {
    case 0:
    case 1: return create();
    case 2:
    case 3:
    case 4: return write_over();
    case 5: return scatter();
    case 6:
    case 7: return append();
    case 8:
    case 9:
    case 10: return rename_something();
    case 11:
    case 12: return truncate();
    case 13: return make_hole(true);
    case 14: return make_hole(false);
    case 15: return remove();
    case 16: return use_orphan();
    case 17: return make_directory();
    case 18: return remove_directory();
    case 19: return link();
    case 20: return change_attributes();
    case 21: return take_room();
    case 22:
    case 23: return sync_one();
    case 24: return sync_folder();
    default: return sync_all();
  }
}

bool FolderWorker::perform(const std::string& what, FolderModel next, const Operation& operation,
                           const std::vector<FolderModel>& between) {
  const std::size_t first = history_.steps.size();
  const std::uint64_t began = histories_.next_moment();
  for (const FolderModel& each : between) history_.steps.push_back({"a part", each, began});
  history_.steps.push_back({what, next, began});
  const Result<void> outcome = operation();
  if (!outcome && outcome.error().code == Errc::kNoSpace) {
    // Nothing of it may be seen.
    history_.steps.resize(first);
    ++tally_.without_room;
    return false;
  }
  take_end(outcome);
  if (is_over_) return false;
  const std::uint64_t ended = histories_.next_moment();
  for (std::size_t i = first; i < history_.steps.size(); ++i) history_.steps[i].ended = ended;
  model_ = std::move(next);
  return true;
}

void FolderWorker::take_end(const Result<void>& outcome) {
  if (outcome || is_over_) return;
  is_over_ = true;
  // Without power the device fails, and with it the journal.
  const Errc code = outcome.error().code;
  if (code == Errc::kIo || code == Errc::kAborted) return;
  Simulation::fail(history_.folder + ": " + history_.steps.back().what + ": " +
                   error_words(outcome.error()));
}

// ---- operations

void FolderWorker::create() {
  if (files().size() >= kFilesMax) return write_over();
  const std::string path = draw_free_name(draw(directories()));
  FolderModel next = model_;
  const auto file = std::make_shared<ModelFile>();
  file->number = next_number_++;
  next[path] = file;
  const fs::NodeRef parent = parent_of(path);
  if (!parent) return;
  const bool is_done = perform("create " + path, next, [&]() -> Result<void> {
    TRY(fs::make_file(core_, *parent, name_of(path), {}));
    return {};
  });
  if (!is_done) return;
  note_change(path, true);
  note_names(path);
}

void FolderWorker::write_over() {
  if (files().empty()) return create();
  const std::string path = draw(files());
  const std::size_t size = model_.at(path)->bytes.size();
  const std::size_t at = random_.below(std::min(size + 3000, kFileBytesMax - kWriteBytesMax));
  write_at(path, at, 1 + random_.below(write_bytes_max_));
}

void FolderWorker::write_at(const std::string& path, std::size_t at, std::size_t count) {
  const auto bytes = counted_bytes(count);
  const fs::NodeRef node = node_of(path);
  if (!node) return;
  const bool is_done =
      perform("write " + path, with(path, [&](ModelFile& file) { put(file.bytes, at, bytes); }),
              [&] { return without_count(fs::write_file(core_, *node, at, bytes)); });
  if (is_done) note_change(path, true);
}

void FolderWorker::append() {
  if (files().empty()) return create();
  const std::string path = draw(files());
  const std::size_t size = model_.at(path)->bytes.size();
  if (size + kWriteBytesMax > kFileBytesMax) return truncate();
  const auto bytes = counted_bytes(1 + random_.below(write_bytes_max_));
  const fs::NodeRef node = node_of(path);
  if (!node) return;
  const bool is_done =
      perform("append " + path, with(path, [&](ModelFile& file) { put(file.bytes, size, bytes); }),
              [&]() -> Result<void> {
                TRY(fs::append_file(core_, *node, bytes));
                return {};
              });
  if (is_done) note_change(path, true);
}

// Blocks with holes between them; then most of these runs go, in a transaction that has none of the
// blocks yet which that changes, so that it may not hold them all.
void FolderWorker::scatter() {
  if (files().empty()) return create();
  give_room_back();
  const std::string path = draw(files());
  const std::size_t block = core_.block_bytes();
  const std::size_t holes = 5 + random_.below(10);
  for (std::size_t i = 1; i <= holes && !is_over_; ++i) {
    const std::size_t at = 2 * i * block;
    const auto file = model_.find(path);
    if (file == model_.end() || at + block > kFileBytesMax) break;
    write_at(path, at, 1 + random_.below(block));
  }
  if (is_over_ || random_.chance(1, 4)) return;
  sync_volume();
  if (!is_over_ && model_.contains(path)) truncate_to(path, random_.below(8 * block));
}

void FolderWorker::truncate() {
  if (files().empty()) return create();
  const std::string path = draw(files());
  const std::size_t old = model_.at(path)->bytes.size();
  const std::size_t size =
      random_.chance(2, 3) ? random_.below(old + 1) : random_.below(kFileBytesMax);
  truncate_to(path, size);
}

void FolderWorker::truncate_to(const std::string& path, std::size_t size) {
  const fs::NodeRef node = node_of(path);
  if (!node) return;
  const bool is_done = perform("truncate " + path + " to " + std::to_string(size),
                               with(path, [&](ModelFile& file) { file.bytes.resize(size); }),
                               [&] { return fs::truncate_file(core_, node, size); });
  if (is_done) note_change(path, true);
}

// Both take away block by block, back to front, where one transaction does not hold all.
void FolderWorker::make_hole(bool is_punched) {
  if (files().empty()) return create();
  const std::string path = draw(files());
  const std::size_t size = model_.at(path)->bytes.size();
  if (size == 0) return append();
  const std::size_t at = random_.below(size), end = at + 1 + random_.below(size - at);
  const std::size_t block = core_.block_bytes();
  const std::size_t first = (at + block - 1) / block * block, last = end / block * block;
  std::vector<FolderModel> between;
  for (std::size_t begin = last; begin > first; begin -= block) {
    between.push_back(with(path, [&](ModelFile& file) {
      put_zeroes(file.bytes, at, std::min(first, end));
      put_zeroes(file.bytes, begin, end);
    }));
  }
  const fs::NodeRef node = node_of(path);
  if (!node) return;
  const fs::Range range{at, end - at};
  const bool is_done =
      perform((is_punched ? "punch " : "zero ") + path,
              with(path, [&](ModelFile& file) { put_zeroes(file.bytes, at, end); }),
              [&] {
                return is_punched ? fs::punch_range(core_, *node, range)
                                  : fs::zero_range(core_, *node, range, true);
              },
              between);
  if (is_done) note_change(path, true);
}

void FolderWorker::rename_something() {
  const Names all = files();
  if (all.empty()) return create();
  if (directories().size() > 1 && random_.chance(1, 6)) {
    return rename_directory(directories()[1 + random_.below(directories().size() - 1)]);
  }
  const std::string from = draw(all);
  const bool is_over = all.size() > 1 && random_.chance(2, 3);
  const std::string to = is_over ? draw(all) : draw_free_name(draw(directories()));
  if (to == from || (is_over && model_.at(to) == model_.at(from))) return append();
  rename_file(from, to);
}

void FolderWorker::rename_file(const std::string& from, const std::string& to) {
  FolderModel next = model_;
  if (next.contains(to)) ++tally_.renames_over;
  next[to] = next.at(from);
  next.erase(from);
  const fs::NodeRef old_parent = parent_of(from), new_parent = parent_of(to);
  if (!old_parent || !new_parent) return;
  const bool is_done = perform("rename " + from + " to " + to, next, [&] {
    return fs::rename(core_, {*old_parent, name_of(from)}, {*new_parent, name_of(to)},
                      fs::RenameHow::kReplace);
  });
  if (!is_done) return;
  note_change(to, false);
  note_names(from);
  note_names(to);
}

void FolderWorker::rename_directory(const std::string& from) {
  const std::string to = "d" + std::to_string(random_.below(5));
  if (model_.contains(to)) return rename_file(draw(files()), draw_free_name(from));
  FolderModel next;
  for (const auto& [path, file] : model_) {
    const bool is_below = path == from || path.starts_with(from + "/");
    next[is_below ? to + path.substr(from.size()) : path] = file;
  }
  const fs::NodeRef parent = node_of("");
  if (!parent) return;
  const bool is_done = perform("rename " + from + " to " + to, next, [&] {
    return fs::rename(core_, {*parent, from}, {*parent, to}, fs::RenameHow::kReplace);
  });
  if (!is_done) return;
  changed_names_.erase(from);
  changed_names_[to] = history_.steps.size() - 1;
  note_names(to);
}

// A file that is open stays until it is closed.
void FolderWorker::remove() {
  if (files().empty()) return create();
  const std::string path = draw(files());
  const fs::NodeRef node = node_of(path), parent = parent_of(path);
  if (!node || !parent) return;
  const bool is_last = std::ranges::count_if(model_, [&](const auto& each) {
                         return each.second == model_.at(path);
                       }) == 1;
  const bool is_held = is_last && random_.chance(1, 2) && orphans_.size() < kOrphansMax;
  if (is_held) {
    take_end(fs::open_node(*node));
    orphans_.push_back(node);
  }
  FolderModel next = model_;
  const std::uint64_t number = next.at(path)->number;
  next.erase(path);
  const bool is_done = perform("remove " + path, next,
                               [&] { return fs::remove_file(core_, *parent, name_of(path)); });
  if (!is_done) return;
  changed_[number] = history_.steps.size() - 1;
  note_names(path);
  if (is_held) ++tally_.orphans;
}

// What has no name is seen by nobody; what it takes and gives back is.
void FolderWorker::use_orphan() {
  if (orphans_.empty()) return remove();
  const fs::NodeRef node = orphans_.front();
  if (random_.chance(1, 2)) {
    const auto bytes = counted_bytes(1 + random_.below(write_bytes_max_));
    const auto written = fs::append_file(core_, *node, bytes);
    if (!written && written.error().code != Errc::kNoSpace) take_end(Failure{written.error()});
    return;
  }
  orphans_.pop_front();
  take_end(fs::close_node(core_, node));
}

void FolderWorker::make_directory() {
  if (directories().size() > 3) return remove_directory();
  const std::string path = "d" + std::to_string(random_.below(5));
  if (model_.contains(path)) return create();
  FolderModel next = model_;
  next[path] = nullptr;
  const fs::NodeRef parent = parent_of(path);
  if (!parent) return;
  const bool is_done = perform("mkdir " + path, next, [&]() -> Result<void> {
    TRY(fs::make_directory(core_, *parent, path, {.permissions = 0755}));
    return {};
  });
  if (!is_done) return;
  note_names(path);
  changed_names_[path] = history_.steps.size() - 1;
}

void FolderWorker::remove_directory() {
  for (const std::string& path : directories()) {
    const bool is_empty = !path.empty() && std::ranges::none_of(model_, [&](const auto& each) {
      return each.first.starts_with(path + "/");
    });
    if (!is_empty) continue;
    FolderModel next = model_;
    next.erase(path);
    const fs::NodeRef parent = parent_of(path);
    if (!parent) return;
    const bool is_done =
        perform("rmdir " + path, next, [&] { return fs::remove_directory(core_, *parent, path); });
    if (is_done) note_names(path);
    return;
  }
  append();
}

void FolderWorker::link() {
  if (files().empty() || files().size() >= kFilesMax) return remove();
  const std::string old = draw(files()), path = draw_free_name(draw(directories()));
  FolderModel next = model_;
  next[path] = next.at(old);
  const fs::NodeRef node = node_of(old), parent = parent_of(path);
  if (!node || !parent) return;
  const bool is_done = perform("link " + old + " to " + path, next,
                               [&] { return fs::make_link(core_, node, *parent, name_of(path)); });
  if (!is_done) return;
  note_change(path, false);
  note_names(path);
}

void FolderWorker::change_attributes() {
  if (files().empty()) return create();
  const std::string path = draw(files());
  const fs::NodeRef node = node_of(path);
  if (!node) return;
  if (random_.chance(1, 4)) {
    const auto mode = static_cast<std::uint16_t>(random_.below(0777));
    const bool is_done =
        perform("chmod " + path, with(path, [&](ModelFile& file) { file.permissions = mode; }),
                [&] { return fs::change_status(core_, *node, {.permissions = mode}); });
    if (is_done) note_change(path, false);
    return;
  }
  const std::string name = "trusted.a" + std::to_string(random_.below(3));
  const bool has_it = model_.at(path)->attributes.contains(name);
  const bool goes = has_it && random_.chance(1, 2);
  const std::string value(random_.below(random_.chance(1, 2) ? 400 : 20), 'v');
  const auto next = with(path, [&](ModelFile& file) {
    if (goes) file.attributes.erase(name);
    if (!goes) file.attributes[name] = value;
  });
  const bool is_done = perform("attribute of " + path, next, [&] {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(value.data());
    return goes ? fs::remove_xattr(core_, *node, name)
                : fs::set_xattr(core_, *node, name, Bytes(bytes, value.size()),
                                fs::SetMode::kEither);
  });
  if (is_done) note_change(path, false);
}

// Most of what is free, behind the end of a file; others find no room then.
void FolderWorker::take_room() {
  if (files().empty()) return create();
  const std::string path = draw(files());
  const fs::NodeRef node = node_of(path);
  if (!node) return;
  const std::uint64_t free = mounted_.space().available_blocks;
  const std::uint64_t blocks = free - std::min<std::uint64_t>(free, random_.below(40));
  if (blocks == 0) return;
  const std::uint64_t size = model_.at(path)->bytes.size();
  const bool is_done = perform("allocate behind " + path, model_, [&] {
    return fs::allocate_range(core_, *node, {size, blocks * core_.block_bytes()}, true);
  });
  if (!is_done) return;
  has_room_ = model_.at(path)->number;
  note_change(path, true);
}

void FolderWorker::give_room_back() {
  const auto holder = std::ranges::find_if(model_, [&](const auto& each) {
    return each.second != nullptr && each.second->number == has_room_;
  });
  if (holder == model_.end()) return;
  const std::string path = holder->first;  // the model changes
  truncate_to(path, holder->second->bytes.size());
  has_room_ = 0;
}

// ---- syncs

void FolderWorker::answer(std::size_t step) {
  ++tally_.syncs;
  history_.answered = std::max(history_.answered, step);
}

void FolderWorker::sync_one() {
  if (files().empty()) return sync_all();
  const std::string path = draw(files());
  const bool data_only = random_.chance(1, 2);
  const auto& changed = data_only ? changed_data_ : changed_;
  const auto step = changed.find(model_.at(path)->number);
  const std::size_t durable = step == changed.end() ? 0 : step->second;
  const fs::NodeRef node = node_of(path);
  if (!node) return;
  const auto synced = fs::sync_file(core_, *node, data_only);
  take_end(synced);
  if (synced) answer(durable);
}

void FolderWorker::sync_folder() {
  const std::string path = draw(directories());
  const auto step = changed_names_.find(path);
  const std::size_t durable = step == changed_names_.end() ? 0 : step->second;
  const fs::NodeRef node = node_of(path);
  if (!node) return;
  const auto synced = fs::sync_file(core_, *node, false);
  take_end(synced);
  if (synced) answer(durable);
}

void FolderWorker::sync_all() {
  if (random_.chance(1, 2)) {
    Simulation::sleep_for(std::chrono::milliseconds(1 + random_.below(20)));
    return;
  }
  sync_volume();
}

void FolderWorker::sync_volume() {
  const std::size_t durable = history_.steps.size() - 1;
  const auto synced = mounted_.sync();
  take_end(synced);
  if (synced) answer(durable);
}

}  // namespace powercut::testing
