// What `powercut journal` prints.  Whole lines, newline-ended; text out of the image is made fit
// for a terminal.
#pragma once

#include <span>
#include <string>

#include "lab/image/journal_story.h"
#include "lab/image/replay.h"

namespace powercut::lab {

// "2026-11-22 10:11:12.123456789", UTC; without nanoseconds if they are 0.  A number of seconds
// that is no date of this era is said as it is.
std::string commit_time_text(std::uint64_t seconds, std::uint32_t nanoseconds);

struct StoryTextOptions {
  bool lists_blocks = false;   // of every transaction that is listed
  std::size_t old_max = 20;    // transactions listed; the youngest ones
  std::string repeat_command;  // "powercut journal show x.img"
};
std::string story_text(const JournalStory& story, const StoryTextOptions& options);

// The findings, a line each as a hunt prints them, and a summary.
std::string check_text(const JournalCheck& check, const std::string& repeat_command);
std::string replay_text(const ReplayOutcome& outcome, const std::string& repeat_command);

}  // namespace powercut::lab
