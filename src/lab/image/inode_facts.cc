#include "lab/image/inode_facts.h"

#include <fmt/format.h>

namespace powercut::lab {
namespace {

std::uint32_t word_at(Bytes area, std::size_t at) {
  return static_cast<std::uint32_t>(area[at]) | static_cast<std::uint32_t>(area[at + 1]) << 8 |
         static_cast<std::uint32_t>(area[at + 2]) << 16 |
         static_cast<std::uint32_t>(area[at + 3]) << 24;
}

// i_flags, in the order of their bits.
constexpr std::pair<std::uint32_t, const char*> kFlagNames[] = {
    {0x1, "secure-deletion"},
    {0x2, "undelete"},
    {0x4, "compress"},
    {0x8, "sync"},
    {0x10, "immutable"},
    {0x20, "append-only"},
    {0x40, "no-dump"},
    {0x80, "no-atime"},
    {0x100, "dirty"},
    {0x200, "compressed-blocks"},
    {0x400, "no-compression"},
    {0x800, "encrypted"},
    {0x1000, "indexed"},
    {0x2000, "imagic"},
    {0x4000, "journal-data"},
    {0x8000, "no-tail"},
    {0x10000, "dirsync"},
    {0x20000, "top-directory"},
    {0x40000, "huge-file"},
    {0x80000, "extents"},
    {0x100000, "verity"},
    {0x200000, "ea-inode"},
    {0x400000, "blocks-past-end"},
    {0x2000000, "dax"},
    {0x10000000, "inline-data"},
    {0x20000000, "project-inherit"},
    {0x40000000, "casefold"},
};

char type_letter(std::uint16_t mode) {
  switch (static_cast<InodeType>(mode >> 12)) {
    case InodeType::kFifo: return 'p';
    case InodeType::kCharacterDevice: return 'c';
    case InodeType::kDirectory: return 'd';
    case InodeType::kBlockDevice: return 'b';
    case InodeType::kRegular: return '-';
    case InodeType::kSymlink: return 'l';
    case InodeType::kSocket: return 's';
    case InodeType::kNone: break;
  }
  return '?';
}

}  // namespace

bool is_device(const Inode& inode) {
  return inode.is(InodeType::kCharacterDevice) || inode.is(InodeType::kBlockDevice);
}

DeviceNumbers device_numbers(const Inode& inode) {
  const std::uint32_t old_form = word_at(inode.block_area, 0);
  if (old_form != 0) return {(old_form >> 8) & 0xFF, old_form & 0xFF};
  const std::uint32_t word = word_at(inode.block_area, 4);
  return {(word >> 8) & 0xFFF, (word & 0xFF) | ((word >> 12) & 0xFFF00)};
}

std::string_view type_words(InodeType type) {
  switch (type) {
    case InodeType::kFifo: return "fifo";
    case InodeType::kCharacterDevice: return "character special file";
    case InodeType::kDirectory: return "directory";
    case InodeType::kBlockDevice: return "block special file";
    case InodeType::kRegular: return "regular file";
    case InodeType::kSymlink: return "symbolic link";
    case InodeType::kSocket: return "socket";
    case InodeType::kNone: break;
  }
  return "no type";
}

std::string mode_text(std::uint16_t mode) {
  std::string text(1, type_letter(mode));
  constexpr char kLetters[] = "rwxrwxrwx";
  for (int bit = 8; bit >= 0; --bit) {
    text += (mode >> bit & 1) != 0 ? kLetters[8 - bit] : '-';
  }
  const auto special = [&](std::uint16_t bit, std::size_t at, char with, char without) {
    if ((mode & bit) != 0) text[at] = text[at] == 'x' ? with : without;
  };
  special(04000, 3, 's', 'S');
  special(02000, 6, 's', 'S');
  special(01000, 9, 't', 'T');
  return text;
}

std::vector<std::string> flag_names(std::uint32_t flags) {
  std::vector<std::string> names;
  for (const auto& [bit, name] : kFlagNames) {
    if ((flags & bit) != 0) names.emplace_back(name);
    flags &= ~bit;
  }
  if (flags != 0) names.push_back(fmt::format("{:#x}", flags));
  return names;
}

}  // namespace powercut::lab
