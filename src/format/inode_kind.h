// What an inode is, in the words that programs use.
#pragma once

#include "base/file_kind.h"
#include "format/ext4.h"

namespace powercut {

// kRegular for a type of none, too.
constexpr FileKind file_kind_of(InodeType type) {
  switch (type) {
    case InodeType::kDirectory: return FileKind::kDirectory;
    case InodeType::kSymlink: return FileKind::kSymlink;
    case InodeType::kFifo: return FileKind::kFifo;
    case InodeType::kSocket: return FileKind::kSocket;
    case InodeType::kCharacterDevice: return FileKind::kCharacterDevice;
    case InodeType::kBlockDevice: return FileKind::kBlockDevice;
    case InodeType::kRegular:
    case InodeType::kNone: break;
  }
  return FileKind::kRegular;
}

}  // namespace powercut
