// Changes of an image in words: what `powercut image put|rm|mkdir|...` and its shell do.
//
// A change is a command and its words, as in a shell: {"mv", "a", "b"}.  Each is made through the
// journal; it is durable when the volume is committed or closed.
//
// Threads: one at a time.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "powercut/volume.h"

namespace powercut::lab {

struct ChangeProgress {
  std::uint64_t files = 0, bytes = 0;
  std::string path;  // where it is
};

struct ChangeContext {
  // Called now and then; false ends the change (kAborted) at a place where all is whole.
  std::function<bool(const ChangeProgress&)> progress;
  // What was passed over.
  std::function<void(const std::string& path, const Error&)> trouble;
  // What a command has to say (ls, cat).
  std::function<void(std::string_view)> print;
};

struct ChangeCommand {
  const char* name;
  const char* usage;  // the words behind the name
  const char* summary;
  std::size_t words_min, words_max;  // options not counted
  const char* options;               // the letters it knows: "pr"
};

// All of them, in the order of their names.
std::span<const ChangeCommand> change_commands();

// Errors: kInvalid: no such command, or words that do not fit it; else what the volume says.
Result<void> change_image(fs::Volume& volume, const std::vector<std::string>& words,
                          const ChangeContext& context);

// The words of a line of the shell: parted by blanks, '...' and "..." as they are, \x is x.
// Errors: kInvalid: a quote that does not end.
Result<std::vector<std::string>> words_of_line(std::string_view line);

}  // namespace powercut::lab
