// The names of the rules of recovery.
#include <charconv>

#include "recovery/recovery.h"

namespace powercut {

std::string_view recover_as_name(RecoverAs rules) {
  switch (rules) {
    case RecoverAs::kLinux: return "linux";
    case RecoverAs::kLinux612: return "linux-6.12";
    case RecoverAs::kLinux61: return "linux-6.1";
    case RecoverAs::kE2fsck: return "e2fsck";
  }
  return "?";
}

std::optional<RecoverAs> recover_as_of(std::string_view name) {
  for (const RecoverAs rules : kAllRecoverAs) {
    if (name == recover_as_name(rules)) return rules;
  }
  return std::nullopt;
}

RecoverAs recover_as_of_release(std::string_view release) {
  const char* const end = release.data() + release.size();
  int major = 0, minor = 0;
  const auto [dot, is_bad] = std::from_chars(release.data(), end, major);
  if (is_bad != std::errc{} || dot == end || *dot != '.') return RecoverAs::kLinux;
  if (std::from_chars(dot + 1, end, minor).ec != std::errc{}) return RecoverAs::kLinux;
  const auto is_from = [&](int first_major, int first_minor) {
    return major > first_major || (major == first_major && minor >= first_minor);
  };
  if (is_from(6, 13)) return RecoverAs::kLinux;
  return is_from(6, 11) ? RecoverAs::kLinux612 : RecoverAs::kLinux61;
}

}  // namespace powercut
