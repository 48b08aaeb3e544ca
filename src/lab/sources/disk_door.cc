#include "lab/sources/disk_door.h"

#include "host/machine.h"

namespace powercut::lab {
namespace {

constexpr auto kDoorStart = std::chrono::seconds(10);

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

ProcessOptions server_options(const DiskOptions& options, const std::filesystem::path& plugin,
                              const std::filesystem::path& socket, int storage, int report) {
  ProcessOptions server;
  server.arguments = {"nbdkit",
                      "--foreground",
                      "--unix",
                      socket.string(),
                      "--threads",
                      "4",
                      plugin.string(),
                      "disk-fd=" + std::to_string(storage),
                      "report-fd=" + std::to_string(report),
                      "marks=" + (options.folder / kMarksName).string()};
  if (!options.keep.empty()) server.arguments.push_back("keep=" + options.keep.string());
  if (!options.record.empty()) {
    server.arguments.push_back("record=" + options.record.string());
    server.arguments.push_back("record-max=" + std::to_string(options.record_bytes_max));
  }
  server.inherited_fds = {storage, report};
  return server;
}

}  // namespace

Result<DiskDoor> DiskDoor::open(const DiskOptions& options) {
  const auto plugin = TRY(find_plugin());
  const auto socket = options.folder / "disk.sock";
  TRY(check_socket_length(options.folder / kMarksName));  // the longer of the two
  File storage = TRY(make_storage(options));
  PipeEnds report = TRY(make_pipe());
  Process process = TRY(
      Process::start(server_options(options, plugin, socket, storage.fd(), report.write.get())));
  report.write.reset();
  DiskDoor door(std::move(storage), socket,
                DiskServer(std::move(process), LineReader(std::move(report.read))));
  // nbdkit binds its socket before the plugin has opened what it serves, so the socket alone is no
  // sign that marks are taken; the first status is.  Nobody is served yet: no finding is missed.
  const SteadyClock clock;
  const Nanoseconds deadline = clock.now() + kDoorStart;
  bool has_reported = false;
  std::error_code error;
  while (!has_reported || !std::filesystem::exists(socket, error)) {
    has_reported |= TRY(door.next(std::chrono::milliseconds(20))).has_value();
    if (clock.now() > deadline) return fail(Errc::kTimeout, "nbdkit did not open its socket");
  }
  return door;
}

}  // namespace powercut::lab
