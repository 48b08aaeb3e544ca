#include "tests/simulation/volume_system.h"

#include "base/check.h"

namespace powercut::testing {

lab::LoadSystem::Opened VolumeSystem::open(const fs::NodeRef& node) {
  open_[next_] = node;
  return {next_++, node->number, fs::status_of(core_, *node).inode.generation};
}

Result<lab::LoadSystem::Opened> VolumeSystem::make_folder(const std::string& path) {
  const fs::NodeRef root = TRY(core_.nodes->get(kRootInode));
  const std::string name = path.substr(path.rfind('/') + 1);
  return open(TRY(fs::make_directory(core_, *root, name, {.permissions = 0755})));
}

Result<lab::LoadSystem::Opened> VolumeSystem::create(int folder, const std::string& name) {
  const fs::NodeRef node = TRY(fs::make_file(core_, *open_.at(folder), name, {}));
  TRY(fs::open_node(*node));
  return open(node);
}

void VolumeSystem::close(int number) {
  const fs::NodeRef node = open_.at(number);
  open_.erase(number);
  if (!fs::status_of(core_, *node).inode.is(InodeType::kRegular)) return;
  const auto closed = fs::close_node(core_, node);
  CHECK(closed.has_value(), "a file can be closed on a disk without faults");
}

Result<void> VolumeSystem::write(int file, std::uint64_t offset, Bytes from, const std::string&) {
  const std::size_t count = TRY(fs::write_file(core_, *open_.at(file), offset, from));
  CHECK(count == from.size(), "a write is whole where no block is damaged");
  return {};
}

Result<std::size_t> VolumeSystem::read(int file, std::uint64_t offset, MutableBytes into,
                                       const std::string&) {
  return fs::read_file(core_, *open_.at(file), offset, into);
}

Result<std::uint64_t> VolumeSystem::size(int file, const std::string&) {
  return fs::status_of(core_, *open_.at(file)).inode.size;
}

Result<void> VolumeSystem::truncate(int file, std::uint64_t size, const std::string&) {
  return fs::truncate_file(core_, open_.at(file), size);
}

Result<void> VolumeSystem::punch(int file, std::uint64_t offset, std::uint64_t length,
                                 const std::string&) {
  return fs::punch_range(core_, *open_.at(file), {offset, length});
}

Result<void> VolumeSystem::allocate(int file, std::uint64_t offset, std::uint64_t length,
                                    const std::string&) {
  return fs::allocate_range(core_, *open_.at(file), {offset, length}, true);
}

Result<void> VolumeSystem::link(int folder, const std::string& from, const std::string& to) {
  fs::Node& directory = *open_.at(folder);
  const fs::NodeRef node = TRY(fs::lookup(core_, directory, from));
  return fs::make_link(core_, node, directory, to);
}

Result<void> VolumeSystem::unlink(int folder, const std::string& name) {
  return fs::remove_file(core_, *open_.at(folder), name);
}

Result<void> VolumeSystem::rename(int folder, const std::string& from, const std::string& to) {
  fs::Node& directory = *open_.at(folder);
  return fs::rename(core_, {directory, from}, {directory, to}, fs::RenameHow::kReplace);
}

Result<void> VolumeSystem::sync(int number, lab::SyncWay way, const std::string&) {
  return fs::sync_file(core_, *open_.at(number), way == lab::SyncWay::kFdatasync);
}

Result<void> VolumeSystem::mark(std::string_view text) {
  stream_.mark(text);
  return {};
}

}  // namespace powercut::testing
