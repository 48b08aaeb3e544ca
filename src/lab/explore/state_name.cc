#include "lab/explore/state_name.h"

#include <algorithm>
#include <charconv>

namespace powercut::lab {
namespace {

struct NamedWrites {
  std::uint32_t first = 0, last = 0;  // numbers
  std::uint32_t pieces = 0;           // 0: whole
};

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<NamedWrites> parse_item(std::string_view item) {
  const auto failure = [&] { return fail_with(Errc::kInvalid, "writes that got there", item); };
  const std::size_t mark = item.find_first_of("-.");
  const auto first = number_of(item.substr(0, mark));
  if (!first || *first == 0) return failure();
  if (mark == std::string_view::npos) return NamedWrites{*first, *first, 0};
  const auto second = number_of(item.substr(mark + 1));
  if (!second || *second == 0) return failure();
  if (item[mark] == '.') return NamedWrites{*first, *first, *second};
  if (*second < *first) return failure();
  return NamedWrites{*first, *second, 0};
}

std::optional<std::uint32_t> digit_of_torn(const CrashWindow& window, const PendingBlock& pending,
                                           std::uint32_t whole_digit, std::uint32_t pieces) {
  const auto candidates = window.candidates(pending);
  const std::uint32_t number = candidates[whole_digit].number;
  for (std::uint32_t digit = 0; digit < candidates.size(); ++digit) {
    if (candidates[digit].number == number && candidates[digit].pieces == pieces) return digit;
  }
  return std::nullopt;
}

void add_range(std::string& text, std::uint32_t first, std::uint32_t last) {
  if (!text.empty()) text += ',';
  text += std::to_string(first);
  if (last != first) text += '-' + std::to_string(last);
}

}  // namespace

std::string state_name(const CrashWindow& window, std::span<const std::uint32_t> digits) {
  const auto steps = window.steps();
  const auto pending = window.pending();
  CHECK(digits.size() == pending.size(), "a digit for each pending block");
  // By slot, the last write that got there: of several with that content the last.
  std::vector<std::uint32_t> last(pending.size());
  for (std::size_t slot = 0; slot < pending.size(); ++slot) {
    last[slot] = window.candidates(pending[slot])[digits[slot]].number;
  }
  // Writes that a later one of the same block has replaced are named too: ranges become longer.
  std::string text;
  std::uint32_t first = 0;  // of the range that is open; 0: none
  for (std::uint32_t number = 1; number <= steps.size() + 1; ++number) {
    const bool is_there = number <= steps.size() && number <= last[steps[number - 1].slot];
    const bool is_torn = is_there && number == last[steps[number - 1].slot] &&
                         digits[steps[number - 1].slot] != steps[number - 1].digit;
    if (is_there && !is_torn) {
      if (first == 0) first = number;
      continue;
    }
    if (first != 0) add_range(text, first, number - 1);
    first = 0;
    if (!is_torn) continue;
    const std::uint32_t slot = steps[number - 1].slot;
    add_range(text, number, number);
    text += '.' + std::to_string(window.candidates(pending[slot])[digits[slot]].pieces);
  }
  if (text.empty()) return "none";
  return text == "1-" + std::to_string(steps.size()) ? "all" : text;
}

Result<std::vector<std::uint32_t>> parse_state_name(const CrashWindow& window,
                                                    std::string_view name) {
  std::vector<std::uint32_t> digits(window.pending().size());
  const auto steps = window.steps();
  if (name == "none") return digits;
  if (name == "all") {
    for (const Choice& step : steps) digits[step.slot] = step.digit;
    return digits;
  }
  while (!name.empty()) {
    const std::size_t comma = name.find(',');
    const NamedWrites item = TRY(parse_item(name.substr(0, comma)));
    if (item.last > steps.size()) {
      return fail(Errc::kInvalid, "writes that got there: there are fewer", steps.size());
    }
    for (std::uint32_t number = item.first; number <= item.last; ++number) {
      const Choice& step = steps[number - 1];
      digits[step.slot] = step.digit;
      if (item.pieces == 0) continue;
      const auto torn = digit_of_torn(window, window.pending()[step.slot], step.digit, item.pieces);
      if (!torn) return fail(Errc::kInvalid, "writes that got there: no such tear", item.pieces);
      digits[step.slot] = *torn;
    }
    name = comma == std::string_view::npos ? std::string_view() : name.substr(comma + 1);
  }
  return digits;
}

}  // namespace powercut::lab
