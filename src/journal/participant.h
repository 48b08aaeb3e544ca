// Who takes part in a commit beside the buffers that handles changed: the file system, with what
// it counts; the page cache, with pages that programs store to.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/units.h"

namespace powercut {

// Blocks that an operation may change at most: what it reserves in its transaction.
using Credits = Unit<struct CreditsTag, std::uint32_t>;

class Handle;

class CommitParticipant {
 public:
  virtual ~CommitParticipant() = default;
  // How many blocks at_cut() changes at most; the same at every call.
  virtual Credits cut_credits() const = 0;
  // The cut: every handle of the transaction has ended, and none begins before this returns.  What
  // is changed through `handle` belongs to the transaction.  It must not wait for anything, and
  // starts no handle.
  virtual void at_cut(Handle& handle) = 0;
  // The journal refuses everything from now on.  Called once, with no lock of the journal held.
  virtual void stopped(const Error& why) = 0;
};

}  // namespace powercut
