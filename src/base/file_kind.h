// What a file is, on a host or in an image.
#pragma once

#include <cstdint>

namespace powercut {

enum class FileKind : std::uint8_t {
  kRegular,
  kDirectory,
  kSymlink,
  kFifo,
  kSocket,
  kCharacterDevice,
  kBlockDevice,
};

}  // namespace powercut
