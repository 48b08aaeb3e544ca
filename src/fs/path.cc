#include "fs/path.h"

#include <deque>

#include "fs/operations.h"

namespace powercut::fs {
namespace {

constexpr int kSymlinksMax = 40;

using Names = std::deque<std::string>;

Names names_of(std::string_view path) {
  Names names;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) names.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

bool is_symlink(const Node& node) {
  SharedLock lock(node.lock);
  return node.inode.is(InodeType::kSymlink);
}

Result<NodeRef> walk(Core& core, Names names, LastSymlink last) {
  NodeRef at = TRY(core.nodes->get(kRootInode));
  int symlinks_left = kSymlinksMax;
  while (!names.empty()) {
    const std::string name = std::move(names.front());
    names.pop_front();
    NodeRef next = TRY(lookup(core, *at, name));
    const bool stays = names.empty() && last == LastSymlink::kKeep;
    if (stays || !is_symlink(*next)) {
      at = std::move(next);
      continue;
    }
    if (symlinks_left-- == 0) return fail(Errc::kLimit, "path: too many symlinks");
    const std::string target = TRY(read_symlink(core, *next));
    if (target.front() == '/') at = TRY(core.nodes->get(kRootInode));
    Names first = names_of(target);
    names.insert(names.begin(), first.begin(), first.end());
  }
  return at;
}

}  // namespace

Result<NodeRef> find_path(Core& core, std::string_view path, LastSymlink last) {
  return walk(core, names_of(path), last);
}

Result<ParentAndName> find_parent(Core& core, std::string_view path) {
  Names names = names_of(path);
  ParentAndName found;
  if (!names.empty()) {
    found.name = std::move(names.back());
    names.pop_back();
  }
  found.directory = TRY(walk(core, std::move(names), LastSymlink::kFollow));
  return found;
}

}  // namespace powercut::fs
