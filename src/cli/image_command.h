// What the commands of `powercut image` share: IMAGE:PATH opened in the state that the user wants
// to see, output that may end early, and what could not be read.
#pragma once

#include <optional>
#include <string>

#include "cli/image_words.h"
#include "lab/image/image_path.h"
#include "lab/image/image_state.h"

namespace powercut::cli {

// The words that all of them take.
struct LookWords {
  std::string word;  // IMAGE or IMAGE:PATH
  ImageWords image;
  bool is_raw = false, as_json = false;
  void add_to(CLI::App& command, const std::string& word_name, bool has_json = true);
};

// An image that is looked at.
struct Look {
  lab::ImageFile file;
  lab::SeenVolume seen;
  std::string image;  // as the user named it
  std::string path;   // absolute, or `<N>...`
  const Volume& volume() const { return *seen.volume; }
};

// Opens what the words name; says on standard error in which state it is shown, and what Linux
// would do.  Nothing, and the exit code in `exit_code`, if it cannot be looked at.
std::optional<Look> look(const LookWords& words, int& exit_code);

// Standard output in large pieces.  A reader that goes away ends it quietly.
class Output {
 public:
  // False once nothing more can be written.
  bool write(std::string_view text);
  // Writes what is left; the exit code, which is another one only if the output failed.
  int finish(int exit_code);

 private:
  void flush();
  std::string held_;
  int os_error_ = 0;
};

// Whether a word of the user is the path of a file, or of a device.
bool is_file(const std::string& path);

// The exit code for what was met while reading: damage is a finding.
int exit_code_of(const Error& error);

// What could not be read of an image, told as it comes.
class Troubles {
 public:
  explicit Troubles(const Look& look);
  void add(const std::string& path, const Error& error);
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
  std::uint64_t count_ = 0;
};

// One function a file of commands.
void add_image_looks(CLI::App& image, CommandLine& line);     // info, stat, cat
void add_image_listings(CLI::App& image, CommandLine& line);  // ls, tree
void add_image_extract(CLI::App& image, CommandLine& line);
void add_image_changes(CLI::App& image, CommandLine& line);

}  // namespace powercut::cli
