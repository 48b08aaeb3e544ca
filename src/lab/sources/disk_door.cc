#include "lab/sources/disk_door.h"

#include <algorithm>
#include <csignal>

#include "host/machine.h"

namespace powercut::lab {
namespace {

constexpr auto kMkfsLimit = std::chrono::seconds(120);
constexpr auto kServerStart = std::chrono::seconds(10);
constexpr auto kServerStop = std::chrono::seconds(10);
constexpr auto kLastWords = std::chrono::milliseconds(500);
constexpr std::size_t kWordsMax = 4096;

std::string last_part(const std::string& text) {
  constexpr std::size_t kMost = 100;
  std::string part = text.size() > kMost ? text.substr(text.size() - kMost) : text;
  std::ranges::replace(part, '\n', ' ');
  return part;
}

Result<File> make_storage(const DiskDoorOptions& options) {
  if (!options.image.empty()) {
    const File image = TRY(File::open(options.image, File::Access::kRead));
    const auto copy = options.folder / "disk.img";
    TRY(copy_sparse(image, copy));
    return File::open(copy, File::Access::kReadWrite);
  }
  if (options.size_bytes <= memory_bytes() / 4) {
    return File::in_memory("powercut-disk", options.size_bytes);
  }
  return File::create(options.folder / "disk.img", options.size_bytes);
}

// Beside the program that is running, or where an installation puts it.
Result<std::filesystem::path> find_plugin() {
  std::error_code error;
  for (const char* const place : {"powercut-disk.so", "../lib/powercut/powercut-disk.so"}) {
    const auto candidate = program_directory() / place;
    if (std::filesystem::exists(candidate, error)) return candidate;
  }
  return fail_with(Errc::kNotFound, "the disk's plugin is not beside the program",
                   "powercut-disk.so; build the release preset");
}

// A socket's path is short by its nature.
Result<void> check_socket_length(const std::filesystem::path& socket) {
  constexpr std::size_t kMost = 107;
  if (socket.string().size() <= kMost) return {};
  return fail_with(Errc::kInvalid, "the path of the disk's socket is too long; set TMPDIR",
                   socket.string());
}

}  // namespace

Result<void> make_file_system(const File& storage, std::uint32_t journal_mib,
                              const std::vector<std::string>& more_options) {
  ProcessOptions mkfs;
  mkfs.arguments = {"mke2fs", "-q",   "-F",
                    "-t",     "ext4", "-b",
                    "4096",   "-J",   "size=" + std::to_string(journal_mib)};
  mkfs.arguments.insert(mkfs.arguments.end(), more_options.begin(), more_options.end());
  mkfs.arguments.push_back("/proc/self/fd/" + std::to_string(storage.fd()));
  mkfs.inherited_fds = {storage.fd()};
  const CommandOutcome outcome = TRY(run_command(mkfs, kMkfsLimit));
  if (outcome.status.is_success()) return {};
  return fail_with(Errc::kIo, "mke2fs failed", last_part(outcome.output),
                   static_cast<std::uint64_t>(outcome.status.code));
}

Result<DiskDoor> DiskDoor::open(const DiskDoorOptions& options) {
  const auto plugin = TRY(find_plugin());
  const auto socket = options.folder / "disk.sock";
  TRY(check_socket_length(options.folder / kMarksName));  // the longer of the two
  File storage = TRY(make_storage(options));
  if (options.image.empty()) {
    TRY(make_file_system(storage, options.journal_mib, options.mkfs_options));
  }
  PipeEnds report = TRY(make_pipe());
  ProcessOptions server;
  server.arguments = {"nbdkit",
                      "--foreground",
                      "--unix",
                      socket.string(),
                      "--threads",
                      "4",
                      plugin.string(),
                      "disk-fd=" + std::to_string(storage.fd()),
                      "report-fd=" + std::to_string(report.write.get()),
                      "marks=" + (options.folder / kMarksName).string()};
  if (!options.keep.empty()) server.arguments.push_back("keep=" + options.keep.string());
  if (!options.record.empty()) {
    server.arguments.push_back("record=" + options.record.string());
    server.arguments.push_back("record-max=" + std::to_string(options.record_bytes_max));
  }
  server.inherited_fds = {storage.fd(), report.write.get()};
  Process process = TRY(Process::start(server));
  report.write.reset();
  DiskDoor door(std::move(storage), socket, std::move(process), LineReader(std::move(report.read)));
  // The first status says that the plugin is there; the socket follows at once.
  const SteadyClock clock;
  const Nanoseconds deadline = clock.now() + kServerStart;
  std::error_code error;
  while (!std::filesystem::exists(socket, error)) {
    TRY(door.next(std::chrono::milliseconds(20)));
    if (clock.now() > deadline) return fail(Errc::kTimeout, "nbdkit did not open its socket");
  }
  return door;
}

Result<std::optional<DiskReportLine>> DiskDoor::read_line(Nanoseconds limit) {
  const auto text = TRY(report_.next(limit));
  if (!text) return std::optional<DiskReportLine>{};
  DiskReportLine line = TRY(parse_report_line(*text));
  if (line.status) status_ = *line.status;
  return std::optional(std::move(line));
}

// They come in pieces: until nothing more has come within `limit`, or the end.
Result<void> DiskDoor::take_words(Nanoseconds limit) {
  const SteadyClock clock;
  const Nanoseconds end = clock.now() + limit;
  for (;;) {
    const std::string piece = TRY(server_.read_output(end - clock.now()));
    words_ += piece;
    if (words_.size() > kWordsMax) words_.erase(0, words_.size() - kWordsMax);
    if (piece.empty() || clock.now() >= end) return {};
  }
}

Result<std::optional<DiskReportLine>> DiskDoor::next(Nanoseconds limit) {
  auto line = TRY(read_line(limit));
  if (line) return line;
  // A server whose words nobody takes would stop at a full pipe, and the disk with it.
  const bool has_ended = report_.is_at_end();
  TRY(take_words(has_ended ? Nanoseconds(kLastWords) : Nanoseconds{0}));
  if (!has_ended) return line;
  return fail_with(Errc::kAborted, "the disk's process ended by itself", last_part(words_));
}

// The report is read while the server ends: it may hold more than a pipe does.
Result<DiskStatus> DiskDoor::close(const Take& take) {
  server_.send_signal(SIGTERM);
  const SteadyClock clock;
  const Nanoseconds deadline = clock.now() + kServerStop;
  while (!status_.is_last && !report_.is_at_end() && clock.now() < deadline) {
    const auto line = read_line(std::chrono::milliseconds(100));
    if (!line) break;
    if (*line) take(**line);
  }
  server_.stop(std::chrono::seconds(2));
  if (!status_.is_last) return fail(Errc::kAborted, "the disk's process did not end in order");
  return status_;
}

}  // namespace powercut::lab
