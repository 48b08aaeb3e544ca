// What a worker knows of its folder: names, nodes, the model with a change.
#include <algorithm>

#include "base/stored_int.h"
#include "tests/simulation/folder_worker.h"

namespace powercut::testing {

FolderWorker::Names FolderWorker::files() const {
  Names names;
  for (const auto& [path, file] : model_) {
    if (file != nullptr) names.push_back(path);
  }
  return names;
}

FolderWorker::Names FolderWorker::directories() const {
  Names names{""};
  for (const auto& [path, file] : model_) {
    if (file == nullptr) names.push_back(path);
  }
  return names;
}

std::string FolderWorker::draw_free_name(const std::string& directory) {
  for (;;) {
    std::string name = "f" + std::to_string(random_.below(20));
    if (random_.chance(1, 6)) name += std::string(100 + random_.below(100), 'l');
    std::string path = directory.empty() ? name : directory + "/" + name;
    if (!model_.contains(path)) return path;
  }
}

std::string FolderWorker::name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string FolderWorker::parent_path(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == path.npos ? "" : path.substr(0, slash);
}

// Null if it cannot be read: then the power is off.
fs::NodeRef FolderWorker::node_of(const std::string& path) {
  Result<fs::NodeRef> node = core_.nodes->get(kRootInode);
  std::string rest = history_.folder + (path.empty() ? "" : "/" + path);
  while (node && !rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const fs::NodeRef directory = *node;
    node = fs::lookup(core_, *directory, rest.substr(0, slash));
    rest = rest.substr(std::min(slash + 1, rest.size()));
  }
  if (node) return *node;
  take_end(Failure{node.error()});
  return nullptr;
}

fs::NodeRef FolderWorker::parent_of(const std::string& path) {
  return node_of(parent_path(path));
}

FolderModel FolderWorker::with(const std::string& path,
                               const std::function<void(ModelFile&)>& change) const {
  const ModelFileRef old = model_.at(path);
  const auto changed = std::make_shared<ModelFile>(*old);
  change(*changed);
  FolderModel next = model_;
  for (auto& [each, file] : next) {
    if (file == old) file = changed;
  }
  return next;
}

// The step's number in every word.
std::vector<std::uint8_t> FolderWorker::counted_bytes(std::size_t count) const {
  std::vector<std::uint8_t> bytes((count + 7) / 8 * 8);
  const std::uint64_t word = std::uint64_t{which_ + 1} << 56 | history_.steps.size();
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    store(MutableBytes(bytes), at, Le64(word ^ at << 32));
  }
  bytes.resize(count);
  return bytes;
}

void FolderWorker::note_change(const std::string& path, bool of_data) {
  const std::uint64_t number = model_.at(path)->number;
  changed_[number] = history_.steps.size() - 1;
  if (of_data) changed_data_[number] = history_.steps.size() - 1;
}

void FolderWorker::note_names(const std::string& path) {
  changed_names_[parent_path(path)] = history_.steps.size() - 1;
}

}  // namespace powercut::testing
