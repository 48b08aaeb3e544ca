// play RECORDING DEVICE: does to a device what a recording says was done to a disk.
#include <cstdio>

#include "lab/record/recording_file.h"

namespace {

using namespace powercut;

Result<void> play_event(const lab::RecordedEvent& event, File& device) {
  if (event.kind == lab::EventKind::kBase) return device.write_at(event.offset, event.data);
  if (event.kind != lab::EventKind::kSubmitted) return {};
  switch (event.request) {
    case lab::RequestKind::kWrite: return device.write_at(event.offset, event.data);
    case lab::RequestKind::kFlush: return device.sync();
    case lab::RequestKind::kZero:
    case lab::RequestKind::kDiscard: return device.punch(event.offset, event.length);
  }
  return {};
}

// The order of the requests holds between flushes only, as for a kernel that writes.
Result<void> play_all(const char* recording, const char* device) {
  const File file = TRY(File::open(recording, File::Access::kRead));
  const lab::Recording read = TRY(lab::read_recording(file, std::uint64_t{1} << 30));
  File target = TRY(File::open(device, File::Access::kReadWrite));
  for (const lab::RecordedEvent& event : read.events) TRY(play_event(event, target));
  return target.sync();
}

}  // namespace

int main(int argument_count, char** arguments) {
  if (argument_count != 3) return 2;
  const auto played = play_all(arguments[1], arguments[2]);
  if (!played) std::fprintf(stderr, "%s\n", powercut::error_words(played.error()).c_str());
  return played ? 0 : 3;
}
