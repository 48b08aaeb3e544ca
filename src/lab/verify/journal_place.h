// Where the journal of a file system lies on a disk that is being written, and its ring.
//
// The place is read from the file system, and again after any change of it that a write made.  A
// disk without a file system, or with a damaged one, is no failure: trouble() says what it is, and
// the ring that was known, if there was one, stays.
// Where the disk stands for two devices, a journal that is not inside the file system is looked for
// on the second.
// Threads: one caller at a time.
#pragma once

#include <optional>
#include <string>

#include "lab/record/request.h"
#include "lab/verify/journal_ring.h"
#include "lab/verify/watch_list.h"

namespace powercut::lab {

// The journal of the file system that `disk` begins with: inside it, or on the second device.
// Errors: as locate_journal() and locate_external_journal().
Result<JournalMap> locate_journal_on(const BlockView& disk, const Volume& volume,
                                     const DeviceSplit& split);

class JournalPlace {
 public:
  // `view` is the disk as it is now; it must outlive this.
  explicit JournalPlace(const BlockView& view, const DeviceSplit& split = {})
      : view_(view), split_(split), watched_(WatchList::of_superblock_only()) {}

  // A write to that range is on the disk.
  void note_written(std::uint64_t offset, std::uint64_t length);
  // The place may be another one now, whatever was written.
  void doubt() { must_look_ = true; }
  bool is_in_doubt() const { return must_look_; }

  enum class Found : std::uint8_t {
    kNothing,  // trouble() says why; a ring that was known is still there
    kSame,     // the ring that was known, with the superblock as it is now
    kNew,      // another ring, or the first
  };
  Found look();

  JournalRing* ring() { return ring_ ? &*ring_ : nullptr; }
  const JournalRing* ring() const { return ring_ ? &*ring_ : nullptr; }
  const std::string& trouble() const { return trouble_; }
  // Whether that flush is for the device that the ring lies on.
  bool is_flushed_by(const Request& flush) const;

 private:
  Result<Found> find();
  Result<Found> install(JournalMap&& map, const JournalSuperblock& superblock);

  const BlockView& view_;
  const DeviceSplit split_;
  std::optional<JournalRing> ring_;
  WatchList watched_;
  bool must_look_ = true;
  std::string trouble_;
};

}  // namespace powercut::lab
