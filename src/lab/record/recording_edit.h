// A recording with some of its requests changed, moved, taken out or put in.
//
// Requests are named by their sequence in the recording that it began with, whatever was done
// since; those put in have no name.  Changes are made at once, in the order of the calls.
// Threads: one caller at a time.
#pragma once

#include <vector>

#include "lab/record/recording_file.h"

namespace powercut::lab {

// The data that was not changed lies in the recording that it was made of, which must outlive it.
struct EditedRecording {
  Recording recording;
  // By new sequence: the old one; 0 for a request that was put in.
  std::vector<std::uint64_t> original;
};

class RecordingEdit {
 public:
  explicit RecordingEdit(const Recording& recording);

  // The submission of that request; null if there is none (any more).
  const RecordedEvent* find(std::uint64_t sequence) const;
  // A write of the same range with other bytes (CHECK: as many).
  void replace(std::uint64_t sequence, Bytes data);
  void remove(std::uint64_t sequence);
  // A write or flush of its own, submitted and completed just before that request is submitted, or
  // just after it is completed.
  void insert_flush_before(std::uint64_t sequence);
  void insert_flush_after(std::uint64_t sequence);
  void insert_write_before(std::uint64_t sequence, std::uint64_t offset, Bytes data);
  // Submits and completes it just before the submission, or just after the completion, of `other`.
  void move_before(std::uint64_t sequence, std::uint64_t other);
  void move_after(std::uint64_t sequence, std::uint64_t other);
  // Bytes of the disk before the first request, which `base` must cover.
  void replace_base(std::uint64_t offset, Bytes data);

  // In `original` order; the edit is used up.
  EditedRecording take();

 private:
  std::size_t submission_of(std::uint64_t sequence) const;  // events_.size(): none
  std::size_t completion_of(std::uint64_t sequence) const;  // its submission's, if it never was
  void insert(std::size_t at, RecordedEvent event);
  Bytes keep(Bytes data);

  std::uint64_t disk_bytes_;
  DeviceSplit split_;
  bool is_cut_;
  std::vector<RecordedEvent> events_;
  std::vector<std::vector<std::uint8_t>> kept_;
  std::uint64_t next_inserted_;  // names of our own, above all others
};

}  // namespace powercut::lab
