// Debian's package index and its files.  Nothing is installed here: packages are fetched into a
// folder.  apt's tools are asked with a bound on every wait and never ask back.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace powercut {

struct PackageVersion {
  std::string name;
  std::string version;
  std::string sha256;  // hexadecimal, as the index says
  std::uint64_t size_bytes = 0;
};

// Names in the index that begin with `prefix`.  Errors: kNotFound: this machine has no apt.
Result<std::vector<std::string>> apt_package_names(const std::string& prefix);
// The candidate version of a package.  Errors: kNotFound.
Result<PackageVersion> apt_candidate(const std::string& name);
// What `name` depends on, names only (first alternative of each).
Result<std::vector<std::string>> apt_dependencies(const std::string& name);
// Fetches the package's file into `into` and checks it against the index's SHA-256.
// Errors: kNotFound (gone from the mirror, or no network), kChecksum, kTimeout, kNoSpace, kIo.
Result<std::filesystem::path> apt_download(const PackageVersion& package,
                                           const std::filesystem::path& into);
// The SHA-256 of a file, hexadecimal.
Result<std::string> sha256_of_file(const std::filesystem::path& path);

}  // namespace powercut
