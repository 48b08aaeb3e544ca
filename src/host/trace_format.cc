#include "host/trace_format.h"

#include <charconv>
#include <cstring>

namespace powercut {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// The number that stands behind `word` in the line.
std::optional<std::uint64_t> number_behind(std::string_view line, std::string_view word) {
  const std::size_t at = line.find(word);
  if (at == line.npos) return std::nullopt;
  const std::string_view text = trimmed(line.substr(at + word.size()));
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  return number;
}

// "char name[32]" -> "name", "unsigned int len" -> "len".
std::string_view name_in(std::string_view declaration) {
  declaration = trimmed(declaration.substr(0, declaration.find('[')));
  const std::size_t space = declaration.find_last_of(" *");
  return space == declaration.npos ? declaration : declaration.substr(space + 1);
}

}  // namespace

Result<void> TraceFormat::add_field(std::string_view line, TraceFormat& into) {
  constexpr std::string_view kField = "field:";
  const std::string_view rest = line.substr(kField.size());
  const std::string_view name = name_in(rest.substr(0, rest.find(';')));
  const auto offset = number_behind(rest, "offset:");
  const auto size = number_behind(rest, "size:");
  if (name.empty() || !offset || !size) {
    return fail_with(Errc::kCorrupt, "trace format: a field without name, offset or size", line);
  }
  if (into.fields_.size() >= kFieldsMax) return fail(Errc::kLimit, "trace format: fields");
  into.fields_.emplace(name, Place{*offset, *size});
  return {};
}

Result<TraceFormat> TraceFormat::parse(std::string_view text) {
  if (text.size() > kTextBytesMax) return fail(Errc::kLimit, "trace format: text", text.size());
  TraceFormat format;
  bool has_id = false;
  while (!text.empty()) {
    const std::string_view line = trimmed(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    if (line.starts_with("print fmt:")) break;  // free text from here on
    if (line.starts_with("field:")) TRY(add_field(line, format));
    if (!line.starts_with("ID:")) continue;
    const auto id = number_behind(line, "ID:");
    has_id = id.has_value();
    format.id_ = id.value_or(0);
  }
  if (!has_id) return fail(Errc::kCorrupt, "trace format: no ID");
  return format;
}

std::optional<Bytes> TraceFormat::bytes_of(std::string_view field, Bytes event) const {
  const auto found = fields_.find(field);
  if (found == fields_.end()) return std::nullopt;
  const Place& place = found->second;
  if (place.offset > event.size() || event.size() - place.offset < place.size) return std::nullopt;
  return event.subspan(place.offset, place.size);
}

std::optional<std::uint64_t> TraceFormat::number(std::string_view field, Bytes event) const {
  const auto bytes = bytes_of(field, event);
  if (!bytes) return std::nullopt;
  const auto as = [&]<class T>(T value) -> std::uint64_t {
    std::memcpy(&value, bytes->data(), sizeof value);  // as this machine stores it
    return value;
  };
  switch (bytes->size()) {
    case 1: return as(std::uint8_t{});
    case 2: return as(std::uint16_t{});
    case 4: return as(std::uint32_t{});
    case 8: return as(std::uint64_t{});
    default: return std::nullopt;
  }
}

std::string TraceFormat::text(std::string_view field, Bytes event) const {
  const auto bytes = bytes_of(field, event);
  if (!bytes) return {};
  const std::string whole(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  return whole.substr(0, whole.find('\0'));
}

}  // namespace powercut
