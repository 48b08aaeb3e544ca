#include "lab/sources/initramfs.h"

#include <algorithm>
#include <array>
#include <set>

#include "host/archive.h"
#include "host/process.h"
#include "lab/sources/kernel_modules.h"

namespace powercut::lab {
namespace {

namespace fs = std::filesystem;

constexpr auto kToolLimit = std::chrono::seconds(20);  // for ldd and busybox to answer
constexpr int kInterpretersMax = 4;  // a script whose interpreter is a script, and so on
constexpr std::size_t kScriptWordsMax = 64;
constexpr unsigned kProgramMode = 0755;
constexpr unsigned kPlainMode = 0644;
constexpr std::string_view kGuestProgram = "bin/powercut-guest";
constexpr std::string_view kPasswd = "root:x:0:0:root:/root:/bin/sh\n";
constexpr std::string_view kGroup = "root:x:0:\n";
constexpr std::array<std::string_view, 3> kOwnPrograms = {"hot-cut", "hot-store", "powercut"};
constexpr std::array<std::string_view, 5> kHidden = {"/dev/", "/mnt/", "/proc/", "/sys/", "/tmp/"};
constexpr std::array<std::string_view, 6> kGuestPath = {
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

Bytes bytes_of_text(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Paths in a cpio have no slash at their beginning.
std::string_view in_archive(std::string_view path) {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  return path;
}

bool is_plain_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

Result<std::string> head_of(const fs::path& path) {
  const File file = TRY(File::open(path, File::Access::kRead));
  std::string head(std::min<std::uint64_t>(file.size_bytes(), 256), '\0');
  TRY(file.read_at(0, {reinterpret_cast<std::uint8_t*>(head.data()), head.size()}));
  return head;
}

// The words of a "#!" line: interpreter and at most one argument.
std::vector<std::string> interpreter_words(std::string_view head) {
  if (!head.starts_with("#!")) return {};
  std::string_view line = head.substr(2, head.find('\n') - 2);
  std::vector<std::string> words;
  while (words.size() < 2) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
    if (word.empty()) break;
    words.emplace_back(word);
    line.remove_prefix(word.size());
  }
  return words;
}

class Builder {
 public:
  explicit Builder(const InitramfsOptions& options) : options_(options) {}
  Result<std::vector<std::uint8_t>> build(const KernelImage& kernel, GuestJob job);

 private:
  Result<void> add_frame();
  Result<void> add_busybox();
  Result<void> add_modules(const KernelImage& kernel, GuestJob& job);
  Result<void> add_command(std::vector<std::string>& command);
  Result<std::string> add_program(const std::string& name);
  Result<void> add_executable(const fs::path& path, const std::string& guest_path, int depth);
  Result<void> add_interpreter(const std::vector<std::string>& words, int depth);
  Result<void> add_libraries(const fs::path& path);
  Result<void> add_once(std::string_view guest_path, const fs::path& source, unsigned mode);
  bool is_applet(const std::string& name) const { return applets_.contains(name); }

  const InitramfsOptions& options_;
  CpioWriter cpio_;
  std::set<std::string> applets_;
  std::uint64_t file_bytes_ = 0;
};

Result<void> Builder::add_once(std::string_view guest_path, const fs::path& source, unsigned mode) {
  const std::string_view path = in_archive(guest_path);
  if (cpio_.has(path)) return {};
  std::error_code error;
  const std::uint64_t size = fs::file_size(source, error);
  file_bytes_ += error ? 0 : size;
  if (file_bytes_ > kInitramfsBytesMax) {
    return fail_with(Errc::kLimit, "initramfs: too much to carry", source.string(), file_bytes_);
  }
  return cpio_.add_file_from(path, source, mode);
}

Result<void> Builder::add_frame() {
  if (!is_plain_file(options_.guest_program)) {
    return fail_with(Errc::kNotFound, "initramfs: powercut-guest is not there",
                     options_.guest_program.string());
  }
  for (const std::string_view folder : {"dev", "mnt", "proc", "root", "sys", "tmp"}) {
    cpio_.add_directory(folder);
  }
  cpio_.add_character_device("dev/console", 5, 1);
  cpio_.add_character_device("dev/null", 1, 3);
  TRY(add_once(kGuestProgram, options_.guest_program, kProgramMode));
  cpio_.add_symlink("init", kGuestProgram);
  for (const std::string_view name : kOwnPrograms) {
    cpio_.add_symlink("bin/" + std::string(name), "powercut-guest");
  }
  cpio_.add_file("etc/passwd", bytes_of_text(kPasswd), kPlainMode);
  cpio_.add_file("etc/group", bytes_of_text(kGroup), kPlainMode);
  constexpr const char* kLoaderCache = "/etc/ld.so.cache";  // libraries outside the usual folders
  if (is_plain_file(kLoaderCache)) TRY(add_once(kLoaderCache, kLoaderCache, kPlainMode));
  return {};
}

// Without busybox a guest works as long as no command needs an applet.
Result<void> Builder::add_busybox() {
  const auto busybox = find_program("busybox");
  if (!busybox) return {};
  const CommandOutcome list =
      TRY(run_command({.arguments = {*busybox, "--list"}}, Nanoseconds(kToolLimit)));
  if (!list.status.is_success()) return {};
  TRY(add_executable(*busybox, "/bin/busybox", 0));
  std::string_view rest = list.output;
  while (!rest.empty()) {
    const std::string applet(rest.substr(0, rest.find('\n')));
    rest.remove_prefix(std::min(applet.size() + 1, rest.size()));
    const std::string path = "bin/" + applet;
    if (applet.empty() || applet.find('/') != applet.npos || cpio_.has(path)) continue;
    cpio_.add_symlink(path, "busybox");
    applets_.insert(applet);
  }
  return {};
}

Result<void> Builder::add_modules(const KernelImage& kernel, GuestJob& job) {
  if (kernel.modules_dir.empty()) return {};
  const ModuleIndex index = TRY(index_modules(kernel.modules_dir));
  const auto modules = TRY(modules_in_order(index, wanted_modules(), nullptr));
  for (const LoadableModule& module : modules) {
    const std::string path = "/powercut/modules/" + module.name + ".ko";
    cpio_.add_file(in_archive(path), bytes_of_text(module.content), kPlainMode);
    job.modules.push_back(path);
  }
  return {};
}

Result<void> Builder::add_libraries(const fs::path& path) {
  const CommandOutcome outcome =
      TRY(run_command({.arguments = {"ldd", path.string()}}, Nanoseconds(kToolLimit)));
  if (!outcome.status.is_success()) return {};  // "not a dynamic executable"
  const std::vector<std::string> libraries = TRY(parse_ldd(outcome.output));
  for (const std::string& library : libraries) TRY(add_once(library, library, kProgramMode));
  return {};
}

Result<void> Builder::add_interpreter(const std::vector<std::string>& words, int depth) {
  const std::string& path = words.front();
  const std::string name = fs::path(path).filename().string();
  if (is_plain_file(path)) {
    TRY(add_executable(path, path, depth + 1));
  } else if (is_applet(name)) {
    if (!cpio_.has(in_archive(path))) cpio_.add_symlink(in_archive(path), "/bin/busybox");
  } else {
    return fail_with(Errc::kNotFound, "initramfs: no such interpreter of a script", path);
  }
  if (name == "env" && words.size() > 1) TRY(add_program(words[1]));
  return {};
}

Result<void> Builder::add_executable(const fs::path& path, const std::string& guest_path,
                                     int depth) {
  if (cpio_.has(in_archive(guest_path))) return {};
  if (depth > kInterpretersMax) {
    return fail_with(Errc::kLimit, "initramfs: scripts that run scripts", path.string());
  }
  const std::string head = TRY(head_of(path));
  TRY(add_once(guest_path, path, kProgramMode));
  if (head.starts_with("\x7F"
                       "ELF"))
    return add_libraries(path);
  const std::vector<std::string> interpreter = interpreter_words(head);
  if (interpreter.empty()) return {};
  return add_interpreter(interpreter, depth);
}

// Brings the program of that name or path; returns the word that starts it in the guest.
Result<std::string> Builder::add_program(const std::string& name) {
  if (std::ranges::find(kOwnPrograms, name) != kOwnPrograms.end()) return name;
  std::error_code error;
  if (name.find('/') != name.npos) {
    const fs::path path = fs::absolute(name, error).lexically_normal();
    if (!is_plain_file(path)) {
      return fail_with(Errc::kNotFound, "initramfs: no such program", name);
    }
    std::string guest_path = carried_path(path);
    TRY(add_executable(path, guest_path, 0));
    return guest_path;
  }
  const auto found = find_program(name);
  if (found) {
    const fs::path path = fs::absolute(*found, error).lexically_normal();
    std::string guest_path = carried_path(path);
    TRY(add_executable(path, guest_path, 0));
    const std::string folder = fs::path(guest_path).parent_path().string();
    const bool is_on_path = std::ranges::find(kGuestPath, folder) != kGuestPath.end();
    return is_on_path ? name : guest_path;
  }
  if (is_applet(name)) return name;
  return fail_with(Errc::kNotFound,
                   "initramfs: no such program on this machine, nor in busybox (busybox-static)",
                   name);
}

Result<void> Builder::add_command(std::vector<std::string>& command) {
  if (command.empty()) return fail(Errc::kInvalid, "guest job: an empty command");
  command.front() = TRY(add_program(command.front()));
  const bool is_script = command.size() > 2 && command[1] == "-c";
  if (!is_script) return {};
  // What a shell will start is in its text; a word that is no program costs nothing.
  for (const std::string& word : words_of_script(command[2])) {
    const bool is_wanted = !is_applet(word) && find_program(word).has_value();
    if (is_wanted) TRY(add_program(word));
  }
  return {};
}

Result<std::vector<std::uint8_t>> Builder::build(const KernelImage& kernel, GuestJob job) {
  TRY(add_frame());
  TRY(add_busybox());
  TRY(add_modules(kernel, job));
  for (std::vector<std::string>& command : job.commands) TRY(add_command(command));
  for (const std::string& program : options_.programs) TRY(add_program(program));
  for (const fs::path& file : options_.files) {
    std::error_code error;
    const fs::path path = fs::absolute(file, error).lexically_normal();
    if (!is_plain_file(path)) {
      return fail_with(Errc::kNotFound, "initramfs: no such file to carry", path.string());
    }
    TRY(add_once(carried_path(path), path, kProgramMode));
  }
  const std::string text = TRY(format_job(job));
  cpio_.add_file(in_archive(kJobPath), bytes_of_text(text), kPlainMode);
  std::vector<std::uint8_t> bytes = TRY(cpio_.finish());
  if (bytes.size() > kInitramfsBytesMax) {
    return fail(Errc::kLimit, "initramfs: too large", bytes.size());
  }
  return bytes;
}

}  // namespace

std::string carried_path(const std::filesystem::path& path) {
  std::string text = path.string();
  for (const std::string_view hidden : kHidden) {
    if (text.starts_with(hidden)) return "/powercut/files" + text;
  }
  return text;
}

std::vector<std::string> words_of_script(std::string_view script) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";
  std::vector<std::string> words;
  while (!script.empty() && words.size() < kScriptWordsMax) {
    const std::string_view word = script.substr(0, script.find_first_not_of(kLetters));
    script.remove_prefix(std::max<std::size_t>(word.size(), 1));
    const bool is_name = !word.empty() && word.front() != '-' && word.front() != '.';
    if (is_name && std::ranges::find(words, word) == words.end()) words.emplace_back(word);
  }
  return words;
}

Result<std::vector<std::string>> parse_ldd(std::string_view output) {
  constexpr std::string_view kArrow = "=>";
  std::vector<std::string> libraries;
  while (!output.empty()) {
    const std::string_view line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(line.size() + 1, output.size()));
    if (line.find("not found") != line.npos) {
      return fail_with(Errc::kNotFound, "initramfs: a library of a program is missing", line);
    }
    const std::size_t arrow = line.find(kArrow);
    std::string_view rest = arrow == line.npos ? line : line.substr(arrow + kArrow.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    const std::string_view path = rest.substr(0, rest.rfind(" ("));
    if (path.starts_with('/')) libraries.emplace_back(path);
  }
  return libraries;
}

Result<std::vector<std::uint8_t>> build_initramfs(const KernelImage& kernel, const GuestJob& job,
                                                  const InitramfsOptions& options) {
  Builder builder(options);
  return builder.build(kernel, job);
}

}  // namespace powercut::lab
