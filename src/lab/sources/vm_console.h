// What a guest says on its serial console, made safe and understood.
//
// Words
//   line       bytes up to a newline, cut at kConsoleLineBytes; control characters and bytes above
//              ASCII are written \xNN, so a line can be printed on any terminal
//   protocol   the lines of our init: "powercut: ...", behind the kernel's time stamp
//   relay      a line of the load's output: "load: ..."
//
// A guest is not believed: a line of the protocol counts only in its order and once
// (GuestProtocol); all else is text.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace powercut::lab {

inline constexpr std::size_t kConsoleLineBytes = std::size_t{4} << 10;
inline constexpr std::size_t kConsoleTailBytes = std::size_t{256} << 10;

enum class GuestEventKind : std::uint8_t {
  kBooted,         // our init runs
  kMounted,        // the file system is mounted
  kMountFailed,    // `code` is the errno, `text` its words
  kLoadStarted,    // the first command is about to start
  kLoadEnded,      // `code` is the last command's status, 128 + signal; `text` says "time limit"
  kOff,            // everything is unmounted, the machine goes off
  kTrouble,        // a step of our init failed and was passed over; `text` says which
  kListed,         // a mount-only job: `code` is the number of names in the root folder
  kKernelMessage,  // a line of the kernel's log
  kLoadOutput,     // a line of the load's output
  kConsoleLine,    // anything else
  kPanic,          // the kernel stopped
  kExited,         // the machine is gone; `code` is QEMU's status, 128 + signal
};

struct GuestEvent {
  GuestEventKind kind = GuestEventKind::kConsoleLine;
  std::string text;  // without prefixes; see the kinds
  int code = 0;
  Nanoseconds time{0};  // since the machine was started
};

// Reads one line (already safe).  Knows no order.
GuestEvent parse_console_line(std::string_view line);

// The order of the protocol: booted, mounted | mount failed, listed | load started, load ended,
// off.
class GuestProtocol {
 public:
  // Gives the event as it is, or, out of its order or again, as a kConsoleLine.
  GuestEvent accept(GuestEvent event);

 private:
  // What was accepted last, as a rank; a rank is taken once and only upwards.
  int rank_ = 0;
};

// Cuts the stream into lines and keeps its end.
class ConsoleText {
 public:
  // The lines that are complete now.
  std::vector<std::string> feed(std::string_view bytes);
  // At the stream's end: the line that has no newline, if there is one.
  std::vector<std::string> finish();
  // The last kConsoleTailBytes, whole lines, newline-ended.
  std::string tail() const;
  // The last `count` lines that are not empty, joined by " | ".
  std::string last_lines(std::size_t count) const;

 private:
  void put(char letter);
  std::string end_line();
  std::string line_;
  bool is_cut_ = false;
  std::deque<std::string> kept_;
  std::size_t kept_bytes_ = 0;
};

}  // namespace powercut::lab
