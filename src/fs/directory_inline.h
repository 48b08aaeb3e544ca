// Directories that lie in their inode (inline_data): looked at, never changed.
//
// The block area holds the parent's number and records; the value of "system.data" more records.
//
// Threads: REQUIRES the directory's lock, shared.
#pragma once

#include <functional>
#include <optional>

#include "fs/directory.h"

namespace powercut::fs {

// Every record in use, "." and ".." made up in front, until `visit` returns false.
// Errors: kCorrupt.
Result<void> list_inline_names(Core& core, const Node& directory,
                               const std::function<bool(const DirectoryRecord&)>& visit)
    REQUIRES_SHARED(directory.lock);
Result<std::optional<FoundName>> find_inline_name(Core& core, const Node& directory,
                                                  std::string_view name)
    REQUIRES_SHARED(directory.lock);

}  // namespace powercut::fs
