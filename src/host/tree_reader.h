// A tree of files of this machine, read from its top down: what an import copies.
//
// Invariants
//   1. Symlinks are told, never followed; nothing outside of the tree is opened.
//   2. Entries of a directory come in the order of their names, and before what lies below them.
//   3. What cannot be read is told (`trouble`) and passed over.
//
// Threads: one at a time.
#pragma once

#include <functional>

#include "host/tree_writer.h"

namespace powercut {

struct HostEntry {
  std::string path;  // below the top, "a/b"; empty: the top itself
  FileKind kind = FileKind::kRegular;
  std::uint32_t mode = 0;  // the lower 12 bits of st_mode
  std::uint32_t uid = 0, gid = 0;
  std::uint64_t size = 0;  // bytes
  std::uint64_t links = 1;
  std::uint64_t device = 0, inode = 0;  // which file it is: the same for all its names
  std::uint32_t major = 0, minor = 0;   // of a device node
  HostTime accessed, modified;
  std::string target;  // of a symlink
  std::vector<HostXattr> xattrs;
};

struct TreeReaderVisitor {
  // An error ends the walk.
  std::function<Result<void>(const HostEntry&)> entry;
  std::function<void(const std::string& path, const Error&)> trouble;
};

// Errors: `top` cannot be looked at; those of visit.entry.
Result<void> walk_host_tree(const std::filesystem::path& top, const TreeReaderVisitor& visit);

// Calls data(offset, bytes) for what a regular file holds, holes left out, a piece of at most 1 MiB
// at a time.  The file must be the one that `entry` told of.  Errors: kIo, kNotFound; those of
// data.
using DataVisitor = std::function<Result<void>(std::uint64_t offset, Bytes bytes)>;
Result<void> read_host_file(const std::filesystem::path& top, const HostEntry& entry,
                            const DataVisitor& data);

}  // namespace powercut
