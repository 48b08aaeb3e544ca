#include "host/apt.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/machine.h"
#include "host/process.h"

namespace powercut {
namespace {

constexpr Nanoseconds kQueryLimit = std::chrono::seconds(60);
constexpr Nanoseconds kDownloadLimit = std::chrono::seconds(300);
constexpr Nanoseconds kSumLimit = std::chrono::seconds(600);
constexpr std::size_t kNamesBytesMax = std::size_t{16} << 20;  // of all names of an index
constexpr std::size_t kStanzaBytesMax = std::size_t{1} << 20;  // of one package's description
constexpr std::uint64_t kSpareDiskBytes = std::uint64_t{16} << 20;
constexpr std::size_t kPackageNameMax = 200;

bool is_lower_or_digit(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
}

// Debian's rule for names of packages: lower case, digits, and "+-." after the first.  It also
// keeps a name from being read as an option, a pattern or a path.
bool is_package_name(std::string_view name) {
  if (name.empty() || name.size() > kPackageNameMax || !is_lower_or_digit(name[0])) return false;
  return std::all_of(name.begin(), name.end(), [](char letter) {
    return is_lower_or_digit(letter) || letter == '+' || letter == '-' || letter == '.';
  });
}

// Debian's rule for versions.
bool is_version(std::string_view version) {
  if (version.empty() || version.size() > kPackageNameMax) return false;
  return std::all_of(version.begin(), version.end(), [](char letter) {
    return is_lower_or_digit(letter) || (letter >= 'A' && letter <= 'Z') ||
           std::string_view("+-.:~").find(letter) != std::string_view::npos;
  });
}

ProcessOptions quiet_command(std::vector<std::string> arguments) {
  return {.arguments = std::move(arguments),
          .environment = {{"LC_ALL", "C"}, {"DEBIAN_FRONTEND", "noninteractive"}}};
}

Result<std::string> ask_apt_cache(std::vector<std::string> words, std::size_t bytes_max) {
  words.insert(words.begin(), "apt-cache");
  CommandOutcome outcome = TRY(run_command(quiet_command(words), kQueryLimit, bytes_max));
  if (outcome.was_cut) {
    return fail_with(Errc::kLimit, "apt-cache says more than is believable", words.back(),
                     bytes_max);
  }
  // A name it does not know gives a status of 100, like a broken index: the text tells them apart.
  return outcome.output;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// Whether the index lists packages of any archive, and not only those that are installed.
Result<bool> has_index() {
  const std::string text = TRY(ask_apt_cache({"policy"}, kStanzaBytesMax));
  return text.find(" Packages\n") != std::string::npos;
}

// Why a name was not found.
Failure not_in_index(const std::string& name) {
  const Result<bool> indexed = has_index();
  if (!indexed) return Failure{indexed.error()};
  if (!*indexed) {
    return fail_with(Errc::kNotFound, "apt's index is empty", name + ": run apt-get update");
  }
  return fail_with(Errc::kNotFound, "no such package in apt's index",
                   name + ": if it is new, run apt-get update");
}

// The value of a field of the first stanza, its continuation lines joined by blanks; empty if
// absent.
std::string field_of(std::string_view stanza, std::string_view field) {
  std::string value;
  bool is_inside = false;
  for (const std::string_view line : lines_of(stanza)) {
    if (line.empty()) break;
    if (is_inside && line[0] == ' ') {
      value += line;
      continue;
    }
    if (is_inside) break;
    if (!line.starts_with(field) || !line.substr(field.size()).starts_with(": ")) continue;
    is_inside = true;
    value = line.substr(field.size() + 2);
  }
  return value;
}

// The description of the candidate version of `name`.
Result<std::string> show_candidate(const std::string& name) {
  if (!is_package_name(name)) return fail_with(Errc::kInvalid, "not a package's name", name);
  const std::string text = TRY(ask_apt_cache({"show", "--no-all-versions", name}, kStanzaBytesMax));
  // Warnings of apt may stand before the stanza.
  const std::string first = "Package: " + name + "\n";
  const std::size_t at = text.starts_with(first) ? 0 : text.find("\n" + first);
  if (at == std::string::npos) return not_in_index(name);
  return text.substr(at == 0 && text.starts_with(first) ? 0 : at + 1);
}

// The first alternatives of "a (>= 1), b | c, d:any".
void add_first_alternatives(std::string_view relation, std::vector<std::string>& to) {
  while (!relation.empty()) {
    const std::size_t end = std::min(relation.find(','), relation.size());
    std::string_view part = relation.substr(0, end);
    relation.remove_prefix(std::min(end + 1, relation.size()));
    part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
    part = part.substr(0, part.find_first_of(" |(:["));
    const std::string name(part);
    if (is_package_name(name) && std::find(to.begin(), to.end(), name) == to.end()) {
      to.push_back(name);
    }
  }
}

// The beginning of the file's name, as apt forms it: ':' of the version becomes "%3a".
std::string file_stem(const PackageVersion& package) {
  std::string stem = package.name + "_";
  for (const char letter : package.version) {
    if (letter == ':') {
      stem += "%3a";
    } else {
      stem += letter;
    }
  }
  return stem + "_";
}

std::optional<std::filesystem::path> find_file(const PackageVersion& package,
                                               const std::filesystem::path& folder) {
  const std::string stem = file_stem(package);
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().native();
    if (name.starts_with(stem) && name.ends_with(".deb")) return entry->path();
  }
  return std::nullopt;
}

// Errors: kChecksum if the file is not what the index says.
Result<void> check_file(const PackageVersion& package, const std::filesystem::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) {
    return os_failure("cannot look at a package", file.native(), errno);
  }
  if (!S_ISREG(status.st_mode) ||
      static_cast<std::uint64_t>(status.st_size) != package.size_bytes) {
    return fail_with(Errc::kChecksum, "a package's file has not the index's length",
                     file.filename().native(), static_cast<std::uint64_t>(status.st_size));
  }
  const std::string sum = TRY(sha256_of_file(file));
  if (sum == package.sha256) return {};
  return fail_with(Errc::kChecksum, "a package's file has not the index's SHA-256",
                   file.filename().native());
}

Failure download_failure(const PackageVersion& package, std::string_view output) {
  std::string_view reason = "apt-get gave no reason";
  for (const std::string_view line : lines_of(output)) {
    if (line.starts_with("E: ")) {
      reason = line.substr(3);
      break;
    }
  }
  const std::string detail = fmt::format("{}: {}", package.name, reason);
  if (output.find("No space left") != std::string_view::npos ||
      output.find("enough free space") != std::string_view::npos) {
    return fail_with(Errc::kNoSpace, "no room for a package", detail);
  }
  return fail_with(Errc::kNotFound,
                   "cannot fetch a package: check the network; after a 404 run apt-get update",
                   detail);
}

Result<void> fetch(const PackageVersion& package, const std::filesystem::path& into) {
  const std::uint64_t free_bytes = free_disk_bytes(into);
  if (free_bytes != 0 && free_bytes < package.size_bytes + kSpareDiskBytes) {
    return fail_with(
        Errc::kNoSpace, "no room for a package: free some disk space",
        fmt::format("{} MiB for {} in {}", package.size_bytes >> 20, package.name, into.native()),
        free_bytes);
  }
  ProcessOptions options =
      quiet_command({"apt-get", "download", "-q", "-y", "-o", "Acquire::Retries=2", "-o",
                     "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30",
                     package.name + "=" + package.version});
  options.directory = into.native();
  const CommandOutcome outcome = TRY(run_command(options, kDownloadLimit));
  if (!outcome.status.is_success()) return download_failure(package, outcome.output);
  return {};
}

}  // namespace

