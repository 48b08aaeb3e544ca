#include "lab/sources/guest/mount_options.h"

#include <array>

#include <sys/mount.h>

namespace powercut::lab {
namespace {

struct FlagWord {
  std::string_view word;
  unsigned long set;
  unsigned long clear;
};

constexpr std::array<FlagWord, 15> kFlagWords = {{
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"noatime", MS_NOATIME, 0},
    {"nodiratime", MS_NODIRATIME, 0},
    {"relatime", MS_RELATIME, 0},
    {"strictatime", MS_STRICTATIME, 0},
    {"lazytime", MS_LAZYTIME, 0},
    {"nolazytime", 0, MS_LAZYTIME},
    {"sync", MS_SYNCHRONOUS, 0},
    {"dirsync", MS_DIRSYNC, 0},
    {"nosuid", MS_NOSUID, 0},
    {"nodev", MS_NODEV, 0},
    {"noexec", MS_NOEXEC, 0},
    {"silent", MS_SILENT, 0},
    {"defaults", 0, 0},
}};

}  // namespace

MountOptions split_mount_options(std::string_view words) {
  MountOptions options;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(','));
    words.remove_prefix(word.size() == words.size() ? word.size() : word.size() + 1);
    if (word.empty()) continue;
    const FlagWord* known = nullptr;
    for (const FlagWord& flag : kFlagWords) known = flag.word == word ? &flag : known;
    if (known != nullptr) {
      options.flags = (options.flags | known->set) & ~known->clear;
      continue;
    }
    if (!options.data.empty()) options.data += ',';
    options.data += word;
  }
  return options;
}

}  // namespace powercut::lab
