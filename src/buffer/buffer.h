// A block of the file system in memory, and to which transaction its changes belong.
//
// Words
//   live      what the file system sees and changes
//   owner     the transaction that changed the live content last and has not collected it yet
//   collect   at its commit a transaction takes from each of its buffers the content that it logs
//   frozen    content of a transaction that commits, set aside because the next one already changed
//             the live content before it was collected
//   home      the newest content that is in the log and has to be written to the block itself
//
// States of a buffer (who moves it)
//   absent --load(), replace()--> clean --own_for(T)--> T's --collect(T)--> clean
//   T's --own_for(T+1), T commits--> T+1's, with T's content frozen --collect(T)--> T+1's
//   beside that: committed(T) gives it a home content, is_home(T) takes it away
//
// Invariants
//   1. A live content that a transaction owns is in no one else's hands when it is changed: who
//      reads holds a reference, so the writer copies first.  A snapshot never changes.
//   2. At most two transactions have content here: the one that commits (frozen, or live) and the
//      one that runs (live).
//   3. The device is never given memory that can change: what is logged and what goes home are
//      collected contents.
//
// Threads: each buffer has a mutex, held for no longer than a copy of the block; and, where
// load() reads the device, for that: only those who want this block wait.
#pragma once

#include <memory>
#include <optional>

#include "base/sync.h"
#include "base/units.h"
#include "block/block_device.h"
#include "buffer/content.h"

namespace powercut {

class Buffer {
 public:
  Buffer(BlockNo number, std::uint32_t block_bytes) : number_(number), block_bytes_(block_bytes) {}

  BlockNo number() const { return number_; }
  std::uint32_t block_bytes() const { return block_bytes_; }

  // Reads the block unless it is here.  Errors: kIo; nothing is remembered of it.
  Result<void> load(const BlockView& device) EXCLUDES(mutex_);
  // Content that was read elsewhere (a run of blocks in one request); kept only if none is here.
  void offer(Content content) EXCLUDES(mutex_);
  bool is_loaded() const EXCLUDES(mutex_);
  // The live content as it is now: it does not change, the buffer's may.  REQUIRES: loaded.
  Content snapshot() const EXCLUDES(mutex_);

  // ---- for the journal

  // Makes the live content `running`'s, then calls change(bytes) on it, which cannot fail.  True if
  // it was not `running`'s before: then the journal adds the buffer to its list.
  // `committing`: the transaction that is being committed, if any; its content is set aside first.
  template <class Change>
  bool change_for(Tid running, Change&& change) EXCLUDES(mutex_) {
    Lock lock(mutex_);
    CHECK(static_cast<bool>(live_), "a block is loaded before it is changed");
    const bool is_new = own_for(running);
    std::forward<Change>(change)(live_.own());
    return is_new;
  }
  // The same with new content for the whole block, which need not have been loaded.
  bool replace_for(Tid running, Content content) EXCLUDES(mutex_);
  // The live content of a block that is given up belongs to nobody any more.  True if `running`
  // owned it.
  bool disown(Tid running) EXCLUDES(mutex_);
  // What `committing` logs; nothing if it was given up.  After it the transaction owns nothing
  // here.
  Content collect(Tid committing) EXCLUDES(mutex_);
  // `content` is in the log, committed by `tid`: that must be written home, older ones need not.
  void committed(Tid tid, Content content) EXCLUDES(mutex_);
  // What `tid` committed, if it still must go home; else nothing.
  Content home_content(Tid tid) const EXCLUDES(mutex_);
  // Whether anything that was committed still must go home: an older content is in the log.
  bool has_home_content() const EXCLUDES(mutex_);
  // What `tid` committed is home.
  void is_home(Tid tid) EXCLUDES(mutex_);
  // The block was given up by a transaction that is durable: nothing committed before goes home.
  void give_up_home() EXCLUDES(mutex_);
  // Whether the block has nothing that is not home: it may be forgotten.
  bool is_clean() const EXCLUDES(mutex_);

 private:
  bool own_for(Tid running) REQUIRES(mutex_);

  const BlockNo number_;
  const std::uint32_t block_bytes_;
  mutable Mutex mutex_{LockRank::kBuffer};
  Content live_ GUARDED_BY(mutex_);
  std::optional<Tid> owner_ GUARDED_BY(mutex_);
  Content frozen_ GUARDED_BY(mutex_);
  std::optional<Tid> frozen_owner_ GUARDED_BY(mutex_);
  Content home_ GUARDED_BY(mutex_);
  Tid home_tid_ GUARDED_BY(mutex_);
};

using BufferRef = std::shared_ptr<Buffer>;

}  // namespace powercut
