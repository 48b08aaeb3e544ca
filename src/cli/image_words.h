// What the commands share that look into an image: its words, the note that it is in use, the list
// of its partitions.
#pragma once

#include "cli/command.h"
#include "lab/image/image_file.h"

namespace powercut::cli {

// Options that name a file system in an image.
struct ImageWords {
  std::string offset, journal, recover_as = "linux";
  unsigned partition = 0;  // 0: not given
  void add_to(CLI::App& command);
  // The words for `image`; looks for the partition if one was named.
  // Errors: kInvalid: words that make no sense; kNotFound: no such partition; kIo.
  Result<lab::ImageOptions> options_for(const std::string& image) const;
  // The words that say the same again, each with a blank before it.
  std::string repeated() const;
};

// "4096", "1M", "2048s" (sectors of 512 bytes), in bytes.
Result<std::uint64_t> parse_offset(const std::string& text);

// Says on standard error who else uses the image or its journal's device, if somebody does.
void note_uses(const lab::ImageOptions& options);
// Opens it, to be read; with note_uses(), since what is read may then not fit together.
Result<lab::ImageFile> open_image(const lab::ImageOptions& options);
// print_error(), and the partitions of the image if it could not be opened and has some.
int print_image_error(const Error& error, const lab::ImageOptions& options);

}  // namespace powercut::cli
