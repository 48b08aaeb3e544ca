// The words of `mount -o` as mount(2) wants them: flags, and the rest for the file system.
#pragma once

#include <string>
#include <string_view>

namespace powercut::lab {

struct MountOptions {
  unsigned long flags = 0;  // MS_*
  std::string data;         // for ext4, joined by commas
};

MountOptions split_mount_options(std::string_view words);

}  // namespace powercut::lab
