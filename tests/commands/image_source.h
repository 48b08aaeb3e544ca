// A small tree of the host that has one of everything that mke2fs packs, and the comparison of two
// trees of the host, for what goes into an image and comes out again.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace powercut::testing {

// Fills `root`, which is made.  Owners and devices only with root.
void make_source(const std::filesystem::path& root);

struct TreeDifferences {
  std::size_t compared = 0;
  std::vector<std::string> found;
  std::string text() const;
};

struct CompareOptions {
  bool has_owners = true;        // uid, gid, set-user-id bits
  bool has_xattrs = true;        // user.* and ACLs
  bool has_nanoseconds = false;  // mke2fs packs seconds
  bool has_holes = true;         // where data begins and ends, as SEEK_DATA tells
  bool has_top_time = false;     // of the two roots: mke2fs gives its own another one
};
// Everything that lstat(2) says but for the number of blocks and the times of access and change;
// content, targets, attributes; "lost+found" in `b` is passed over.
TreeDifferences compare_host_trees(const std::filesystem::path& a, const std::filesystem::path& b,
                                   const CompareOptions& options = {});

// A word for a shell.
std::string quoted(const std::string& word);

// An ACL in the kernel's form: user::rw-, user:1000:r--, group::r--, mask::r--, other::---.
std::vector<std::uint8_t> sample_acl();

}  // namespace powercut::testing
