#include "lab/sources/served_disk.h"

#include "host/pipe.h"
#include "host/usage.h"
#include "lab/sources/disk_report.h"

namespace powercut::lab {
namespace {

constexpr auto kReportEvery = std::chrono::milliseconds(100);

}  // namespace

Result<std::unique_ptr<ServedDisk>> ServedDisk::open(ServedDiskOptions&& options) {
  std::unique_ptr<ServedDisk> served(
      new ServedDisk(std::move(options.report), options.keep, options.split));
  served->file_ = TRY(File::adopt(std::move(options.disk)));
  served->device_ = std::make_unique<StoreDevice>(*served->file_);
  JudgeOptions judge;
  judge.split = options.split;
  served->judge_ = std::make_unique<TagJudge>(*served->device_, served->clock_, *served, judge);
  served->is_judged_ = options.is_judged;
  std::vector<DiskObserver*> observers;
  if (options.is_judged) observers.push_back(served->judge_.get());
  if (!options.record.empty()) {
    served->writer_ = TRY(RecordingWriter::create(options.record, *served->device_,
                                                  options.record_bytes_max, options.split));
    observers.push_back(served->writer_.get());
  }
  served->recorded_ =
      std::make_unique<RecordedDisk>(*served->device_, served->clock_, std::move(observers));
  if (!options.marks.empty()) {
    served->marks_ = TRY(MarkDoor::open(options.marks, *served->recorded_));
  }
  ServedDisk* const self = served.get();
  served->reporter_ =
      std::jthread([self](const std::stop_token& stop) { self->report_loop(stop); });
  return served;
}

ServedDisk::~ServedDisk() {
  marks_.reset();  // before the recording is ended
  if (!reporter_.joinable()) return;
  reporter_.request_stop();
  queue_filled_.notify_all();
  reporter_.join();
}

void ServedDisk::client_came() {
  if (had_client_) recorded_->power_cycle();
  had_client_ = true;
}

void ServedDisk::on_finding(const Finding& finding) {
  queue_line(finding_line(finding));
  if (!has_kept_ && !keep_.empty()) keep_image();
}

void ServedDisk::on_no_longer_replayable(Tid tid, Nanoseconds replayable) {
  queue_line(passed_line(tid, replayable));
}

void ServedDisk::keep_image() {
  has_kept_ = true;
  KeptImage kept;
  const auto copied = copy_out();
  if (copied) {
    kept.path = keep_.string();
  } else {
    kept.why_not = error_words(copied.error());
  }
  queue_line(kept_line(kept));
}

// Two devices are kept as two files, as other commands have them: KEEP and KEEP.journal.
Result<void> ServedDisk::copy_out() const {
  TRY(copy_sparse(*file_, keep_));
  if (!split_.is_split()) return {};
  constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;
  std::filesystem::path journal = keep_;
  journal += kKeptJournalSuffix;
  const std::uint64_t length = file_->size_bytes() - split_.second_at;
  File second = TRY(File::create(journal, length));
  std::vector<std::uint8_t> piece;
  for (std::uint64_t at = 0; at < length; at += piece.size()) {
    piece.resize(std::min(kPieceBytes, length - at));
    TRY(file_->read_at(split_.second_at + at, piece));
    if (!all_zero(piece)) TRY(second.write_at(at, piece));
  }
  std::error_code error;
  std::filesystem::resize_file(keep_, split_.second_at, error);
  if (error) return os_failure("cannot cut a kept image", keep_.native(), error.value());
  return {};
}

void ServedDisk::queue_line(std::string line) {
  const Lock lock(queue_mutex_);
  if (queue_.size() >= kQueueMax) {
    ++dropped_count_;
    return;
  }
  queue_.push_back(std::move(line));
}

void ServedDisk::report_loop(const std::stop_token& stop) {
  report_counters(/*is_last=*/false);  // says that the disk is there
  while (!stop.stop_requested()) {
    {
      const Lock lock(queue_mutex_);
      if (queue_.empty()) queue_filled_.wait_for(queue_mutex_, kReportEvery);
    }
    report_counters(/*is_last=*/false);
  }
  recorded_->while_still([this] {
    judge_->finish(clock_.now());
    if (writer_) ignore_error(writer_->close(), "the last status line tells it");
  });
  report_counters(/*is_last=*/true);
}

void ServedDisk::report_counters(bool is_last) {
  DiskStatus status;
  recorded_->while_still([&] {
    status.counters = judge_->counters();
    if (!judge_->knows_journal() || !judge_->trouble().empty()) status.trouble = judge_->trouble();
    if (!is_judged_) status.trouble = "nobody asked for the check";
    if (writer_) status.record_trouble = writer_->trouble();
    if (writer_) status.folded_events = writer_->folded_events();
  });
  const RecordedDisk::Failures failures = recorded_->failures();
  status.failed_count = failures.count;
  if (failures.count != 0) {
    status.failure = error_words(failures.first);
  }
  status.cpu_seconds = own_cpu_seconds();
  status.is_last = is_last;
  std::deque<std::string> lines;
  {
    const Lock lock(queue_mutex_);
    lines.swap(queue_);
    status.dropped_count = dropped_count_;
  }
  lines.push_back(status_line(status));
  for (std::string& line : lines) {
    line += '\n';
    // A reader that is gone has no use for the report; the disk goes on for its machine.
    if (!write_pipe(report_, line)) return;
  }
}

}  // namespace powercut::lab