Result<std::vector<std::string>> apt_package_names(const std::string& prefix) {
  if (!prefix.empty() && !is_package_name(prefix)) {
    return fail_with(Errc::kInvalid, "not the beginning of a package's name", prefix);
  }
  const std::string text = TRY(ask_apt_cache({"pkgnames", prefix}, kNamesBytesMax));
  std::vector<std::string> names;
  for (const std::string_view line : lines_of(text)) {
    if (line.starts_with(prefix) && is_package_name(line)) names.emplace_back(line);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.empty() && !TRY(has_index())) return not_in_index(prefix);
  return names;
}

Result<PackageVersion> apt_candidate(const std::string& name) {
  const std::string stanza = TRY(show_candidate(name));
  PackageVersion package{.name = name,
                         .version = field_of(stanza, "Version"),
                         .sha256 = field_of(stanza, "SHA256"),
                         .size_bytes = 0};
  const std::string size = field_of(stanza, "Size");
  const auto parsed = std::from_chars(size.data(), size.data() + size.size(), package.size_bytes);
  if (!is_version(package.version) || package.sha256.size() != 64 || parsed.ec != std::errc{}) {
    // What is installed, but in no archive any more, is described without a file.
    return fail_with(Errc::kNotFound, "no archive in apt's index has the package's file",
                     name + ": run apt-get update");
  }
  return package;
}

Result<std::vector<std::string>> apt_dependencies(const std::string& name) {
  const std::string stanza = TRY(show_candidate(name));
  std::vector<std::string> names;
  add_first_alternatives(field_of(stanza, "Pre-Depends"), names);
  add_first_alternatives(field_of(stanza, "Depends"), names);
  return names;
}

Result<std::filesystem::path> apt_download(const PackageVersion& package,
                                           const std::filesystem::path& into) {
  if (!is_package_name(package.name) || !is_version(package.version)) {
    return fail_with(Errc::kInvalid, "not a package's name and version",
                     package.name + "=" + package.version);
  }
  TRY(make_directories(into));
  if (const auto before = find_file(package, into)) {
    const Result<void> checked = check_file(package, *before);
    if (checked) return *before;
    if (checked.error().code != Errc::kChecksum) return Failure{checked.error()};
    ::unlink(before->c_str());  // a part of a file, of a download that was cut off
  }
  TRY(fetch(package, into));
  const auto file = find_file(package, into);
  if (!file) {
    return fail_with(Errc::kNotFound, "apt-get download left no file",
                     file_stem(package) + "*.deb in " + into.native());
  }
  const Result<void> checked = check_file(package, *file);
  if (!checked) {
    ::unlink(file->c_str());
    return Failure{checked.error()};
  }
  return *file;
}

Result<std::string> sha256_of_file(const std::filesystem::path& path) {
  const File readable = TRY(File::open(path, File::Access::kRead));
  std::error_code error;
  const std::string absolute = std::filesystem::absolute(path, error).native();
  const CommandOutcome outcome =
      TRY(run_command({.arguments = {"sha256sum", "--binary", "--", absolute}}, kSumLimit));
  std::string_view text = outcome.output;
  if (text.starts_with('\\')) text.remove_prefix(1);  // before an escaped file name
  const std::string_view sum = text.substr(0, 64);
  const bool is_sum =
      sum.size() == 64 && sum.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (!outcome.status.is_success() || !is_sum) {
    return fail_with(Errc::kIo, "sha256sum cannot read a file", absolute);
  }
  return std::string(sum);
}

}  // namespace powercut
