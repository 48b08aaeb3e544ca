#include "host/kernel_log.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include <fcntl.h>
#include <sys/klog.h>
#include <unistd.h>

namespace powercut {
namespace {

constexpr std::size_t kLogBytes = std::size_t{1} << 20;
constexpr const char* kLogDevice = "/dev/kmsg";
constexpr std::size_t kRecordBytesMax = 8192;  // of one message, as the kernel gives it out
constexpr int kRecordsMost = 65536;            // of one look

struct LogLine {
  double seconds = 0;
  std::string_view text;
};

// "<4>[   12.345678] text", or with the thread: "<4>[   12.345678][  T123] text".
std::optional<LogLine> parse_log_line(std::string_view line) {
  const std::size_t open = line.find('[');
  const std::size_t close = line.find(']');
  if (!line.starts_with('<') || open == line.npos || close == line.npos || close < open) {
    return std::nullopt;
  }
  std::string_view time = line.substr(open + 1, close - open - 1);
  time.remove_prefix(std::min(time.find_first_not_of(' '), time.size()));
  LogLine parsed;
  const auto [end, error] = std::from_chars(time.data(), time.data() + time.size(), parsed.seconds);
  if (error != std::errc{} || end != time.data() + time.size()) return std::nullopt;
  parsed.text = line.substr(close + 1);
  if (parsed.text.starts_with('[')) {
    parsed.text.remove_prefix(std::min(parsed.text.find(']') + 1, parsed.text.size()));
  }
  if (parsed.text.starts_with(' ')) parsed.text.remove_prefix(1);
  return parsed;
}

// Calls `take` with each line of the log.
template <class Take>
void for_each_line(Take take) {
  constexpr int kReadAll = 3;  // SYSLOG_ACTION_READ_ALL
  std::string log(kLogBytes, '\0');
  const int count = ::klogctl(kReadAll, log.data(), static_cast<int>(log.size()));
  std::string_view rest(log.data(), static_cast<std::size_t>(std::max(count, 0)));
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (const auto parsed = parse_log_line(line)) take(*parsed);
  }
}

void keep_last(std::vector<std::string>& lines, std::size_t lines_max) {
  if (lines.size() <= lines_max) return;
  lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(lines_max));
}

// "6,1234,5678901,-;text", then lines of " KEY=value": the text.
std::string_view text_of_record(std::string_view record) {
  record = record.substr(0, record.find('\n'));
  const std::size_t begin = record.find(';');
  return begin == record.npos ? std::string_view() : record.substr(begin + 1);
}

}  // namespace

KernelLogTail::KernelLogTail() : log_(::open(kLogDevice, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {
  skip();
}

void KernelLogTail::skip() {
  if (log_.is_open() && ::lseek(log_.get(), 0, SEEK_END) < 0) log_.reset();
}

std::vector<std::string> KernelLogTail::take(std::string_view part, std::size_t lines_max) {
  std::vector<std::string> lines;
  char record[kRecordBytesMax];
  for (int i = 0; log_.is_open() && i < kRecordsMost; ++i) {
    const ssize_t count = ::read(log_.get(), record, sizeof record);
    if (count < 0 && (errno == EPIPE || errno == EINTR)) continue;  // EPIPE: some were overwritten
    if (count <= 0) break;
    const auto text = text_of_record(std::string_view(record, static_cast<std::size_t>(count)));
    if (!text.empty() && text.find(part) != std::string_view::npos) lines.emplace_back(text);
  }
  keep_last(lines, lines_max);
  return lines;
}

std::vector<std::string> kernel_log_lines(std::string_view part, double after_seconds,
                                          std::size_t lines_max) {
  std::vector<std::string> lines;
  for_each_line([&](const LogLine& line) {
    if (line.seconds <= after_seconds) return;
    if (line.text.find(part) != std::string_view::npos) lines.emplace_back(line.text);
  });
  keep_last(lines, lines_max);
  return lines;
}

double kernel_log_end() {
  double seconds = 0;
  for_each_line([&](const LogLine& line) { seconds = line.seconds; });
  return seconds;
}

}  // namespace powercut
