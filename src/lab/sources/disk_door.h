// Serves a fresh file system on a recorded disk to a virtual machine: storage, mke2fs, nbdkit with
// our plugin on a Unix socket, and the report of its judge.
//
// Storage is memory while the disk fits into a quarter of this machine's, else a sparse file in the
// working folder.  Nothing outlives the door: nbdkit dies with it, the folder is the caller's.
// Threads: one caller, the thread that lives as long as the door (see host/process.h).
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "host/file.h"
#include "host/pipe.h"
#include "host/process.h"
#include "lab/sources/disk_report.h"

namespace powercut::lab {

struct DiskDoorOptions {
  std::filesystem::path folder;  // for the socket and, if need be, the storage
  std::uint64_t size_bytes = std::uint64_t{1} << 30;
  std::uint32_t journal_mib = 64;
  std::vector<std::string> mkfs_options;  // after ours, so they win
  std::filesystem::path image;            // serve a copy of this instead of a fresh file system
  std::filesystem::path keep;             // where the image goes at the first finding
  std::filesystem::path record;           // a recording of all requests
  std::uint64_t record_bytes_max = std::uint64_t{4} << 30;
};

class DiskDoor {
 public:
  // Errors: kNotFound: mke2fs, nbdkit or the plugin is not here (what to install is in the detail);
  // kNoSpace, kLimit: no room for the disk; kIo: one of them failed (its last words in the detail).
  static Result<DiskDoor> open(const DiskDoorOptions& options);
  DiskDoor(DiskDoor&&) = default;

  const std::filesystem::path& socket() const { return socket_; }
  // Where a load puts its marks (mark_door.h).
  const std::filesystem::path& marks() const { return marks_; }
  // The next line of the report, waiting at most `limit`; nothing if none came.
  // Errors: kAborted: the disk's process ended by itself (its last words in the detail).
  Result<std::optional<DiskReportLine>> next(Nanoseconds limit);
  // Ends the serving; what was still to report is given to `take`.  Returns the last status.
  // Errors: kAborted: the disk's process did not say its last word.
  using Take = std::function<void(const DiskReportLine&)>;
  Result<DiskStatus> close(const Take& take);
  const DiskStatus& status() const { return status_; }
  // What the server had to complain of, the end of it: requests that failed, and why.
  const std::string& words() const { return words_; }

 private:
  DiskDoor(File storage, std::filesystem::path socket, Process server, LineReader report)
      : storage_(std::move(storage)),
        socket_(std::move(socket)),
        marks_(socket_.parent_path() / kMarksName),
        server_(std::move(server)),
        report_(std::move(report)) {}
  Result<std::optional<DiskReportLine>> read_line(Nanoseconds limit);
  Result<void> take_words(Nanoseconds limit);

  static constexpr const char* kMarksName = "marks.sock";

  File storage_;
  std::filesystem::path socket_, marks_;
  Process server_;
  LineReader report_;
  DiskStatus status_;
  std::string words_;  // the server's last output
};

// Makes the file system; `storage` is opened by its descriptor.  Also for images that are not
// served.
Result<void> make_file_system(const File& storage, std::uint32_t journal_mib,
                              const std::vector<std::string>& more_options);

}  // namespace powercut::lab
