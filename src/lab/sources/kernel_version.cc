#include "lab/sources/kernel_version.h"

#include <algorithm>

namespace powercut::lab {
namespace {

constexpr std::string_view kPrefix = "linux-image-";
constexpr std::string_view kFlavour = "-cloud-amd64";
constexpr std::string_view kUnsigned = "-unsigned";

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

bool is_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

// The weight of the first character of a part without digits; the end of the part weighs 0.
int weight_of_first(std::string_view part) {
  if (part.empty() || is_digit(part.front())) return 0;
  if (part.front() == '~') return -1;
  const int code = static_cast<unsigned char>(part.front());
  return is_letter(part.front()) ? code : code + 256;
}

std::string_view take_number(std::string_view& text) {
  while (!text.empty() && text.front() == '0') text.remove_prefix(1);
  const auto end = std::ranges::find_if_not(text, is_digit);
  const std::string_view number = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(number.size());
  return number;
}

}  // namespace

int compare_debian_versions(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    while ((!a.empty() && !is_digit(a.front())) || (!b.empty() && !is_digit(b.front()))) {
      const int difference = weight_of_first(a) - weight_of_first(b);
      if (difference != 0) return difference;
      a.remove_prefix(1);  // equal and not both at their end, so each has one
      b.remove_prefix(1);
    }
    const std::string_view number_a = take_number(a);
    const std::string_view number_b = take_number(b);
    if (number_a.size() != number_b.size()) return number_a.size() < number_b.size() ? -1 : 1;
    const int difference = number_a.compare(number_b);
    if (difference != 0) return difference;
  }
  return 0;
}

std::string kernel_release_of_package(std::string_view package) {
  if (!package.starts_with(kPrefix)) return {};
  package.remove_prefix(kPrefix.size());
  if (package.ends_with(kUnsigned)) package.remove_suffix(kUnsigned.size());
  const bool is_versioned = !package.empty() && is_digit(package.front());
  return is_versioned && package.ends_with(kFlavour) ? std::string(package) : std::string();
}

bool is_of_series(std::string_view release, std::string_view series) {
  if (series.empty() || !release.starts_with(series)) return false;
  if (release.size() == series.size()) return true;
  return std::string_view(".-+~").find(release[series.size()]) != std::string_view::npos;
}

std::optional<std::string> newest_kernel_package(const std::vector<std::string>& packages,
                                                 std::string_view series) {
  std::optional<std::string> newest;
  for (const std::string& package : packages) {
    const std::string release = kernel_release_of_package(package);
    if (release.empty() || !is_of_series(release, series)) continue;
    const int order =
        newest ? compare_debian_versions(release, kernel_release_of_package(*newest)) : 1;
    if (order > 0 || (order == 0 && package.ends_with(kUnsigned))) newest = package;
  }
  return newest;
}

}  // namespace powercut::lab
