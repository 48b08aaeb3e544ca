// A whole tree in words, a line for each path, so that trees of different origin can be compared:
// of a model, of an image as reader/ sees it (which shares no code with fs/), of what the kernel
// shows.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "format/ext4.h"

namespace powercut::fs {

// By path.
using TreeWords = std::map<std::string, std::string>;

// What is compared.
enum class Detail : std::uint8_t {
  kAll,
  kAsShown,  // by a mount: without the flags of chattr(1)
};

struct SeenInode {
  InodeType type = InodeType::kRegular;
  unsigned permissions = 0;
  std::uint32_t uid = 0, gid = 0, flags = 0;
  std::uint64_t links = 0, size = 0;  // the size of files alone
  std::uint32_t content = 0;          // content_word()
  std::uint32_t major = 0, minor = 0;
  std::int64_t modified = 0, changed = 0;  // seconds
  std::string target;
  std::map<std::string, std::string> attributes;
};
std::string words_of(const SeenInode& inode, Detail detail);
std::uint32_t content_word(const std::vector<std::uint8_t>& content);

// The flags that are compared: those that can be set.
inline constexpr std::uint32_t kComparedFlags = 0x2003C0FB;

// Of an image that needs no recovery.  What is damaged is a failure of the test, and words.
TreeWords words_of_image(Bytes image, Detail detail = Detail::kAll);
// Of a mounted folder.
TreeWords words_of_folder(const std::string& folder);

// What differs, for a message: at most some lines.
std::string difference(const TreeWords& a, const TreeWords& b);

}  // namespace powercut::fs
