// Logs with one damage each, by name: what every implementation of recovery is asked about.
//
// All are made of the same four transactions, written over a pool of free blocks of a file system:
//   0  blocks +0 (revoked by 1), +1 (revoked by 3), +2 (escaped)
//   1  blocks +3, +4 and, behind a descriptor of its own, +5 (escaped); revokes +0
//   2  blocks +0, +6
//   3  block +7; revokes +1
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/journal_builder.h"

namespace powercut::testing {

// The first block of the pool; the file system has at least 20 blocks from here on.
inline constexpr std::uint64_t kLogPool = 2900;

struct DamagedLog {
  std::string name;
  // Adds the transactions.
  std::function<void(JournalBuilder&, const JournalMap&)> build;
  // Changes what lies on the device, once the log is there; may be empty.
  std::function<void(BlockDevice&, const JournalMap&)> edit;
};

std::vector<DamagedLog> damaged_logs();

// The journal of a damaged log: block size and size as `map`, near the end of the ring and of the
// tids, so that both wrap.  `is_async` as JournalSpec.
JournalSpec damaged_log_spec(const JournalMap& map, ChecksumKind kind, bool is_64bit,
                             bool is_async);

// Builds `log` and puts it at `map` on `device`; the file system there, if there is one, then needs
// recovery.
void put_damaged_log(const DamagedLog& log, const JournalSpec& spec, const JournalMap& map,
                     BlockDevice& device);

// Sets or clears needs_recovery of the file system on `device`.
void set_needs_recovery(BlockDevice& device, bool is_set);

}  // namespace powercut::testing
