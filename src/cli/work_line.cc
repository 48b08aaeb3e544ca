#include "cli/work_line.h"

#include <unistd.h>

#include "cli/command.h"
#include "host/machine.h"

namespace powercut::cli {
namespace {

constexpr auto kFirst = std::chrono::seconds(1);
constexpr auto kEvery = std::chrono::milliseconds(200);

}  // namespace

WorkLine::WorkLine(std::string name, bool is_quiet)
    : name_(std::move(name)),
      is_shown_at_all_(!is_quiet && is_terminal(STDERR_FILENO)),
      next_(clock_.now() + kFirst) {
  catch_interrupts();
}

std::function<bool(std::uint64_t, std::uint64_t)> WorkLine::watcher() {
  return [this](std::uint64_t done, std::uint64_t total) {
    return show(
        [done, total] { return std::to_string(total == 0 ? 100 : done * 100 / total) + " %"; });
  };
}

bool WorkLine::show(const std::function<std::string()>& text) {
  if (was_interrupted()) return false;
  if (!is_shown_at_all_ || clock_.now() < next_) return true;
  next_ = clock_.now() + kEvery;
  print_note("\r\x1b[K  " + name_ + ": " + text());
  is_shown_ = true;
  return true;
}

void WorkLine::clear() {
  if (is_shown_) print_note("\r\x1b[K");
  is_shown_ = false;
}

}  // namespace powercut::cli
