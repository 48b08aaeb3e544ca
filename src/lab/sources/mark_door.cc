#include "lab/sources/mark_door.h"

namespace powercut::lab {

Result<std::unique_ptr<MarkDoor>> MarkDoor::open(const std::filesystem::path& socket,
                                                 RecordedDisk& disk) {
  const auto answer = [&disk](std::string_view line) {
    const auto marked = disk.mark(line);
    return marked ? std::string("ok") : "error: " + error_words(marked.error());
  };
  auto server = TRY(LineServer::open(socket, kMarkBytesMax, answer));
  return std::unique_ptr<MarkDoor>(new MarkDoor(std::move(server)));
}

}  // namespace powercut::lab
