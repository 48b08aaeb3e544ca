// A recording file of format 2, frame by frame: which frames there are, and what one of them holds.
//
// Nothing read is trusted.  Frames are listed by their headers alone, without unpacking.
// Threads: none of its own; const, but for the store's.
#pragma once

#include <optional>
#include <vector>

#include "base/byte_store.h"
#include "lab/record/frame_builder.h"

namespace powercut::lab {

struct StoredPart {
  std::uint64_t offset = 0;  // in the file
  std::uint32_t stored_bytes = 0, raw_bytes = 0, checksum = 0;
};

struct FrameInfo {
  FrameKind kind = FrameKind::kEvents;
  std::uint64_t offset = 0, end = 0;  // in the file
  std::uint64_t first_event = 0, first_sequence = 0;
  Nanoseconds first_time{0};
  std::uint32_t event_count = 0, definition_count = 0;
  StoredPart events, contents;
};

struct FrameDefinition {
  ContentNumber number;
  std::uint32_t length = 0;
  ContentHash hash;
};

struct FrameEvent {
  RecordedEvent event;  // data: of a mark only; points into the frame's raw bytes
  Bytes refs;           // le32 numbers of contents, one for each piece
  ContentNumber ref(std::size_t piece) const;
};

// An events part, unpacked.  Not copied: the events point into `raw`.
struct FrameEvents {
  std::vector<std::uint8_t> raw;
  std::vector<FrameDefinition> definitions;
  std::vector<FrameEvent> events;
};

class FrameFile {
 public:
  // Errors: kCorrupt: not a recording of format 2 or 3, or headers of whole frames that do not fit
  // each other; kUnsupported: another unit; kLimit: a disk over 64 GiB; kIo.
  static Result<FrameFile> open(const ByteStore& file);

  std::uint64_t disk_bytes() const { return disk_bytes_; }
  const DeviceSplit& split() const { return split_; }
  std::uint64_t folded_events() const { return folded_events_; }
  const std::vector<FrameInfo>& frames() const { return frames_; }
  // The file ends in a frame that is not whole by its header or length.
  bool is_cut() const { return is_cut_; }

  // nullopt: its checksum says that it is not what was written.  Errors: kCorrupt: it is, and
  // breaks the format; kIo.
  Result<std::optional<FrameEvents>> load_events(const FrameInfo& frame) const;
  Result<std::optional<std::vector<std::uint8_t>>> load_contents(const FrameInfo& frame) const;

 private:
  explicit FrameFile(const ByteStore& file) : file_(&file) {}
  template <class Header>
  Result<void> take_header(const Header& header);
  Result<std::uint64_t> read_file_header();
  Result<std::optional<FrameInfo>> read_header(std::uint64_t offset) const;
  Result<std::optional<std::vector<std::uint8_t>>> unpack(const StoredPart& part) const;
  Result<void> check_sequel(const FrameInfo& frame) const;

  const ByteStore* file_;
  std::uint64_t disk_bytes_ = 0, folded_events_ = 0;
  DeviceSplit split_;
  std::vector<FrameInfo> frames_;
  bool is_cut_ = false;
};

// Keeps tables with an entry for each unit of a disk under 128 MiB.
inline constexpr std::uint64_t kRecordedDiskBytesMax = std::uint64_t{64} << 30;

}  // namespace powercut::lab
