#include "lab/sources/disk_server.h"

#include <algorithm>
#include <csignal>

namespace powercut::lab {
namespace {

constexpr auto kStopLimit = std::chrono::seconds(10);
constexpr auto kLastWords = std::chrono::milliseconds(500);
constexpr std::size_t kWordsMax = 4096;

}  // namespace

Result<std::optional<DiskReportLine>> DiskServer::read_line(Nanoseconds limit) {
  const auto text = TRY(report_.next(limit));
  if (!text) return std::optional<DiskReportLine>{};
  DiskReportLine line = TRY(parse_report_line(*text));
  if (line.status) status_ = *line.status;
  return std::optional(std::move(line));
}

// They come in pieces: until nothing more has come within `limit`, or the end.
Result<void> DiskServer::take_words(Nanoseconds limit) {
  const SteadyClock clock;
  const Nanoseconds end = clock.now() + limit;
  for (;;) {
    const std::string piece = TRY(process_.read_output(end - clock.now()));
    words_ += piece;
    if (words_.size() > kWordsMax) words_.erase(0, words_.size() - kWordsMax);
    if (piece.empty() || clock.now() >= end) return {};
  }
}

Result<std::optional<DiskReportLine>> DiskServer::next(Nanoseconds limit) {
  auto line = TRY(read_line(limit));
  if (line) return line;
  // A server whose words nobody takes would stop at a full pipe, and the disk with it.
  const bool has_ended = report_.is_at_end();
  TRY(take_words(has_ended ? Nanoseconds(kLastWords) : Nanoseconds{0}));
  if (!has_ended) return line;
  return fail_with(Errc::kAborted, "the disk's process ended by itself", end_of_output(words_));
}

// Until the last status: the report may hold more than a pipe does.
void DiskServer::read_report(const Take& take, Nanoseconds limit) {
  const SteadyClock clock;
  const Nanoseconds deadline = clock.now() + limit;
  while (!status_.is_last && !report_.is_at_end() && clock.now() < deadline) {
    const auto line = read_line(std::chrono::milliseconds(100));
    if (!line) return;
    if (*line) take(**line);
    if (!take_words(Nanoseconds{0})) return;
  }
}

void DiskServer::await_end(const Take& take, Nanoseconds limit) {
  read_report(take, limit);
}

Result<DiskStatus> DiskServer::close(const Take& take) {
  process_.send_signal(SIGTERM);
  read_report(take, kStopLimit);
  process_.stop(std::chrono::seconds(2));
  if (!status_.is_last) return fail(Errc::kAborted, "the disk's process did not end in order");
  return status_;
}

void DiskServer::kill() {
  process_.send_signal(SIGKILL);
}

}  // namespace powercut::lab
