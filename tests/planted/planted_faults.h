// Faults of a writer or of a disk, planted into a stream that has none: pure functions from a
// recording to a recording.
//
// Each is planted into the `index`th place of the stream where it can be; where there is none (any
// more) the answer is nothing.  What comes back lives as long as the recording that it was made of.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "lab/record/recording_edit.h"

namespace powercut::planted {

enum class Fault {
  kFlippedDataBit,
  kFlippedDescriptorBit,
  kFlippedCommitBit,
  kFlippedRevokeBit,
  kChangeAfterChecksum,  // a page that is stored to between the checksum and the write
  kDroppedFlushBefore,   // the flush before a commit block
  kDroppedFlushBehind,   // the flush behind a commit block
  kCommitOvertakes,      // a commit block before a block of its transaction
  kHomeBeforeCommit,     // a block written home before the commit that brings its content
  kTailMovedEarly,       // the journal's superblock before the flush of the home writes
  kLogOverwritten,       // a log block that a recovery needs
  kLostRevoke,           // a revoke record that is not in its block
  kLostHomeWrite,        // the last write of a block before the tail passes it never comes
  kStaleLog,             // an earlier life's log behind the newest transaction
  kMisdirectedWrite,     // a home write that goes to another block
};
inline constexpr int kFaultCount = 15;
std::string_view fault_name(Fault fault);

struct Planted {
  lab::EditedRecording edited;
  std::uint64_t sequence = 0;  // the request at fault, by its number in `edited`; 0: one is missing
};
std::optional<Planted> plant(const lab::Recording& recording, Fault fault, std::size_t index);

}  // namespace powercut::planted
