// Where a recording stands after some of its events: what the disk holds, by the numbers of
// contents, and the requests that are under way.
//
// Nothing is unpacked for it: the events alone say which content lies where.
// Threads: none of its own.
#pragma once

#include <map>
#include <unordered_map>

#include "lab/record/frame_file.h"

namespace powercut::lab {

// A range of one unit of the disk, and the part of a content that it holds.
struct Piece {
  std::uint64_t offset = 0;  // on the disk
  std::uint32_t length = 0;
  ContentNumber content;
  std::uint32_t from = 0;  // in the content
};

struct OpenRequest {
  RecordedEvent event;  // without data
  std::vector<ContentNumber> contents;
};

// The pieces of a base or a submission; zeroes for a zeroing and a discard, none for others.
std::vector<Piece> pieces_of(const RecordedEvent& event, std::span<const ContentNumber> contents);

// Requests that were submitted and are not completed, by the rules of the format.
class OpenRequests {
 public:
  // `first_sequence`: of the first submission that is not of a start frame.
  explicit OpenRequests(std::uint64_t first_sequence) : next_sequence_(first_sequence) {}
  std::uint64_t next_sequence() const { return next_sequence_; }
  // Errors: kCorrupt: not the sequence that must come; kLimit: a million are under way.
  Result<void> submit(const OpenRequest& request, FrameKind frame);
  // The request, which is no longer under way.  Errors: kCorrupt: none of that sequence is.
  Result<OpenRequest> complete(std::uint64_t sequence);
  const std::map<std::uint64_t, OpenRequest>& all() const { return open_; }

 private:
  static constexpr std::size_t kOpenMax = std::size_t{1} << 20;
  std::uint64_t next_sequence_;
  std::uint64_t last_carried_ = 0;  // sequence of a start frame
  std::map<std::uint64_t, OpenRequest> open_;
};

// What each unit of a disk holds.  All zeroes at first.
class DiskPieces {
 public:
  explicit DiskPieces(std::uint64_t disk_bytes);
  std::uint64_t disk_bytes() const { return disk_bytes_; }
  std::uint64_t unit_count() const { return whole_.size(); }
  std::uint32_t unit_length(std::uint64_t unit) const;
  void put(const Piece& piece);
  // The pieces of a unit that are not zeroes, in ascending order, appended.
  void append_pieces(std::uint64_t unit, std::vector<Piece>& to) const;

 private:
  struct Segment {
    std::uint32_t begin = 0, end = 0;  // in the unit
    ContentNumber content;
    std::uint32_t from = 0;  // in the content, where the segment begins
  };
  static constexpr ContentNumber kMixed{0xFFFFFFFF};
  void put_in_part(std::uint64_t unit, const Segment& fresh);

  const std::uint64_t disk_bytes_;
  std::vector<ContentNumber> whole_;  // by unit; kMixed: in mixed_
  std::unordered_map<std::uint64_t, std::vector<Segment>> mixed_;
};

}  // namespace powercut::lab
