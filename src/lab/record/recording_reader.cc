#include <zstd.h>

#include <algorithm>
#include <array>

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "lab/record/recording_file.h"
#include "lab/record/recording_format.h"

namespace powercut::lab {
namespace {

// Keeps the table of pages of a RecordedView under 128 MiB.
constexpr std::uint64_t kDiskBytesMax = std::uint64_t{64} << 30;

Failure broken(const char* rule, std::uint64_t where) {
  return fail(Errc::kCorrupt, rule, where);
}

// The events of one frame, into `recording`.
class FrameParser {
 public:
  FrameParser(Recording& recording, std::uint64_t& next_sequence)
      : recording_(recording), next_sequence_(next_sequence) {}

  Result<void> parse(Bytes raw) {
    for (std::size_t at = 0; at < raw.size();) {
      const auto header = TRY(load<disk::EventHeader>(raw, at));
      at += sizeof(header);
      RecordedEvent event = TRY(checked(header));
      if (carries_data(event)) {
        if (event.length > raw.size() - at) return broken("recording: data past its frame", at);
        event.data = raw.subspan(at, event.length);
        at += event.length;
      }
      recording_.events.push_back(event);
    }
    return {};
  }

 private:
  static bool carries_data(const RecordedEvent& event) {
    return event.kind == EventKind::kBase || event.kind == EventKind::kMark ||
           (event.kind == EventKind::kSubmitted && event.request == RequestKind::kWrite);
  }

  Result<RecordedEvent> checked(const disk::EventHeader& header) {
    RecordedEvent event;
    if (header.kind < 1 || header.kind > 5) return broken("recording: event kind", header.kind);
    if (header.request < 1 || header.request > 4) {
      return broken("recording: request kind", header.request);
    }
    event.kind = static_cast<EventKind>(header.kind);
    event.request = static_cast<RequestKind>(header.request);
    event.durability = header.is_fua != 0 ? Durability::kFua : Durability::kCached;
    event.sequence = header.sequence;
    event.when = Nanoseconds(static_cast<std::int64_t>(header.time_ns.value()));
    event.offset = header.offset;
    event.length = header.length;
    if (event.kind == EventKind::kMark) {
      if (event.length > kMarkBytesMax) return broken("recording: a mark too long", event.length);
      return event;
    }
    if (event.offset > recording_.disk_bytes ||
        event.length > recording_.disk_bytes - event.offset) {
      return broken("recording: a range past the end of its disk", event.offset);
    }
    if (event.kind == EventKind::kSubmitted && event.sequence != next_sequence_++) {
      return broken("recording: submissions are not numbered 1, 2, 3 ...", event.sequence);
    }
    if (event.kind == EventKind::kCompleted &&
        (event.sequence == 0 || event.sequence >= next_sequence_)) {
      return broken("recording: a completion without its submission", event.sequence);
    }
    return event;
  }

  Recording& recording_;
  std::uint64_t& next_sequence_;
};

// Unpacks the frame at `offset` and moves `offset` behind it; false at a frame that is not whole.
Result<bool> read_frame(const ByteStore& file, std::uint64_t& offset, std::uint64_t memory_left,
                        std::vector<std::uint8_t>& raw) {
  disk::FrameHeader header;
  if (file.size_bytes() - offset < sizeof(header)) return false;
  std::array<std::uint8_t, sizeof(header)> bytes{};
  TRY(file.read_at(offset, bytes));
  header = TRY(load<disk::FrameHeader>(bytes, 0));
  const std::uint64_t stored_bytes = header.stored_bytes;
  if (header.magic != disk::kFrameMagic) return false;
  if (file.size_bytes() - offset - sizeof(header) < stored_bytes) return false;
  if (header.raw_bytes > disk::kFrameRawBytesMax) return broken("recording: frame size", offset);
  if (header.raw_bytes + stored_bytes > memory_left) {
    return fail(Errc::kLimit, "recording: larger than the memory it may take", offset);
  }
  std::vector<std::uint8_t> stored(stored_bytes);
  TRY(file.read_at(offset + sizeof(header), stored));
  if (!kFuzzing && crc32c(~0u, stored) != header.checksum.value()) return false;
  raw.resize(header.raw_bytes);
  const std::size_t size = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw.size()) return broken("recording: zstd", offset);
  offset += sizeof(header) + stored_bytes;
  return true;
}

}  // namespace

