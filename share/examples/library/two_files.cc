// Two files in an ext4 image that change together, whatever happens: a count, and what was counted.
//
//   two_files IMAGE WORD...   adds the words to /words and their number to /count
//
// After a power cut (or kill -9) at any moment /count is the number of lines of /words, and all
// that was printed as kept is there.
#include <algorithm>
#include <cstdio>
#include <string>

#include <powercut/volume.h>

using powercut::Result;
using powercut::fs::Volume;

namespace {

Result<std::string> text_of(Volume& volume, const char* path) {
  auto content = volume.read_file(path);
  if (!content && content.error().code == powercut::Errc::kNotFound) return std::string();
  const auto bytes = POWERCUT_TRY(std::move(content));
  return std::string(bytes.begin(), bytes.end());
}

Result<void> put(Volume& volume, const char* path, const std::string& text) {
  return volume.write_file(
      path, powercut::Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

// Both files, or neither.
Result<long> add(Volume& volume, const std::string& word) {
  const std::string words = POWERCUT_TRY(text_of(volume, "words")) + word + "\n";
  const long count = std::count(words.begin(), words.end(), '\n');
  auto section = POWERCUT_TRY(volume.begin_section());
  POWERCUT_TRY(put(volume, "words", words));
  POWERCUT_TRY(put(volume, "count", std::to_string(count) + "\n"));
  POWERCUT_TRY(section.end());
  return count;
}

Result<void> add_all(const char* image, char** words) {
  Volume volume = POWERCUT_TRY(Volume::open(image));
  for (; *words != nullptr; ++words) {
    const long count = POWERCUT_TRY(add(volume, *words));
    // Nothing is printed that could be lost.
    POWERCUT_TRY(volume.commit());
    std::printf("%ld words are kept\n", count);
    std::fflush(stdout);
  }
  return volume.close();
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count < 3) {
    std::fprintf(stderr, "usage: two_files IMAGE WORD...\n");
    return 2;
  }
  const auto done = add_all(arguments[1], arguments + 2);
  if (done) return 0;
  std::fprintf(stderr, "two_files: %s\n", powercut::error_words(done.error()).c_str());
  return 1;
}
