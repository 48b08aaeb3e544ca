#include "lab/record/recording_file.h"

#include <algorithm>
#include <unordered_map>

#include "lab/record/recording_reader.h"

namespace powercut::lab {
namespace {

// Keeps the data of events in large pieces that stay where they are.
class DataKeeper {
 public:
  DataKeeper(Recording& recording, std::uint64_t memory_max)
      : recording_(recording), memory_left_(memory_max) {}

  // Errors: kLimit: no memory left for it.
  Result<void> keep(const RecordedEvent& event) {
    const std::uint64_t wanted = sizeof(event) + event.data.size();
    if (wanted > memory_left_) {
      return fail(Errc::kLimit, "recording: larger than the memory it may take",
                  recording_.events.size());
    }
    memory_left_ -= wanted;
    recording_.events.push_back(event);
    if (!event.data.empty()) recording_.events.back().data = copy_of(event.data);
    return {};
  }

 private:
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  Bytes copy_of(Bytes data) {
    auto& frames = recording_.frames;
    if (frames.empty() || frames.back().capacity() - frames.back().size() < data.size()) {
      frames.emplace_back().reserve(std::max(kPieceBytes, data.size()));
    }
    const std::size_t begin = frames.back().size();
    frames.back().insert(frames.back().end(), data.begin(), data.end());
    return Bytes(frames.back()).subspan(begin);
  }

  Recording& recording_;
  std::uint64_t memory_left_;
};

}  // namespace

Result<Recording> read_recording(const ByteStore& file, std::uint64_t memory_max,
                                 std::optional<std::uint64_t> first) {
  const auto reader =
      TRY(RecordingReader::open(file, std::min(memory_max, RecordingReader::kMemoryBytes)));
  Recording recording;
  recording.disk_bytes = reader->facts().disk_bytes;
  recording.split = reader->facts().split;
  recording.folded_events = first.value_or(reader->facts().folded_events);
  if (first) TRY(reader->start_at(*first));
  DataKeeper keeper(recording, memory_max);
  while (const RecordedEvent* const event = TRY(reader->next())) TRY(keeper.keep(*event));
  recording.is_cut = reader->is_cut();
  return recording;
}

RecordedView::RecordedView(const Recording& recording)
    : recording_(recording), pages_((recording.disk_bytes + kPageBytes - 1) / kPageBytes) {}

void RecordedView::apply(const RecordedEvent& event) {
  if (event.kind == EventKind::kBase ||
      (event.kind == EventKind::kSubmitted && event.request == RequestKind::kWrite)) {
    apply_bytes(event.offset, event.length, event.data.data());
  } else if (event.kind == EventKind::kSubmitted && event.request != RequestKind::kFlush) {
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
  std::unordered_map<std::uint64_t, const RecordedEvent*> submissions;  // by sequence
  const auto request_of = [](const RecordedEvent& event) {
    return Request{event.request, event.durability, event.sequence,
                   event.offset,  event.length,     event.data};
  };
  for (const RecordedEvent& event : recording.events) {
    switch (event.kind) {
      case EventKind::kBase: view.apply(event); break;
      case EventKind::kSubmitted:
        submissions[event.sequence] = &event;
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
