// Random runs: names.
#include <algorithm>

#include "tests/filesystem/model_run.h"

namespace powercut::fs {
namespace {

template <class T>
std::optional<Error> error_of(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

constexpr std::uint32_t kFixed = kImmutable | kAppendOnly;

}  // namespace

// ---- what an operation is about

std::string ModelRun::name_of(std::uint32_t number) {
  constexpr std::uint32_t kNames = 40;
  std::string name = "n" + std::to_string(number % kNames);
  const std::uint32_t rest = number / kNames;
  if (rest % 6 == 0) name += std::string(rest / 6 % 240, 'l');
  return name;
}

ModelId ModelRun::pick_directory(std::uint32_t number) const {
  const std::vector<ModelId> directories = model_.directories();
  return directories[number % directories.size()];
}

std::optional<ModelPlace> ModelRun::pick_place(std::uint32_t number) const {
  const std::vector<ModelPlace> places = model_.places();
  if (places.empty()) return std::nullopt;
  return places[number % places.size()];
}

std::optional<ModelPlace> ModelRun::pick_file_place(std::uint32_t number) const {
  std::vector<ModelPlace> places = model_.places();
  std::erase_if(places, [&](const ModelPlace& place) { return !model_[place.inode].is_file(); });
  if (places.empty()) return std::nullopt;
  return places[number % places.size()];
}

NodeRef ModelRun::node_of_directory(ModelId directory) {
  const std::string path = model_.path(directory);
  auto node = core().nodes->get(kRootInode);
  for (std::size_t at = 0; node && at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    node = lookup(core(), **node, path.substr(at + 1, end - at - 1));
    at = end;
  }
  if (!node && (is_cut() || may_fail_)) return nullptr;
  expect(node.has_value(), path + ": " + (node ? "" : error_words(node.error())));
  return *node;
}

NodeRef ModelRun::node_of(const ModelPlace& place) {
  const NodeRef directory = node_of_directory(place.directory);
  if (directory == nullptr) return nullptr;
  const auto node = lookup(core(), *directory, place.name);
  if (!node && (is_cut() || may_fail_)) return nullptr;
  expect(node.has_value(), place.name + ": " + (node ? "" : error_words(node.error())));
  return *node;
}

void ModelRun::touch(ModelId inode) {
  model_.change(inode, number_).changed = now_;
}

void ModelRun::touch_names(ModelId directory) {
  ModelInode& inode = model_.change(directory, number_);
  inode.modified = inode.changed = now_;
}

// ---- operations

void ModelRun::carry_out_name(const Operation& operation) {
  switch (operation.verb) {
    case Verb::kMakeFile: return make(InodeType::kRegular, operation);
    case Verb::kMakeDirectory: return make(InodeType::kDirectory, operation);
    case Verb::kMakeSymlink: return make(InodeType::kSymlink, operation);
    case Verb::kMakeSpecial: {
      constexpr std::array kTypes = {InodeType::kFifo, InodeType::kSocket,
                                     InodeType::kCharacterDevice, InodeType::kBlockDevice};
      return make(kTypes[operation.numbers[3] % kTypes.size()], operation);
    }
    case Verb::kLink: return link(operation);
    case Verb::kRemove:
    case Verb::kRemoveDirectory: return remove(operation);
    case Verb::kRename: return rename(operation, RenameHow::kReplace);
    case Verb::kRenameNoReplace: return rename(operation, RenameHow::kNoReplace);
    case Verb::kExchange: return rename(operation, RenameHow::kExchange);
    default: return list(operation);
  }
}

void ModelRun::make(InodeType type, const Operation& operation) {
  const auto& [where, word, bits, kind] = operation.numbers;
  const ModelId directory = pick_directory(where);
  const std::string name = name_of(word);
  ModelInode inode;
  inode.type = type;
  inode.permissions = type == InodeType::kSymlink ? 0777u : bits % 01000;
  inode.uid = bits % 7 == 0 ? 70'000 : 0;
  inode.modified = inode.changed = now_;
  const unsigned umask = bits % 5 == 0 ? 027 : 0;
  NewInode what;
  what.permissions = static_cast<std::uint16_t>(inode.permissions);
  what.umask = static_cast<std::uint16_t>(umask);
  what.uid = inode.uid;
  if (type == InodeType::kSymlink) {
    inode.target = std::string(1 + kind % (kind % 2 == 0 ? 59 : 900), 't');
  }
  if (type == InodeType::kCharacterDevice || type == InodeType::kBlockDevice) {
    inode.major = 1 + bits % (bits % 2 == 0 ? 255 : 4000);
    inode.minor = kind % (kind % 2 == 0 ? 256 : 1'000'000);
  }
  const NodeRef parent = node_of_directory(directory);
  if (parent == nullptr) return;
  const auto made = [&]() -> Result<NodeRef> {
    if (type == InodeType::kRegular) return make_file(core(), *parent, name, what);
    if (type == InodeType::kDirectory) return make_directory(core(), *parent, name, what);
    if (type == InodeType::kSymlink) {
      return make_symlink(core(), *parent, name, inode.target, what);
    }
    return make_special(core(), *parent, name, type, {inode.major, inode.minor}, what);
  }();
  Refusals refusals;
  if (model_[directory].has_flag(kImmutable)) refusals.push_back(Errc::kNotPermitted);
  if (model_.has(directory, name)) refusals.push_back(Errc::kExists);
  if (!settle(error_of(made), refusals)) return;
  model_.add(directory, name, std::move(inode), umask, number_);
  touch_names(directory);
  push();
}

void ModelRun::link(const Operation& operation) {
  const auto from = pick_place(operation.numbers[0]);
  if (!from) return;
  const ModelId to = pick_directory(operation.numbers[1]);
  const std::string name = name_of(operation.numbers[2]);
  const NodeRef node = node_of(*from), directory = node_of_directory(to);
  if (node == nullptr || directory == nullptr) return;
  Refusals refusals;
  const ModelInode& inode = model_[from->inode];
  if (inode.is_directory() || inode.has_flag(kFixed) || model_[to].has_flag(kImmutable)) {
    refusals.push_back(Errc::kNotPermitted);
  }
  if (model_.has(to, name)) refusals.push_back(Errc::kExists);
  const auto linked = make_link(core(), node, *directory, name);
  if (!settle(error_of(linked), refusals)) return;
  model_.link(from->inode, to, name, number_);
  touch(from->inode);
  touch_names(to);
  push();
}

void ModelRun::remove(const Operation& operation) {
  const bool wants_directory = operation.verb == Verb::kRemoveDirectory;
  const auto place = pick_place(operation.numbers[0]);
  if (!place) return;
  const NodeRef directory = node_of_directory(place->directory);
  if (directory == nullptr) return;
  Refusals refusals;
  const ModelInode& inode = model_[place->inode];
  if (inode.is_directory() && !wants_directory) refusals.push_back(Errc::kIsDirectory);
  if (!inode.is_directory() && wants_directory) refusals.push_back(Errc::kNotDirectory);
  if (!inode.names.empty() && wants_directory) refusals.push_back(Errc::kNotEmpty);
  if (inode.has_flag(kFixed) || model_[place->directory].has_flag(kFixed)) {
    refusals.push_back(Errc::kNotPermitted);
  }
  const auto removed = wants_directory ? fs::remove_directory(core(), *directory, place->name)
                                       : remove_file(core(), *directory, place->name);
  if (!settle(error_of(removed), refusals)) return;
  model_.remove(place->directory, place->name, number_);
  touch(place->inode);
  touch_names(place->directory);
  push();
}

ModelRun::Refusals ModelRun::refusals_of_rename(const std::optional<ModelPlace>& from, ModelId to,
                                                const std::string& name, RenameHow how) const {
  Refusals refusals;
  const auto refuse = [&](bool applies, Errc code) {
    if (applies) refusals.push_back(code);
  };
  const ModelInode& source = model_[from->inode];
  const bool is_across = from->directory != to;
  const bool has_target = model_.has(to, name);
  if (has_target && model_.find(to, name) == from->inode) {
    refuse(how == RenameHow::kNoReplace, Errc::kExists);
    return refusals;
  }
  refuse(is_across && source.is_directory() && model_.lies_in(to, from->inode), Errc::kInvalid);
  refuse(model_[from->directory].has_flag(kFixed), Errc::kNotPermitted);
  refuse(model_[to].has_flag(has_target ? kFixed : kImmutable), Errc::kNotPermitted);
  refuse(source.has_flag(kFixed), Errc::kNotPermitted);
  refuse(!has_target && how == RenameHow::kExchange, Errc::kNotFound);
  if (!has_target) return refusals;
  refuse(how == RenameHow::kNoReplace, Errc::kExists);
  const ModelId target_id = model_.find(to, name);
  const ModelInode& target = model_[target_id];
  refuse(target.has_flag(kFixed), Errc::kNotPermitted);
  const bool holds_source =
      is_across && target.is_directory() && model_.lies_in(from->directory, target_id);
  refuse(holds_source && how == RenameHow::kExchange, Errc::kInvalid);
  refuse(holds_source && how != RenameHow::kExchange, Errc::kNotEmpty);
  // A directory that would take the place of the one it is in: over itself.
  if (how == RenameHow::kExchange) return refusals;
  refuse(target.is_directory() && !source.is_directory(), Errc::kIsDirectory);
  refuse(!target.is_directory() && source.is_directory(), Errc::kNotDirectory);
  refuse(target.is_directory() && !target.names.empty(), Errc::kNotEmpty);
  return refusals;
}

void ModelRun::rename(const Operation& operation, RenameHow how) {
  const auto from = pick_place(operation.numbers[0]);
  if (!from) return;
  ModelId to = pick_directory(operation.numbers[1]);
  std::string name = name_of(operation.numbers[2]);
  const auto over = pick_place(operation.numbers[2]);
  const std::uint32_t wish = operation.numbers[3] % (how == RenameHow::kExchange ? 8 : 3);
  if (wish != 0 && how != RenameHow::kNoReplace) {
    to = over->directory;
    name = over->name;
  }
  const NodeRef from_node = node_of_directory(from->directory), to_node = node_of_directory(to);
  if (from_node == nullptr || to_node == nullptr) return;
  const Refusals refusals = refusals_of_rename(from, to, name, how);
  const auto renamed = fs::rename(core(), {*from_node, from->name}, {*to_node, name}, how);
  if (!settle(error_of(renamed), refusals)) return;
  const bool has_target = model_.has(to, name);
  const ModelId target = has_target ? model_.find(to, name) : from->inode;
  if (has_target && target == from->inode) return;
  model_.rename(*from, to, name, how == RenameHow::kExchange, number_);
  touch(from->inode);
  touch(target);
  touch_names(from->directory);
  touch_names(to);
  push();
}

void ModelRun::list(const Operation& operation) {
  const ModelId directory = pick_directory(operation.numbers[0]);
  const NodeRef node = node_of_directory(directory);
  if (node == nullptr) return;
  std::vector<std::string> names;
  const auto done = read_directory(core(), *node, 0, [&](const ListedName& listed) {
    if (listed.name != "." && listed.name != "..") names.emplace_back(listed.name);
    return true;
  });
  if (!done && (is_cut() || may_fail_)) return;
  expect(done.has_value(), "list: " + (done ? "" : error_words(done.error())));
  std::ranges::sort(names);
  std::vector<std::string> wanted;
  for (const auto& [name, inode] : model_[directory].names) wanted.push_back(name);
  expect(names == wanted, "the names of " + model_.path(directory));
}

}  // namespace powercut::fs
