// Holds the rules of rules.h over the files of this repository.
//
// The files are those that git would commit (tracked, or new and not ignored); in a tree without
// git, all files outside build/.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "tests/repository/rules.h"

namespace powercut::repository {
namespace {

namespace fs = std::filesystem;

const std::string kRoot = POWERCUT_SOURCE_DIR;

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What git prints between zero bytes; empty if git or its folder is absent.
std::vector<std::string> git_files() {
  const std::string command = "git -c safe.directory='*' -C '" + kRoot +
                              "' ls-files -z --cached --others --exclude-standard 2>/dev/null";
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                             ::pclose);
  std::vector<std::string> files;
  std::string name;
  for (int letter = 0; pipe && (letter = std::fgetc(pipe.get())) != EOF;) {
    if (letter != 0) {
      name += static_cast<char>(letter);
    } else {
      files.push_back(std::exchange(name, {}));
    }
  }
  return files;
}

std::vector<std::string> all_files() {
  std::vector<std::string> files;
  for (auto entry = fs::recursive_directory_iterator(kRoot);
       entry != fs::recursive_directory_iterator(); ++entry) {
    const std::string path = fs::relative(entry->path(), kRoot).string();
    if (path == "build" || path == ".git") entry.disable_recursion_pending();
    if (entry->is_regular_file()) files.push_back(path);
  }
  return files;
}

// Paths of the files that are in the work tree, in order.
const std::vector<std::string>& files() {
  static const std::vector<std::string> kFiles = [] {
    std::vector<std::string> found = git_files();
    if (found.empty()) found = all_files();
    std::erase_if(found, [](const std::string& path) {
      return !fs::is_regular_file(fs::symlink_status(kRoot + "/" + path));
    });
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }();
  return kFiles;
}

bool is_cpp(std::string_view path) {
  return (path.ends_with(".cc") || path.ends_with(".h")) &&
         (path.starts_with("src/") || path.starts_with("tests/") || path.starts_with("bench/"));
}

// Text that people read and write: held to the lengths.
bool has_lengths(std::string_view path) {
  return is_cpp(path) || path.starts_with("scripts/") || path == "run" || path == "test" ||
         path.ends_with("CMakeLists.txt") || path.ends_with(".cmake") || path.ends_with(".sh");
}

template <class Check>
void expect_none(bool (*wanted)(std::string_view), Check check) {
  std::size_t count = 0;
  Violations found;
  for (const std::string& path : files()) {
    if (!wanted(path)) continue;
    ++count;
    const Violations some = check(SourceFile{path, read_text(kRoot + "/" + path)});
    found.insert(found.end(), some.begin(), some.end());
  }
  EXPECT_TRUE(found.empty()) << text_of(found);
  EXPECT_GT(count, 10u) << "too few files were found for this test to mean anything";
}

TEST(Repository, IncludesGoDown) {
  const Layers layers(read_text(kRoot + "/tests/repository/layers.txt"));
  expect_none(is_cpp, [&](const SourceFile& file) { return check_layers(layers, file); });
}

TEST(Repository, SourcesIncludeTheirHeadersFirst) {
  expect_none(is_cpp, [](const SourceFile& file) { return check_first_include(files(), file); });
}

TEST(Repository, LibrariesStayInTheirFolders) {
  const Libraries libraries(read_text(kRoot + "/tests/repository/libraries.txt"));
  expect_none(is_cpp, [&](const SourceFile& file) { return check_libraries(libraries, file); });
}

TEST(Repository, NothingUsesWhatIsNotInjected) {
  expect_none(is_cpp, check_words);
}

TEST(Repository, FilesAndLinesAreShort) {
  expect_none(has_lengths, check_lengths);
}

TEST(Repository, NoLargeBlob) {
  Violations found;
  for (const std::string& path : files()) {
    const Violations some = check_size(path, fs::file_size(kRoot + "/" + path));
    found.insert(found.end(), some.begin(), some.end());
  }
  EXPECT_TRUE(found.empty()) << text_of(found);
}

std::vector<std::string> sources(bool (*wanted)(std::string_view)) {
  std::vector<std::string> found;
  for (const std::string& path : files()) {
    if (path.ends_with(".cc") && wanted(path)) found.push_back(path);
  }
  return found;
}

// Where several sources are compiled as one, the build knows that one.
std::set<std::string> built_in(const std::string& folder) {
  std::set<std::string> built = built_files(read_text(folder + "/compile_commands.json"), kRoot);
  const std::set<std::string> units = built;
  for (const std::string& unit : units) {
    if (is_batch(unit)) built.merge(batched_files(read_text(kRoot + "/" + unit), kRoot));
  }
  return built;
}

TEST(Repository, EveryTestIsBuilt) {
  const auto built = built_in(POWERCUT_BINARY_DIR);
  const auto paths = sources([](std::string_view path) { return path.ends_with("_test.cc"); });
  EXPECT_GT(paths.size(), 5u);
  const Violations found = check_built(paths, built, POWERCUT_BINARY_DIR);
  EXPECT_TRUE(found.empty()) << text_of(found);
}

TEST(Repository, EverySourceIsBuilt) {
  const auto built = built_in(kRoot + "/build/release");
  if (built.empty()) {
    GTEST_SKIP() << "the release preset is not configured (cmake --preset release)";
  }
  const auto paths = sources([](std::string_view path) {
    return path.starts_with("src/") && !path.ends_with("_test.cc") && !path.ends_with("_fuzz.cc");
  });
  const Violations found = check_built(paths, built, "release");
  EXPECT_TRUE(found.empty()) << text_of(found);
}

TEST(Repository, EveryFuzzTargetIsBuilt) {
  const auto built = built_in(kRoot + "/build/fuzz");
  if (built.empty()) GTEST_SKIP() << "the fuzz preset is not configured (cmake --preset fuzz)";
  const auto paths = sources([](std::string_view path) { return path.ends_with("_fuzz.cc"); });
  const Violations found = check_built(paths, built, "fuzz");
  EXPECT_TRUE(found.empty()) << text_of(found);
}

TEST(Repository, EveryCorpusHasItsFuzzTarget) {
  const Violations found = check_corpora(files());
  EXPECT_TRUE(found.empty()) << text_of(found);
}

}  // namespace
}  // namespace powercut::repository
