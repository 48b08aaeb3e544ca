// Where a witness and we differ on purpose, each by name and with its reason.  Nothing else may
// differ.  known_differences_test.cc shows of each that it is really so.
#pragma once

#include <set>

#include "tests/logs/compare.h"

namespace powercut::testing {

struct KnownDifference {
  const char* name;
  const char* why;
  bool (*applies)(const LogImage& log, const OurRecovery& ours, const Witness& witness);
  std::set<Aspect> excused;
};

// The one that applies; null if none does.
const KnownDifference* known_difference(const LogImage& log, const OurRecovery& ours,
                                        const Witness& witness);

}  // namespace powercut::testing
