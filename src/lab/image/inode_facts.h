// What an inode says that is not a field of it: a device's numbers, the names of its flags.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reader/volume.h"

namespace powercut::lab {

struct DeviceNumbers {
  std::uint32_t major = 0, minor = 0;
};
// Of a character or block device: from the block area, in the old form (16 bits) or the new one.
DeviceNumbers device_numbers(const Inode& inode);
bool is_device(const Inode& inode);

// "regular file", "directory", "symbolic link", as stat(1) has it; "no type" for what is none.
std::string_view type_words(InodeType type);
// "-rwsr-xr-x", as ls -l has it; '?' for no type.
std::string mode_text(std::uint16_t mode);
// The names of i_flags as chattr(1) and lsattr(1) call them ("immutable", "extents"); bits without
// a name as "0x...", last.
std::vector<std::string> flag_names(std::uint32_t flags);

}  // namespace powercut::lab