Result<Recording> read_recording(const ByteStore& file, std::uint64_t memory_max) {
  std::array<std::uint8_t, sizeof(disk::RecordingHeader)> bytes{};
  if (file.size_bytes() < bytes.size()) return broken("recording: too short for its header", 0);
  TRY(file.read_at(0, bytes));
  const auto header = TRY(load<disk::RecordingHeader>(bytes, 0));
  if (header.magic != disk::kRecordingMagic) return broken("recording: magic", 0);
  Recording recording;
  recording.disk_bytes = header.disk_bytes;
  if (recording.disk_bytes > kDiskBytesMax) {
    return fail(Errc::kLimit, "recording: a disk of more than 64 GiB", recording.disk_bytes);
  }
  std::uint64_t memory_left = memory_max;
  std::uint64_t next_sequence = 1;
  std::uint64_t offset = sizeof(header);
  while (offset < file.size_bytes()) {
    std::vector<std::uint8_t> raw;
    const bool is_whole = TRY(read_frame(file, offset, memory_left, raw));
    if (!is_whole) {
      recording.is_cut = true;
      break;
    }
    memory_left -= raw.size();
    recording.frames.push_back(std::move(raw));
    FrameParser parser(recording, next_sequence);
    TRY(parser.parse(recording.frames.back()));
  }
  return recording;
}

RecordedView::RecordedView(const Recording& recording)
    : recording_(recording), pages_((recording.disk_bytes + kPageBytes - 1) / kPageBytes) {}

void RecordedView::apply(const RecordedEvent& event) {
  if (event.kind == EventKind::kBase ||
      (event.kind == EventKind::kSubmitted && event.request == RequestKind::kWrite)) {
    apply_bytes(event.offset, event.length, event.data.data());
  } else if (event.kind == EventKind::kSubmitted && event.request == RequestKind::kZero) {
    apply_bytes(event.offset, event.length, nullptr);
  }
}

// Whole pages point into the recording; a page written in part is copied once and changed then.
void RecordedView::apply_bytes(std::uint64_t offset, std::uint64_t length,
                               const std::uint8_t* data) {
  for (std::uint64_t done = 0; done < length;) {
    const std::uint64_t at = offset + done;
    const std::uint64_t inside = at % kPageBytes;
    const std::uint64_t count = std::min(kPageBytes - inside, length - done);
    const std::uint8_t*& page = pages_[at / kPageBytes];
    if (count == kPageBytes) {
      page = data == nullptr ? nullptr : data + done;
    } else {
      auto copy = std::make_unique<std::array<std::uint8_t, kPageBytes>>();
      if (page != nullptr) std::copy_n(page, kPageBytes, copy->begin());
      const auto into = copy->begin() + static_cast<std::ptrdiff_t>(inside);
      if (data == nullptr) {
        std::fill_n(into, count, std::uint8_t{0});
      } else {
        std::copy_n(data + done, count, into);
      }
      page = copy->data();
      mixed_.push_back(std::move(copy));
    }
    done += count;
  }
}

Result<void> RecordedView::do_read(std::uint64_t offset, MutableBytes into) const {
  for (std::size_t done = 0; done < into.size();) {
    const std::uint64_t at = offset + done;
    const std::uint64_t inside = at % kPageBytes;
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(kPageBytes - inside, into.size() - done));
    const std::uint8_t* const page = pages_[at / kPageBytes];
    const MutableBytes piece = into.subspan(done, count);
    if (page == nullptr) {
      std::ranges::fill(piece, std::uint8_t{0});
    } else {
      std::copy_n(page + inside, count, piece.begin());
    }
    done += count;
  }
  return {};
}

void play(const Recording& recording, RecordedView& view,
          const std::vector<DiskObserver*>& observers) {
  std::vector<const RecordedEvent*> submissions{nullptr};  // by sequence
  const auto request_of = [](const RecordedEvent& event) {
    return Request{event.request, event.durability, event.sequence,
                   event.offset,  event.length,     event.data};
  };
  for (const RecordedEvent& event : recording.events) {
    switch (event.kind) {
      case EventKind::kBase: view.apply(event); break;
      case EventKind::kSubmitted:
        submissions.push_back(&event);
        for (DiskObserver* const observer : observers) {
          observer->on_submitted(request_of(event), event.when);
        }
        break;
      case EventKind::kCompleted:
        view.apply(*submissions[event.sequence]);
        for (DiskObserver* const observer : observers) {
          observer->on_completed(request_of(*submissions[event.sequence]), event.when);
        }
        break;
      case EventKind::kPowerCycle:
        for (DiskObserver* const observer : observers) observer->on_power_cycle(event.when);
        break;
      case EventKind::kMark:
        for (DiskObserver* const observer : observers) {
          observer->on_mark({reinterpret_cast<const char*>(event.data.data()), event.data.size()},
                            event.when);
        }
        break;
    }
  }
}

}  // namespace powercut::lab
