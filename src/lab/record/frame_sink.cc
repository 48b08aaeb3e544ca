#include "lab/record/frame_sink.h"

#include "base/crc32c.h"
#include "lab/record/fold.h"

namespace powercut::lab {
namespace {

constexpr auto kWait = std::chrono::milliseconds(100);
// A file that is so large, in hundredths of the limit, is folded; its youngest part, so large, is
// kept as it is.  Both files exist for a while, so that the new one may have what is left.
constexpr std::uint64_t kFoldAt = 60, kKeptPart = 15;
constexpr std::size_t kFrameBytesMin = 4096, kFrameBytesMax = std::size_t{1} << 20;

}  // namespace

Result<void> append_recording_header(File& file, std::uint64_t disk_bytes,
                                     std::uint64_t folded_events, const DeviceSplit& split) {
  const auto append = [&](auto& header) -> Result<void> {
    header.disk_bytes = disk_bytes;
    header.folded_events = folded_events;
    const Bytes bytes = bytes_of(header);
    header.checksum = crc32c(~0u, bytes.first(bytes.size() - sizeof(header.checksum)));
    return file.append(bytes_of(header));
  };
  if (split.is_split()) {
    disk::RecordingHeader3 header;
    header.second_at = split.second_at;
    return append(header);
  }
  disk::RecordingHeader2 header;
  return append(header);
}

std::size_t FrameSink::frame_bytes(std::uint64_t bytes_max) {
  return std::clamp(static_cast<std::size_t>(bytes_max / 128), kFrameBytesMin, kFrameBytesMax);
}

FrameSink::FrameSink(File file, std::filesystem::path path, std::uint64_t bytes_max)
    : file_(std::move(file)),
      path_(std::move(path)),
      bytes_max_(bytes_max),
      thread_([this] { work(); }) {}

FrameSink::~FrameSink() {
  ignore_error(finish(), "finish() tells it; here it is the end");
}

void FrameSink::put(RawFrame&& frame) {
  const Lock lock(mutex_);
  while (waiting_.size() >= kWaitingMax && !has_ended_) changed_.wait_for(mutex_, kWait);
  if (has_ended_) return;
  waiting_.push_back(std::move(frame));
  changed_.notify_all();
}

void FrameSink::end(const char* why) {
  const Lock lock(mutex_);
  if (!has_ended_.exchange(true)) trouble_ = why;
  changed_.notify_all();
}

Result<void> FrameSink::finish() {
  if (!thread_.joinable()) return {};
  {
    const Lock lock(mutex_);
    is_finishing_ = true;
    changed_.notify_all();
  }
  thread_.join();
  return file_.sync();
}

std::string FrameSink::trouble() const {
  const Lock lock(mutex_);
  return trouble_;
}

void FrameSink::work() {
  for (;;) {
    RawFrame frame;
    {
      const Lock lock(mutex_);
      while (waiting_.empty() && !is_finishing_) changed_.wait_for(mutex_, kWait);
      if (waiting_.empty()) return;
      frame = std::move(waiting_.front());
      waiting_.pop_front();
      changed_.notify_all();
    }
    if (has_ended_) continue;
    if (const auto written = write(frame); !written) end(written.error().what);
  }
}

Result<void> FrameSink::write(const RawFrame& frame) {
  if (!frame.is_empty()) {
    TRY(encode_frame(frame, stored_));
    if (file_.size_bytes() + stored_.size() > bytes_max_) {
      return fail(Errc::kLimit, "recording: its size limit was reached; it ends here");
    }
    TRY(file_.append(stored_));
  }
  if (frame.precedes_fold) return fold();
  if (!is_fold_asked_ && file_.size_bytes() > bytes_max_ / 100 * kFoldAt) {
    is_fold_asked_ = true;
    wants_fold_ = true;
  }
  return {};
}

Result<void> FrameSink::fold() {
  FoldLimits limits;
  limits.kept_bytes = bytes_max_ / 100 * kKeptPart;
  limits.bytes_max = bytes_max_ - std::min(bytes_max_, file_.size_bytes());
  auto folded = fold_recording(file_, path_, limits, next_fold_number_);
  if (!folded && folded.error().code == Errc::kLimit) {
    return fail(Errc::kLimit,
                "recording: its size limit was reached by the disk's content; it ends here");
  }
  if (!folded) return Failure{folded.error()};
  file_ = std::move(folded->file);
  folded_events_ = folded->folded_events;
  is_fold_asked_ = false;
  return {};
}

}  // namespace powercut::lab
