// Where a load puts its marks: a Unix socket in the disk's process.
//
// A line is a mark (at most kMarkBytesMax bytes); it is answered by "ok" once it stands in the
// stream, so who waits for the answer knows on which side of it its requests lie.  Any other answer
// begins with "error: ".  Bounds: host/line_server.h.
// Threads: one of its own.  It takes the disk's order (kRecorder) for a mark as a request does.
#pragma once

#include <filesystem>
#include <memory>

#include "host/line_server.h"
#include "lab/record/recorded_disk.h"

namespace powercut::lab {

class MarkDoor {
 public:
  // `disk` must outlive the door.  Errors: as LineServer::open().
  static Result<std::unique_ptr<MarkDoor>> open(const std::filesystem::path& socket,
                                                RecordedDisk& disk);

 private:
  explicit MarkDoor(std::unique_ptr<LineServer> server) : server_(std::move(server)) {}
  std::unique_ptr<LineServer> server_;
};

}  // namespace powercut::lab
