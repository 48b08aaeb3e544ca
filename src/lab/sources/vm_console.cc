#include "lab/sources/vm_console.h"

#include <array>
#include <charconv>
#include <optional>

#include "lab/sources/guest/guest_job.h"

namespace powercut::lab {
namespace {

using Kind = GuestEventKind;

// Takes "[   12.345678] " or "[   12.345678][    T1] " away; false if it is not there.
bool take_time_stamp(std::string_view& line) {
  bool has_stamp = false;
  for (int group = 0; group < 2 && line.starts_with('['); ++group) {
    const std::size_t end = line.find(']');
    if (end == line.npos || end > 24) return has_stamp;
    const std::string_view inside = line.substr(1, end - 1);
    const std::string_view allowed = group == 0 ? " 0123456789." : " 0123456789TC";
    if (inside.empty() || inside.find_first_not_of(allowed) != inside.npos) return has_stamp;
    line.remove_prefix(end + 1);
    has_stamp = true;
  }
  if (has_stamp && line.starts_with(' ')) line.remove_prefix(1);
  return has_stamp;
}

// The number at the beginning of `text`, 0 to 1,000,000, with the rest behind one space.
struct NumberAndRest {
  int number = 0;
  std::string_view rest;
};
std::optional<NumberAndRest> split_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || number > 1'000'000) return std::nullopt;
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (!rest.empty() && rest.front() != ' ') return std::nullopt;
  if (!rest.empty()) rest.remove_prefix(1);
  return NumberAndRest{number, rest};
}

struct PlainWord {
  std::string_view text;
  Kind kind;
};
constexpr std::array<PlainWord, 4> kPlainWords = {{{"booted", Kind::kBooted},
                                                   {"mounted", Kind::kMounted},
                                                   {"load started", Kind::kLoadStarted},
                                                   {"off", Kind::kOff}}};
constexpr std::array<PlainWord, 3> kNumberedWords = {{{"mount failed: ", Kind::kMountFailed},
                                                      {"load ended ", Kind::kLoadEnded},
                                                      {"listed: ", Kind::kListed}}};

GuestEvent make(Kind kind, std::string_view text, int code = 0) {
  return {.kind = kind, .text = std::string(text), .code = code, .time = Nanoseconds(0)};
}

GuestEvent parse_protocol(std::string_view words) {
  for (const PlainWord& word : kPlainWords) {
    if (words == word.text) return make(word.kind, words);
  }
  for (const PlainWord& word : kNumberedWords) {
    if (!words.starts_with(word.text)) continue;
    const auto split = split_number(words.substr(word.text.size()));
    if (split) return make(word.kind, split->rest, split->number);
  }
  constexpr std::string_view kTrouble = "trouble: ";
  constexpr std::string_view kLog = "log: ";
  if (words.starts_with(kTrouble)) return make(Kind::kTrouble, words.substr(kTrouble.size()));
  if (words.starts_with(kLog)) return make(Kind::kKernelMessage, words.substr(kLog.size()));
  return make(Kind::kConsoleLine, words);
}

// The place of an event in the order, and the place that must have been reached just before.
struct Place {
  int rank = 0;    // 0: has no place
  int before = 0;  // 0: any after `booted`
};

Place place_of(Kind kind) {
  switch (kind) {
    case Kind::kBooted: return {.rank = 1, .before = 0};
    case Kind::kMounted:
    case Kind::kMountFailed: return {.rank = 2, .before = 1};
    case Kind::kLoadStarted: return {.rank = 3, .before = 2};
    case Kind::kListed: return {.rank = 4, .before = 2};
    case Kind::kLoadEnded: return {.rank = 4, .before = 3};
    case Kind::kOff: return {.rank = 5, .before = 0};
    case Kind::kTrouble:
    case Kind::kKernelMessage:
    case Kind::kLoadOutput:
    case Kind::kConsoleLine:
    case Kind::kPanic:
    case Kind::kExited: return {};
  }
  return {};
}

}  // namespace

GuestEvent parse_console_line(std::string_view line) {
  std::string_view rest = line;
  const bool has_stamp = take_time_stamp(rest);
  if (rest.starts_with(kProtocolWord)) return parse_protocol(rest.substr(kProtocolWord.size()));
  if (rest.starts_with(kRelayWord)) return make(Kind::kLoadOutput, rest.substr(kRelayWord.size()));
  if (rest.starts_with("Kernel panic - not syncing")) return make(Kind::kPanic, rest);
  return has_stamp ? make(Kind::kKernelMessage, line) : make(Kind::kConsoleLine, line);
}

GuestEvent GuestProtocol::accept(GuestEvent event) {
  const Place place = place_of(event.kind);
  if (place.rank == 0) return event;
  const bool follows = place.before == 0 || place.before == rank_;
  const bool is_first = place.rank == 1;
  if (place.rank > rank_ && follows && (is_first || rank_ > 0)) {
    rank_ = place.rank;
  } else {
    event.kind = Kind::kConsoleLine;
  }
  return event;
}

void ConsoleText::put(char letter) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(letter);
  const bool is_plain = (code >= 0x20 && code < 0x7F) || code == '\t';
  if (line_.size() + (is_plain ? 1 : 4) > kConsoleLineBytes) {
    is_cut_ = true;
    return;
  }
  if (is_plain) {
    line_ += letter == '\t' ? ' ' : letter;
    return;
  }
  line_ += "\\x";
  line_ += kDigits[code >> 4];
  line_ += kDigits[code & 15];
}

std::string ConsoleText::end_line() {
  constexpr std::string_view kReturn = "\\x0d";  // a terminal's newline is CR LF
  while (line_.ends_with(kReturn)) line_.resize(line_.size() - kReturn.size());
  std::string line = std::move(line_);
  line_.clear();
  is_cut_ = false;
  kept_bytes_ += line.size() + 1;
  kept_.push_back(line);
  while (kept_bytes_ > kConsoleTailBytes) {
    kept_bytes_ -= kept_.front().size() + 1;
    kept_.pop_front();
  }
  return line;
}

std::vector<std::string> ConsoleText::feed(std::string_view bytes) {
  std::vector<std::string> lines;
  for (const char letter : bytes) {
    if (letter == '\n') {
      lines.push_back(end_line());
    } else if (!is_cut_) {
      put(letter);
    }
  }
  return lines;
}

std::vector<std::string> ConsoleText::finish() {
  std::vector<std::string> lines;
  if (!line_.empty()) lines.push_back(end_line());
  return lines;
}

std::string ConsoleText::tail() const {
  std::string text;
  text.reserve(kept_bytes_ + line_.size());
  for (const std::string& line : kept_) {
    text += line;
    text += '\n';
  }
  return text + line_;
}

std::string ConsoleText::last_lines(std::size_t count) const {
  std::vector<std::string_view> last;
  if (!line_.empty()) last.push_back(line_);
  for (auto line = kept_.rbegin(); line != kept_.rend() && last.size() < count; ++line) {
    if (!line->empty()) last.push_back(*line);
  }
  std::string text;
  for (auto line = last.rbegin(); line != last.rend(); ++line) {
    if (!text.empty()) text += " | ";
    text += *line;
  }
  return text;
}

}  // namespace powercut::lab
