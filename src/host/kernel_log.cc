#include "host/kernel_log.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>

#include <sys/klog.h>

namespace powercut {
namespace {

constexpr std::size_t kLogBytes = std::size_t{1} << 20;
// The log's clock and ours may differ by a tick.
constexpr double kTick = 0.02;

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

}  // namespace

std::vector<std::string> kernel_log_lines(std::string_view part, double since_seconds,
                                          std::size_t lines_max) {
  constexpr int kReadAll = 3;  // SYSLOG_ACTION_READ_ALL
  std::string log(kLogBytes, '\0');
  const int count = ::klogctl(kReadAll, log.data(), static_cast<int>(log.size()));
  std::vector<std::string> lines;
  std::string_view rest(log.data(), static_cast<std::size_t>(std::max(count, 0)));
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const auto parsed = parse_log_line(line);
    if (!parsed || parsed->seconds + kTick < since_seconds) continue;
    if (parsed->text.find(part) != std::string_view::npos) lines.emplace_back(parsed->text);
  }
  if (lines.size() > lines_max)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(lines_max));
  return lines;
}

double seconds_since_boot() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace powercut
