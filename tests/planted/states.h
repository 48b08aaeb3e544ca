// What the judges of states say of a stream with a planted fault.
#pragma once

#include <string>

#include "lab/record/recording_file.h"

namespace powercut::planted {

// Of the states that a power cut could have left: "recover recovery-refused; ..."; empty: nothing.
// `lawful` is the stream before the fault, which says where the journal is.
std::string seen_in_states(const lab::Recording& recording, const lab::Recording& lawful);

}  // namespace powercut::planted
