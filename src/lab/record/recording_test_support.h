// What the tests of recordings share: a disk that is used at random, and what a recording tells.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>

#include "base/prng.h"
#include "block/memory_device.h"
#include "host/file.h"
#include "lab/record/recorded_disk.h"
#include "lab/record/recording_reader.h"

namespace powercut::lab {

// Sends random requests to observers, several of them under way at once.
class RandomUse {
 public:
  RandomUse(MemoryDevice& disk, std::vector<DiskObserver*> observers, std::uint64_t seed)
      : disk_(disk), observers_(std::move(observers)), prng_(seed) {}

  void steps(int count) {
    for (int step = 0; step < count; ++step) this->step();
  }
  void complete_all() {
    while (!open_.empty()) complete(0);
  }

 private:
  struct Open {
    Request request;
    std::vector<std::uint8_t> data;
  };
  void step() {
    clock_.advance(std::chrono::milliseconds(1));
    if (!open_.empty() && (open_.size() > 4 || prng_.chance(1, 2))) {
      return complete(prng_.below(open_.size()));
    }
    if (prng_.chance(1, 40)) {
      for (DiskObserver* const each : observers_) each->on_mark("a mark", clock_.now());
      return;
    }
    submit();
  }
  void submit() {
    Open open;
    Request& request = open.request;
    request.sequence = next_sequence_++;
    request.kind = static_cast<RequestKind>(1 + (prng_.chance(1, 2) ? 0 : prng_.below(4)));
    request.durability = prng_.chance(1, 4) ? Durability::kFua : Durability::kCached;
    if (request.kind != RequestKind::kFlush) {
      // Whole blocks for the most part, as file systems write.
      const std::uint64_t grain = prng_.chance(1, 4) ? 1 : prng_.chance(1, 2) ? 1024 : 4096;
      request.offset = prng_.below(disk_.size_bytes()) / grain * grain;
      request.length =
          std::min((1 + prng_.below(20000 / grain)) * grain, disk_.size_bytes() - request.offset);
    }
    if (request.kind == RequestKind::kWrite) {
      open.data.resize(request.length);
      prng_.fill(open.data);
      // Contents that come again.
      if (prng_.chance(1, 3)) std::ranges::fill(open.data, static_cast<std::uint8_t>(grain_++ % 9));
      request.data = open.data;
    }
    for (DiskObserver* const each : observers_) each->on_submitted(request, clock_.now());
    open_.push_back(std::move(open));
  }
  void complete(std::size_t index) {
    Open open = std::move(open_[index]);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
    Request& request = open.request;
    request.data = open.data;
    const auto target = disk_.bytes().subspan(request.offset, request.length);
    if (request.kind == RequestKind::kWrite) copy_bytes(open.data, target);
    if (request.kind != RequestKind::kWrite) std::ranges::fill(target, std::uint8_t{0});
    for (DiskObserver* const each : observers_) each->on_completed(request, clock_.now());
  }

  MemoryDevice& disk_;
  std::vector<DiskObserver*> observers_;
  Prng prng_;
  ManualClock clock_;
  std::vector<Open> open_;
  std::uint64_t next_sequence_ = 1;
  unsigned grain_ = 0;
};

// What a recording says: what the disk held at first, what was under way, and each event, with the
// hash of its data, in a line.
struct Told {
  std::vector<std::uint8_t> base;
  std::vector<std::string> under_way;
  std::vector<std::string> events;
  std::uint64_t first_number = 0;
};

inline Result<Told> tell(RecordingReader& reader) {
  Told told;
  told.base.resize(reader.facts().disk_bytes);
  while (const PiecedEvent* const pieced = TRY(reader.next_pieced())) {
    const RecordedEvent& event = pieced->event;
    const Bytes data = carries_data(event) ? TRY(reader.data_of(*pieced)) : Bytes();
    if (event.kind == EventKind::kBase) {
      copy_bytes(data, MutableBytes(told.base).subspan(event.offset));
      continue;
    }
    std::string line = std::to_string(static_cast<int>(event.kind)) + " " +
                       std::to_string(event.sequence) + " " +
                       std::to_string(static_cast<int>(event.request)) + " " +
                       std::to_string(event.offset) + "+" + std::to_string(event.length) + " " +
                       std::to_string(event.when.count()) + " " + std::to_string(hash_of(data).low);
    line += event.durability == Durability::kFua ? " fua" : "";
    if (pieced->number && told.events.empty()) told.first_number = *pieced->number;
    (pieced->number ? told.events : told.under_way).push_back(std::move(line));
  }
  return told;
}

inline Result<Told> tell(const std::filesystem::path& path, std::uint64_t first = 0) {
  const File file = TRY(File::open(path, File::Access::kRead));
  const auto reader = TRY(RecordingReader::open(file, std::uint64_t{1} << 20));
  if (first != 0) TRY(reader->start_at(first));
  return tell(*reader);
}

}  // namespace powercut::lab
