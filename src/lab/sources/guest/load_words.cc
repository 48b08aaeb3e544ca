#include "lab/sources/guest/load_words.h"

#include <cerrno>
#include <charconv>
#include <cstring>

#include <unistd.h>

namespace powercut::lab {

Result<std::uint64_t> parse_count(const char* rule, const std::string& word, std::uint64_t least,
                                  std::uint64_t most) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
  if (error != std::errc{} || end != word.data() + word.size() || count < least || count > most) {
    return fail_with(Errc::kInvalid, rule, word);
  }
  return count;
}

Failure load_failure(const char* what, const std::string& path, int os_error) {
  const Errc code = os_error == ENOSPC || os_error == EDQUOT ? Errc::kNoSpace
                    : os_error == ENOENT                     ? Errc::kNotFound
                    : os_error == EEXIST                     ? Errc::kExists
                                                             : Errc::kIo;
  return fail_with(code, what, path + ": " + std::strerror(os_error),
                   static_cast<std::uint64_t>(os_error));
}

void say(int fd, const std::string& line) {
  const ssize_t written = ::write(fd, line.data(), line.size());
  static_cast<void>(written);
}

}  // namespace powercut::lab
