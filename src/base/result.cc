#include "base/result.h"

#include <cstdlib>

#include <unistd.h>

#include "base/scheduled.h"

namespace powercut {

std::string_view errc_name(Errc code) noexcept {
  switch (code) {
    case Errc::kIo: return "I/O error";
    case Errc::kCorrupt: return "damaged";
    case Errc::kChecksum: return "checksum mismatch";
    case Errc::kUnsupported: return "not supported";
    case Errc::kNoSpace: return "no space";
    case Errc::kNotFound: return "not found";
    case Errc::kExists: return "exists";
    case Errc::kReadOnly: return "read-only";
    case Errc::kLimit: return "limit reached";
    case Errc::kAborted: return "stopped";
    case Errc::kInvalid: return "invalid";
    case Errc::kTimeout: return "timed out";
    case Errc::kInUse: return "in use";
    case Errc::kNotDirectory: return "not a directory";
    case Errc::kIsDirectory: return "is a directory";
    case Errc::kNotEmpty: return "not empty";
    case Errc::kNotPermitted: return "not permitted";
  }
  return "unknown error";
}

std::string error_words(const Error& error) {
  std::string text = error.what;
  const std::string_view detail = error.detail.view();
  if (!detail.empty()) return text.append(": ").append(detail);
  if (error.where != 0) text += " (" + std::to_string(error.where) + ")";
  return text;
}

void check_failed(const char* condition, const char* why, const char* file, int line) noexcept {
  // write(2) and no formatting library: this runs when nothing else can be trusted.
  const std::string place =
      std::string(why) + " (" + condition + ") at " + file + ":" + std::to_string(line);
  // In a simulation it is a finding, and the simulation's end.
  if (detail::scheduler != nullptr) detail::simulated_check_failed(place);
  const std::string text = "powercut: CHECK failed: " + place + "\n";
  const auto ignored = ::write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(ignored);
  std::abort();
}

}  // namespace powercut
