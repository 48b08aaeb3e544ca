// Logs of our own generator: what debugfs cannot write, and every kind of damage.
//
// A log is 3 to 6 whole transactions of pool blocks (escaped, revoked, revoked and written again),
// in one or two of which a change of the file system's metadata is logged as well; then a tail;
// then one harm to one of the transactions.  All of it follows from the spec: its name makes it
// again.
#pragma once

#include <optional>
#include <string>

#include "tests/logs/log_image.h"

namespace powercut::testing {

// What lies behind the last whole transaction.
enum class Tail : std::uint8_t {
  kNothing,
  kUncommitted,       // a transaction without a commit block
  kNewerTid,          // a whole transaction, its tid one too high
  kOlderTid,          // the same, one too low
  kFullRing,          // nothing: a last transaction of up to 1000 blocks fills the ring
  kEarlierLife,       // before the last mkfs: the tid that is due, older; another UUID
  kEarlierSameUuid,   // the same UUID: its checksums match
  kEarlierAheadClock  // another UUID; not older, the clock was wrong
};
inline constexpr std::uint64_t kTailCount = 8;

enum class Harm : std::uint8_t {
  kNone,
  kDataFlip,
  kDataRevoked,  // in a block that a later transaction revokes
  kDataZeroed,
  kDescriptorMagic,
  kDescriptorType,
  kDescriptorTid,
  kTagBlock,
  kTagFlags,
  kDescriptorTail,
  kDescriptorZeroed,
  kRevokeMagic,
  kRevokeCount,
  kRevokeRecord,
  kRevokeTail,
  kCommitMagic,
  kCommitType,
  kCommitTid,
  kCommitChecksum,
  kCommitZeroed,
  kCommitTorn,       // behind its first 512 bytes lies what was there before
  kCommitOlder,      // sound, but its time is before that of the transaction before it
  kDescriptorOlder,  // a descriptor that does not match, and such a time
  kRevokeOlder,
  kCommitBadAndOlder,
  kTwoCommits,  // this one and the next
  kCommitThenDescriptor,
  kJournalError,  // the superblock of the journal records an error
  // Sealed: their checksums are right, so no power cut made them.
  kNoLastTag,    // the last tag of a descriptor does not say so
  kUuidFlag,     // a tag says that a UUID follows, or that none does
  kRevokeOdd,    // the count of a revoke block ends inside a record
  kRevokeHuge,   // and past the block
  kHomeOutside,  // a tag names a block past the device
  kHomeInLog,    // or a block of the log that is being replayed
  kHomeOldLog,   // or one that is not
  kHomeJournal,  // or the journal's superblock
};
inline constexpr std::uint64_t kHarmCount = 36;
const char* harm_name(Harm harm);

enum class Position : std::uint8_t { kFirst, kMiddle, kLast };

struct BuiltLogSpec {
  BaseOptions base = {};
  ChecksumKind checksum = ChecksumKind::kV3;
  bool is_async = false;
  Tail tail = Tail::kNothing;
  Harm harm = Harm::kNone;
  Position position = Position::kMiddle;
  std::uint64_t seed = 0;
  // The tid of the first transaction; nothing: the seed's.
  std::optional<Tid> first_tid = std::nullopt;

  // "v3-64bit-4k-csum/uncommitted/data-flip/first/17"
  std::string name() const;
};

LogImage build_log(const BuiltLogSpec& spec);

}  // namespace powercut::testing
