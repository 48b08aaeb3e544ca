#include "lab/sources/host_disk.h"

#include "host/disk_process.h"
#include "host/fuse_file.h"
#include "host/fuse_mount.h"
#include "host/stop_signal.h"
#include "lab/sources/part_words.h"
#include "lab/sources/served_disk.h"

namespace powercut::lab {
namespace {

constexpr auto kMountStart = std::chrono::seconds(20);

// The file of FUSE, in front of the recorded disk.
class RecordedFile final : public FileService {
 public:
  explicit RecordedFile(RecordedDisk& disk) : disk_(disk) {}
  std::uint64_t size_bytes() const override { return disk_.size_bytes(); }
  Result<void> read(std::uint64_t offset, MutableBytes into) override {
    return disk_.read(offset, into);
  }
  void begin(FileChange& change) override {
    Request request = request_of(change);
    disk_.submit(request);
    change.sequence = request.sequence;
  }
  Result<void> finish(const FileChange& change) override {
    return disk_.complete(request_of(change));
  }

 private:
  static Request request_of(const FileChange& change) {
    return {kind_of(change.kind), Durability::kCached, change.sequence,
            change.offset,        change.length,       change.data};
  }
  static RequestKind kind_of(FileChange::Kind kind) {
    switch (kind) {
      case FileChange::Kind::kWrite: return RequestKind::kWrite;
      case FileChange::Kind::kZero: return RequestKind::kZero;
      case FileChange::Kind::kPunch: return RequestKind::kDiscard;
      case FileChange::Kind::kSync: return RequestKind::kFlush;
    }
    return RequestKind::kFlush;
  }
  RecordedDisk& disk_;
};

Result<Fd> inherited(const PartWords& words, const char* key) {
  return Fd(static_cast<int>(TRY(words.number(key))));
}

ProcessOptions server_options(const HostDiskOptions& options, const std::filesystem::path& program,
                              const File& storage, const Fd& report, const Fd& device) {
  ProcessOptions server;
  server.program = program.string();
  server.arguments = {"powercut",
                      kHostDiskWord,
                      "folder=" + options.folder.string(),  // so that `ps` tells whose it is
                      "disk-fd=" + std::to_string(storage.fd()),
                      "report-fd=" + std::to_string(report.get()),
                      "device-fd=" + std::to_string(device.get()),
                      "keep=" + options.keep.string(),
                      "record=" + options.record.string(),
                      "record-max=" + std::to_string(options.record_bytes_max),
                      "marks=" + options.marks.string(),
                      "second-at=" + std::to_string(split_of(options).second_at),
                      "judged=" + std::to_string(options.is_judged ? 1 : 0),
                      "write-delay-ns=" + std::to_string(options.write_delay.count())};
  server.inherited_fds = {storage.fd(), report.get(), device.get()};
  return server;
}

}  // namespace

Result<HostDisk> HostDisk::open(const HostDiskOptions& options,
                                const std::filesystem::path& program) {
  FuseMount mount = TRY(make_fuse_mount());
  File storage = TRY(make_storage(options));
  PipeEnds report = TRY(make_pipe());
  Process process =
      TRY(Process::start(server_options(options, program, storage, report.write, mount.device)));
  report.write.reset();
  mount.device.reset();
  HostDisk disk(std::move(storage), std::move(mount.root),
                DiskServer(std::move(process), LineReader(std::move(report.read))));
  // The first status says that it serves.
  const SteadyClock clock;
  const Nanoseconds deadline = clock.now() + kMountStart;
  while (!TRY(disk.next(std::chrono::milliseconds(100)))) {
    if (clock.now() > deadline) return fail(Errc::kTimeout, "the disk's process did not start");
  }
  return disk;
}

Result<void> serve_host_disk(const std::vector<std::string>& words) {
  const PartWords parsed = TRY(PartWords::parse(words));
  const StopSignal stop = TRY(StopSignal::take());
  ServedDiskOptions options;
  options.disk = TRY(inherited(parsed, "disk-fd"));
  options.report = TRY(inherited(parsed, "report-fd"));
  options.keep = TRY(parsed.text("keep"));
  options.record = TRY(parsed.text("record"));
  options.record_bytes_max = TRY(parsed.number("record-max"));
  options.marks = TRY(parsed.text("marks"));
  options.is_judged = TRY(parsed.number("judged")) != 0;
  options.split.second_at = TRY(parsed.number("second-at"));
  const std::uint64_t second_at = options.split.second_at;
  Fd device = TRY(inherited(parsed, "device-fd"));
  const auto delay = static_cast<std::int64_t>(TRY(parsed.number("write-delay-ns")));
  const SteadyClock clock;
  const auto served = TRY(ServedDisk::open(std::move(options)));
  RecordedFile recorded(served->disk());
  const auto file =
      TRY(FuseFile::open(std::move(device), recorded, clock, {Nanoseconds(delay), second_at}));
  // What is refused of it, a machine with enough memory does not need.
  static_cast<void>(become_disk_process("powercut-disk"));
  return file->serve(stop.fd());
}

}  // namespace powercut::lab
