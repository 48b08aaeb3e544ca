// The contents of a recording file by number, unpacked when they are wanted.
//
// A frame's contents are unpacked together and kept as long as there is room; the frames that were
// wanted last stay.  Threads: none of its own.
#pragma once

#include <list>
#include <unordered_map>

#include "lab/record/frame_file.h"

namespace powercut::lab {

class ContentCache {
 public:
  // `file` must outlive the cache.  `bytes_max`: unpacked contents that are kept, but always the
  // frame that was wanted last.
  ContentCache(const FrameFile& file, std::uint64_t bytes_max)
      : file_(file), bytes_max_(bytes_max) {}

  // Makes a frame's contents known.  Errors: kCorrupt: a number that is known; kLimit.
  Result<void> define(std::size_t frame, std::span<const FrameDefinition> definitions);
  // Whether the frame's contents are whole; they are kept then.  Errors: kCorrupt, kChecksum; kIo.
  Result<bool> is_whole(std::size_t frame);
  bool knows(ContentNumber number) const { return places_.contains(number.value()); }
  // Of a known content (CHECK).
  std::uint32_t length(ContentNumber number) const { return place(number).length; }
  const ContentHash& hash(ContentNumber number) const { return place(number).hash; }
  std::size_t frame(ContentNumber number) const { return place(number).frame; }
  // Valid until the next call.  Errors: kChecksum: the file was damaged; kIo.
  Result<Bytes> bytes(ContentNumber number);

 private:
  struct Place {
    std::uint32_t frame = 0, offset = 0, length = 0;
    ContentHash hash;
  };
  struct Kept {
    std::uint32_t frame = 0;
    std::vector<std::uint8_t> bytes;
  };
  const Place& place(ContentNumber number) const;
  Result<const Kept*> keep(std::uint32_t frame);
  Result<void> check_hashes(const Kept& kept) const;

  // Keeps what is known of contents under about 1 GiB.
  static constexpr std::size_t kContentsMax = std::size_t{8} << 20;
  const FrameFile& file_;
  const std::uint64_t bytes_max_;
  std::unordered_map<std::uint32_t, Place> places_;                        // by number
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> defined_;  // by frame: numbers
  std::list<Kept> kept_;                                                   // wanted last: first
  std::unordered_map<std::uint32_t, std::list<Kept>::iterator> kept_at_;   // by frame
  std::uint64_t kept_bytes_ = 0;
};

}  // namespace powercut::lab
