// What an exploration gave, as text and as JSON.
#pragma once

#include <string>

#include "lab/campaign/online_explorer.h"

namespace powercut::lab {

// One line without a newline, for a terminal that is overwritten.
std::string explore_progress_text(const ExplorerCounts& counts);
// `repeat`: the command without the words that choose a state.
std::string exploration_text(const std::string& name, const ExploreResult& result,
                             const std::string& repeat);
// The lines of it about states and judges, without those about the recording and the tags.
std::string exploration_lines(const ExploreResult& result, const std::string& repeat);
// The same of what was explored while the load ran; JSON: one object.
std::string online_lines(const OnlineResult& result, const std::string& repeat);
std::string online_json(const OnlineResult& result, const std::string& repeat);
// A finding as it comes.
std::string bad_state_text(const GroupedFinding& group);
std::string exploration_json(const ExploreResult& result, const std::string& repeat);

// The words that choose a state: "--crash N --keep WRITES".
std::string state_words(const StateId& state);

}  // namespace powercut::lab
