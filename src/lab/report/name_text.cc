#include "lab/report/name_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "format/ext4_acl.h"

namespace powercut::lab {
namespace {

constexpr std::int64_t kSecondsShown = std::int64_t{1} << 41;  // within the years that tm can hold

// One character, or one byte that is part of none.
struct Character {
  std::size_t bytes = 1;
  std::uint32_t code = 0;
  bool is_valid = false;
};

Character decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {1, first, true};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {};
  std::uint32_t code = first & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = (code << 6) | (byte(i) & 0x3F);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {};
  return {length, code, true};
}

// Control characters, and those that turn the direction of writing or cannot be seen at all: with
// them a name can look like another one.
bool can_be_shown(const Character& character) {
  if (!character.is_valid) return false;
  const std::uint32_t code = character.code;
  const auto in = [code](std::uint32_t low, std::uint32_t high) {
    return code >= low && code <= high;
  };
  const bool is_control = code < 0x20 || in(0x7F, 0x9F) || code == 0xAD;
  const bool is_format = in(0x200B, 0x200F) || in(0x2028, 0x202E) || in(0x2060, 0x206F) ||
                         code == 0xFEFF || in(0xFFF0, 0xFFFB) || in(0xE0000, 0xE0FFF);
  const bool is_none = in(0xFDD0, 0xFDEF) || (code & 0xFFFE) == 0xFFFE;
  return !is_control && !is_format && !is_none;
}

std::string escaped_byte(char letter) {
  switch (letter) {
    case '\a': return "\\a";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\v': return "\\v";
    default: return fmt::format("\\{:03o}", static_cast<std::uint8_t>(letter));
  }
}

std::string escaped(std::string_view bytes) {
  std::string text;
  for (const char letter : bytes) text += escaped_byte(letter);
  return text;
}

// Calls visit(part, can be shown) for every character.
template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const Character character = decode(text);
    visit(text.substr(0, character.bytes), can_be_shown(character));
    text.remove_prefix(character.bytes);
  }
}

bool is_plain_word(std::string_view name) {
  constexpr std::string_view kOfTheShell = " !\"$&'()*;<=>?[\\]^`|";
  if (name.empty() || name.front() == '#' || name.front() == '~') return false;
  if (name == "{" || name == "}") return false;
  return name.find_first_of(kOfTheShell) == std::string_view::npos;
}

}  // namespace

bool is_printable(std::string_view bytes) {
  bool all = true;
  for_each_character(bytes, [&](std::string_view, bool is_shown) { all = all && is_shown; });
  return all;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Character character = decode(bytes);
    if (!character.is_valid) return false;
    bytes.remove_prefix(character.bytes);
  }
  return true;
}

std::string quoted_name(std::string_view bytes) {
  const bool is_shown = is_printable(bytes);
  if (is_shown && is_plain_word(bytes)) return std::string(bytes);
  const bool has_quote = bytes.find('\'') != std::string_view::npos;
  if (is_shown && has_quote && bytes.find_first_of("\"$\\`!") == std::string_view::npos) {
    return '"' + std::string(bytes) + '"';
  }
  std::string text = "'";
  bool is_escape = false;
  for_each_character(bytes, [&](std::string_view part, bool can_show) {
    if (!can_show && !is_escape) text += "'$'";
    if (can_show && is_escape) text += "''";
    is_escape = !can_show;
    if (!can_show) {
      text += escaped(part);
    } else {
      text += part == "'" ? "'\\''" : part;
    }
  });
  return text + "'";
}

std::string printable(std::string_view bytes) {
  std::string text;
  for_each_character(bytes, [&](std::string_view part, bool can_show) {
    text += can_show ? std::string(part) : escaped(part);
  });
  return text;
}

std::string utc_text(std::int64_t seconds) {
  if (seconds > kSecondsShown || seconds < -kSecondsShown) return std::to_string(seconds) + " s";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

std::string utc_text(const Timestamp& time) {
  return fmt::format("{}.{:09}", utc_text(time.seconds), time.nanoseconds);
}

std::string utc_text_or_none(std::uint64_t seconds) {
  return seconds == 0 ? "n/a" : utc_text(static_cast<std::int64_t>(seconds));
}

std::string hex_text(Bytes bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  constexpr char kDigits[] = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string uuid_text(const Ext4Uuid& uuid) {
  std::string text = hex_text(uuid);
  for (const std::size_t at : {20u, 16u, 12u, 8u}) text.insert(at, 1, '-');
  return text;
}

std::string hash_seed_text(const Superblock& superblock) {
  Ext4Uuid bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(superblock.hash_seed[i / 4] >> (8 * (i % 4)));
  }
  return uuid_text(bytes);
}

std::string xattr_value_text(std::string_view name, Bytes value) {
  if (name.starts_with("system.posix_acl_")) {
    if (const auto acl = Acl::parse(value)) return acl->text();
  }
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  if (!is_printable(text)) return "0x" + hex_text(value);
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') quoted += '\\';
    quoted += letter;
  }
  return quoted + '"';
}

}  // namespace powercut::lab
