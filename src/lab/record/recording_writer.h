// Writes a recording while a disk is being used.
//
// The thread that uses the disk hashes what it writes and looks whether that content is there
// already; packing and writing is done by a thread of the recording's own (frame_sink.h), for which
// it waits only when too much is waiting there: nothing is dropped.
//
// A write that fails ends the recording, not the disk: see trouble().  At `bytes_max` the oldest
// part is folded into the base (docs/format-recording.md), and the recording goes on.
// Threads: one caller at a time, as observers are called.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "lab/record/frame_sink.h"

namespace powercut::lab {

// Which contents a recording has, so that none is stored twice.  Bounded: what was not seen for
// long is forgotten, and stored again when it comes again.
class KnownContents {
 public:
  // The number that the content has; none: it is new.
  std::optional<ContentNumber> find(const ContentHash& hash);
  void add(const ContentHash& hash, ContentNumber number);
  void forget_all();

 private:
  struct Hasher {
    std::size_t operator()(const ContentHash& hash) const { return hash.low; }
  };
  using Table = std::unordered_map<ContentHash, ContentNumber, Hasher>;
  static constexpr std::size_t kYoungMax = std::size_t{1} << 19;
  Table young_, old_;
};

class RecordingWriter final : public DiskObserver {
 public:
  // The file must not exist.  `view` gives the content at first: its pages that are not zero.
  static Result<std::unique_ptr<RecordingWriter>> create(const std::filesystem::path& path,
                                                         const BlockView& view,
                                                         std::uint64_t bytes_max,
                                                         const DeviceSplit& split = {});
  ~RecordingWriter() override;
  void on_submitted(const Request& request, Nanoseconds when) override;
  void on_completed(const Request& request, Nanoseconds when) override;
  void on_power_cycle(Nanoseconds when) override;
  void on_mark(std::string_view text, Nanoseconds when) override;
  // Writes out what is buffered and syncs.  A limit reached is in trouble(), not an error.
  Result<void> close();
  // Why the recording ended before its disk; empty: it did not.
  std::string trouble() const { return sink_.trouble(); }
  std::uint64_t folded_events() const { return sink_.folded_events(); }

 private:
  RecordingWriter(File file, const std::filesystem::path& path, std::uint64_t bytes_max);
  Result<void> add_base(const BlockView& view);
  void add(const RecordedEvent& event);
  ContentNumber number_of(Bytes piece);
  void seal();

  FrameSink sink_;
  const std::size_t frame_bytes_;
  KnownContents known_;
  std::uint32_t next_number_ = 1;
  RawFrame frame_;
  std::vector<ContentNumber> numbers_;
  std::uint64_t next_event_ = 0;
  std::uint64_t next_sequence_ = 1;
  bool is_closed_ = false;
};

}  // namespace powercut::lab
