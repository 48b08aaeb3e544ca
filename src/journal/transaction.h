// What the journal keeps of a transaction while it runs, is written, and waits in the log.
#pragma once

#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "buffer/buffer.h"
#include "format/jbd2.h"

namespace powercut {

struct Transaction {
  Tid tid;
  Nanoseconds began{0};  // when its first handle started

  // While it runs; guarded by the journal's mutex.
  std::uint32_t open_handles = 0;
  std::uint32_t promised = 0;        // credits that open handles have not used
  std::vector<BufferRef> buffers;    // those that it changed, in the order of their first change
  std::vector<BufferRef> forgotten;  // those that it gave up
  std::unordered_set<std::uint64_t> revokes;  // blocks whose older copies must not be replayed
  std::vector<const void*> syncers;  // tasks that wait for it to be durable, by a mark of theirs

  // From the cut on; the committing task's, then guarded by the journal's mutex.
  struct Logged {
    BufferRef buffer;
    Content content;  // as the file system had it at the cut, not escaped
  };
  std::vector<Logged> logged;
  LogBlock start;                // its first block in the log
  std::uint32_t log_blocks = 0;  // that it takes there, its commit block included
};

}  // namespace powercut
