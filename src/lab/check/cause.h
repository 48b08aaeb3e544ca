// From findings to causes: what of that which a stream's judges found is the consequence of what
// else.
//
// Words
//   cause        the first finding of a stream, of those that no earlier one explains
//   repaired     the stream as it would be had the cause's request been lawful
//   consequence  a later finding that is not there in the repaired stream
//
// A repair is as small as it can be: a bit put back that makes the checksum right, a flush put in,
// a request moved to where it would have been lawful, or taken out.  Where no repair is known
// (repair() gives nothing), the finding is a cause with no consequences.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/check/stream_findings.h"
#include "lab/record/recording_edit.h"

namespace powercut::lab {

struct Cause {
  StreamFinding finding;
  std::vector<StreamFinding> consequences;
  std::string repair;  // what was done to the stream, in words; empty: nothing could be
  // "order tail-before-home, request 17: ... (and 3 findings that follow from it)"; one line.
  std::string describe() const;
};

struct Repair {
  EditedRecording edited;
  std::string words;
};
// The stream without that fault.
std::optional<Repair> repair(const Recording& recording, const StreamFinding& finding);

struct CauseOptions {
  OrderOptions order;
  // Each costs a play of the recording; the findings left after so many are causes of their own.
  std::size_t repairs_max = 16;
};
// One for each cause, in the order of their requests.
std::vector<Cause> find_causes(const Recording& recording, std::vector<StreamFinding> findings,
                               const Clock& clock, const CauseOptions& options = {});

}  // namespace powercut::lab
