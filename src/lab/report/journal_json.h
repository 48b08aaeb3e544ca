// What `powercut journal --json` prints; the fields are in docs/json.md.
#pragma once

#include <span>
#include <string>

#include "lab/image/journal_story.h"
#include "lab/image/replay.h"

namespace powercut::lab {

// With `lists_blocks`, or for the transaction that was asked for, the blocks of each transaction.
std::string story_json(const JournalStory& story, bool lists_blocks,
                       const std::string& repeat_command);
// One object an image; an image that could not be checked has only `image` and `error`.
struct ImageCheck {
  std::string image;
  Result<JournalCheck> check;
};
std::string checks_json(std::span<const ImageCheck> checks, const std::string& repeat_command);
std::string replay_json(const ReplayOutcome& outcome, const std::string& repeat_command);

}  // namespace powercut::lab
