// A disk as it is served to a virtual machine: storage, the order of its requests, the judge, and
// the report of what the judge finds, all in one process (nbdkit, with our plugin).
//
// The report is a pipe of JSON lines (disk_report.h) that a thread of its own writes, so that no
// request ever waits for whoever reads it: what does not fit the bounded queue is counted, not
// kept.
//
// Threads: requests come from nbdkit's workers; one reporter thread, one for marks.  Lock order:
// the disk's order (kRecorder), then the queue (kReport).
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "block/store_device.h"
#include "host/file.h"
#include "lab/record/recorded_disk.h"
#include "lab/record/recording_file.h"
#include "lab/sources/mark_door.h"
#include "lab/verify/tag_judge.h"

namespace powercut::lab {

struct ServedDiskOptions {
  Fd disk;                       // the storage, inherited
  Fd report;                     // the pipe's end to write to
  std::filesystem::path keep;    // where the image goes at the first finding; empty: nowhere
  std::filesystem::path record;  // a recording of all requests; empty: none
  std::filesystem::path marks;   // a socket for marks (mark_door.h); empty: none
  std::uint64_t record_bytes_max = 0;
  DeviceSplit split;      // where the disk stands for two devices
  bool is_judged = true;  // else no commit is checked: to measure what the check costs
};

// Behind the name of a kept image: its external journal.
inline constexpr const char* kKeptJournalSuffix = ".journal";

class ServedDisk final : public FindingSink {
 public:
  static Result<std::unique_ptr<ServedDisk>> open(ServedDiskOptions&& options);
  // Judges what waits, ends the recording, and reports the end.
  ~ServedDisk() override;

  RecordedDisk& disk() { return *recorded_; }
  // A client has come: a machine was switched on.  The first one is the beginning.
  void client_came();

 private:
  ServedDisk(Fd report, std::filesystem::path keep, const DeviceSplit& split)
      : report_(std::move(report)), keep_(std::move(keep)), split_(split) {}
  void on_finding(const Finding& finding) override;
  void on_no_longer_replayable(Tid tid, Nanoseconds replayable) override;
  void keep_image();
  Result<void> copy_out() const;
  void report_loop(const std::stop_token& stop);
  void report_counters(bool is_last);
  void queue_line(std::string line) EXCLUDES(queue_mutex_);

  SteadyClock clock_;
  std::optional<File> file_;
  bool is_judged_ = true;
  std::unique_ptr<StoreDevice> device_;
  std::unique_ptr<TagJudge> judge_;
  std::unique_ptr<RecordingWriter> writer_;
  std::unique_ptr<RecordedDisk> recorded_;
  const Fd report_;
  const std::filesystem::path keep_;
  const DeviceSplit split_;
  bool has_kept_ = false;
  bool had_client_ = false;

  static constexpr std::size_t kQueueMax = 4096;
  Mutex queue_mutex_{LockRank::kReport};
  Condition queue_filled_;
  std::deque<std::string> queue_ GUARDED_BY(queue_mutex_);
  std::uint64_t dropped_count_ GUARDED_BY(queue_mutex_) = 0;
  std::jthread reporter_;
  std::unique_ptr<MarkDoor> marks_;  // ends first: it uses the disk
};

}  // namespace powercut::lab
