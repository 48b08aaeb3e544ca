// Which of Debian's kernel packages is the newest of a series: versions, and the names of packages.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::lab {

// Debian's order of versions (Debian Policy 5.6.12), without epochs: parts without digits and
// numbers in turn; `~` comes before everything, even before the end.  Negative, 0 or positive.
int compare_debian_versions(std::string_view a, std::string_view b);

// "6.1.0-56-cloud-amd64" of "linux-image-6.1.0-56-cloud-amd64-unsigned"; empty for other names.
std::string kernel_release_of_package(std::string_view package);

// Whether a release is of a series: "6.1" has 6.1.0-56 and not 6.12; "6.1.0-50" has just that one.
bool is_of_series(std::string_view release, std::string_view series);

// The newest cloud kernel of a series; of equal ones the unsigned package, which needs no other
// package's signature.  None if no name matches.
std::optional<std::string> newest_kernel_package(const std::vector<std::string>& packages,
                                                 std::string_view series);

}  // namespace powercut::lab
