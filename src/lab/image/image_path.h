// The words IMAGE:PATH of a user, and the inode that a path leads to.
//
// A path is relative to the root, with or without a slash in front.  "." and ".." are resolved by
// the way that was gone, as a shell's `cd -P` does; symlinks on the way are followed, absolute ones
// from the image's root, never out of the image.  A first component `<N>` is inode N, as debugfs
// has it; a file of such a name is reached as "/<N>".
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "reader/volume.h"

namespace powercut::lab {

struct ImageWord {
  std::string image;
  std::string path;  // empty: none was given
};

// Splits IMAGE[:PATH].  A word that is a file as a whole has no path; else the first ':' behind
// which a path follows is the one with a file in front of it.  Where there is none, the whole word
// is the image, and opening it says what is wrong.
ImageWord split_image_word(std::string_view word,
                           const std::function<bool(const std::string&)>& is_file);

enum class LastSymlink : std::uint8_t { kIsFollowed, kIsWanted };

struct PathTarget {
  InodeNo number;
  Inode inode;
  std::string name;  // the last component as the user gave it; empty: the root, or `<N>`
};

inline constexpr int kSymlinksMax = 40;  // as Linux

// A slash at the end asks for a directory: then a last symlink is followed in any case.
// Errors: kNotFound: a component is not there, or is no directory; kInvalid: no such inode number;
// kLimit: more than kSymlinksMax symlinks; as Volume.
Result<PathTarget> resolve_path(const Volume& volume, std::string_view path, LastSymlink last);

}  // namespace powercut::lab
