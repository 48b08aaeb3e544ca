// What an exploration gave, as text and as JSON.
#pragma once

#include <string>

#include "lab/campaign/explore.h"

namespace powercut::lab {

// One line without a newline, for a terminal that is overwritten.
std::string explore_progress_text(const ExplorerCounts& counts);
// `repeat`: the command without the words that choose a state.
std::string exploration_text(const std::string& name, const ExploreResult& result,
                             const std::string& repeat);
// The lines of it about states and judges, without those about the recording and the tags.
std::string exploration_lines(const ExploreResult& result, const std::string& repeat);
std::string exploration_json(const ExploreResult& result, const std::string& repeat);

// The words that choose a state: "--crash N --keep WRITES".
std::string state_words(const StateId& state);

}  // namespace powercut::lab
