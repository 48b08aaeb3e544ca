// What the commands of `powercut journal` share.
#pragma once

#include "cli/image_words.h"

namespace powercut::cli {

// What keeps a journal from being read, printed; the exit code.  A damaged superblock of the
// journal is a finding; anything else is not.
int print_unread(const Error& error, const lab::ImageOptions& options);

void add_journal_replay(CommandLine& line, CLI::App& journal);

}  // namespace powercut::cli
