// A recording made in memory of whatever stream an observer is told.  Header only: the library of
// tests/support knows nothing of lab/.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "lab/record/recording_file.h"

namespace powercut::testing {

class RecordingObserver final : public lab::DiskObserver {
 public:
  // `image`: the disk before the first request.
  explicit RecordingObserver(std::vector<std::uint8_t> image) {
    recording_.disk_bytes = image.size();
    lab::RecordedEvent base;
    base.length = image.size();
    base.data = keep(std::move(image));
    recording_.events.push_back(base);
  }

  void on_submitted(const lab::Request& request, Nanoseconds when) override {
    lab::RecordedEvent event;
    event.kind = lab::EventKind::kSubmitted;
    event.request = request.kind;
    event.durability = request.durability;
    event.sequence = request.sequence;
    event.when = when;
    event.offset = request.offset;
    event.length = request.length;
    event.data = keep({request.data.begin(), request.data.end()});
    recording_.events.push_back(event);
  }
  void on_completed(const lab::Request& request, Nanoseconds when) override {
    lab::RecordedEvent event;
    event.kind = lab::EventKind::kCompleted;
    event.sequence = request.sequence;
    event.when = when;
    recording_.events.push_back(event);
  }
  void on_power_cycle(Nanoseconds when) override {
    lab::RecordedEvent event;
    event.kind = lab::EventKind::kPowerCycle;
    event.when = when;
    recording_.events.push_back(event);
  }
  void on_mark(std::string_view text, Nanoseconds when) override {
    lab::RecordedEvent event;
    event.kind = lab::EventKind::kMark;
    event.when = when;
    event.length = text.size();
    event.data = keep({text.begin(), text.end()});
    recording_.events.push_back(event);
  }

  lab::Recording take() { return std::move(recording_); }

 private:
  Bytes keep(std::vector<std::uint8_t> bytes) {
    if (bytes.empty()) return {};
    recording_.frames.push_back(std::move(bytes));
    return recording_.frames.back();
  }
  lab::Recording recording_;
};

}  // namespace powercut::testing
