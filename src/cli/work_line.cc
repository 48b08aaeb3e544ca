#include "cli/work_line.h"

#include <unistd.h>

#include "cli/command.h"
#include "host/machine.h"

namespace powercut::cli {
namespace {

constexpr auto kFirst = std::chrono::seconds(1);
constexpr auto kEvery = std::chrono::milliseconds(200);

}  // namespace

WorkLine::WorkLine(std::string name)
    : name_(std::move(name)),
      is_on_terminal_(is_terminal(STDERR_FILENO)),
      next_(clock_.now() + kFirst) {
  catch_interrupts();
}

std::function<bool(std::uint64_t, std::uint64_t)> WorkLine::watcher() {
  return [this](std::uint64_t done, std::uint64_t total) { return show(done, total); };
}

bool WorkLine::show(std::uint64_t done, std::uint64_t total) {
  if (was_interrupted()) return false;
  if (!is_on_terminal_ || clock_.now() < next_) return true;
  next_ = clock_.now() + kEvery;
  const std::uint64_t percent = total == 0 ? 100 : done * 100 / total;
  print_note("\r\x1b[K  " + name_ + ": " + std::to_string(percent) + " %");
  is_shown_ = true;
  return true;
}

void WorkLine::clear() {
  if (is_shown_) print_note("\r\x1b[K");
  is_shown_ = false;
}

}  // namespace powercut::cli
