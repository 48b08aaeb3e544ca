#include "lab/verify/finding_json.h"

#include <limits>
#include "lab/verify/json_form.h"

namespace powercut::lab {
namespace {

Json owner_json(const Owner& owner, std::uint32_t block_bytes) {
  return {{"kind", static_cast<int>(owner.kind)},
          {"text", owner.describe(block_bytes)},
          {"inode", owner.inode.value()},
          {"file_block", owner.file_block.value()},
          {"offset", owner.file_block.value() * block_bytes},
          {"path", owner.path},
          {"group", owner.group},
          {"unlinked", owner.is_unlinked},
          {"note", owner.note}};
}

Json version_json(const KnownVersion& version) {
  Json ranges = Json::array();
  for (const ByteRange& range : version.ranges) ranges.push_back({range.first, range.end});
  return {{"place", static_cast<int>(version.place)},
          {"tid", version.tid.value()},
          {"matches_checksum", version.matches_checksum},
          {"byte_count", version.byte_count},
          {"ranges", ranges}};
}

// Whether a number, a text or a truth value fits a T as it is.
template <class T>
bool fits(const ParsedJson& field) {
  if constexpr (std::is_same_v<T, std::string>) {
    return field.is_string();
  } else if constexpr (std::is_same_v<T, bool>) {
    return field.is_boolean();
  } else if constexpr (std::is_floating_point_v<T>) {
    return field.is_number();
  } else {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    return field.is_number_unsigned() && field.template get<std::uint64_t>() <= kMost;
  }
}

// Reads fields by name, and remembers whether one did not fit.
class Reader {
 public:
  explicit Reader(const ParsedJson& json) : json_(json) {}
  template <class T>
  void get(const char* name, T& into) {
    const auto field = json_.find(name);
    if (field == json_.end()) return;
    if (fits<T>(*field)) {
      into = field->template get<T>();
    } else {
      is_good_ = false;
    }
  }
  template <class T>
  void get_unit(const char* name, T& into) {
    auto value = into.value();
    get(name, value);
    into = T(value);
  }
  void get_time(const char* name, Nanoseconds& into) {
    double seconds = seconds_of(into);
    get(name, seconds);
    const auto time = time_from_seconds(seconds);
    is_good_ = is_good_ && time;
    if (is_good_) into = *time;
  }
  template <class T>
  void get_enum(const char* name, T& into, T last) {
    int value = static_cast<int>(into);
    get(name, value);
    is_good_ = is_good_ && value <= static_cast<int>(last);
    if (is_good_) into = static_cast<T>(value);
  }
  // Null if the field is absent.
  const ParsedJson* object(const char* name) {
    const auto field = json_.find(name);
    if (field == json_.end()) return nullptr;
    is_good_ = is_good_ && field->is_object();
    return field->is_object() ? &*field : nullptr;
  }
  bool is_good() const { return is_good_; }

 private:
  const ParsedJson& json_;
  bool is_good_ = true;
};

bool read_owner(const ParsedJson& json, Owner& owner) {
  Reader reader(json);
  reader.get_enum("kind", owner.kind, OwnerKind::kSymlink);
  reader.get_unit("inode", owner.inode);
  reader.get_unit("file_block", owner.file_block);
  reader.get("path", owner.path);
  reader.get("group", owner.group);
  reader.get("unlinked", owner.is_unlinked);
  reader.get("note", owner.note);
  return reader.is_good();
}

bool read_range(const ParsedJson& json, ByteRange& range) {
  using Offset = decltype(range.first);
  if (!json.is_array() || json.size() != 2) return false;
  if (!fits<Offset>(json[0]) || !fits<Offset>(json[1])) return false;
  range = {json[0].get<Offset>(), json[1].get<Offset>()};
  return range.first < range.end;
}

bool read_version(const ParsedJson& json, KnownVersion& version) {
  Reader reader(json);
  reader.get_enum("place", version.place, KnownVersion::Place::kWord);
  reader.get_unit("tid", version.tid);
  reader.get("matches_checksum", version.matches_checksum);
  reader.get("byte_count", version.byte_count);
  const auto ranges = json.find("ranges");
  if (ranges == json.end()) return reader.is_good();
  if (!ranges->is_array() || ranges->size() > KnownVersion::kRangesMax) return false;
  for (const ParsedJson& range : *ranges) {
    if (!read_range(range, version.ranges.emplace_back())) return false;
  }
  return reader.is_good();
}

Result<ParsedJson> parse_object(std::string_view text) {
  if (is_nested_too_deep(text)) return fail(Errc::kCorrupt, "json: nested too deep");
  ParsedJson json = parse_json(text);
  if (!json.is_object()) return fail(Errc::kCorrupt, "json: not an object");
  return json;
}

// Every counter by its name, for both directions.
template <class Counters, class Visit>
void for_each_counter(Counters& counters, Visit visit) {
  visit("commits", counters.commit_count);
  visit("tids", counters.tid_count);
  visit("blocks", counters.block_count);
  visit("verified", counters.verified_count);
  visit("descriptors", counters.descriptor_count);
  visit("revoke_blocks", counters.revoke_block_count);
  visit("revokes", counters.revoke_count);
  visit("escaped", counters.escaped_count);
  visit("journal_bytes", counters.journal_bytes);
  visit("written_bytes", counters.written_bytes);
  visit("writes", counters.write_count);
  visit("flushes", counters.flush_count);
  visit("commits_without_flush", counters.commits_without_flush);
  visit("findings", counters.finding_count);
  visit("bad_transactions", counters.bad_transaction_count);
  visit("bad_replayable", counters.bad_replayable_count);
  visit("chain_resets", counters.chain_reset_count);
}

}  // namespace

bool is_nested_too_deep(std::string_view json) {
  constexpr int kDepthMax = 16;
  int depth = 0;
  bool is_text = false;
  for (std::size_t at = 0; at < json.size(); ++at) {
    const char letter = json[at];
    if (letter == '"') is_text = !is_text;
    if (is_text && letter == '\\') ++at;
    if (is_text) continue;
    if (letter == '[' || letter == '{') ++depth;
    if (letter == ']' || letter == '}') --depth;
    if (depth > kDepthMax) return true;
  }
  return false;
}

std::optional<Nanoseconds> time_from_seconds(double seconds) {
  constexpr double kMost = 1e9;
  if (!(seconds >= -kMost && seconds <= kMost)) return std::nullopt;
  return std::chrono::round<Nanoseconds>(std::chrono::duration<double>(seconds));
}

std::string finding_to_json(const Finding& finding) {
  Json json = {{"kind", static_cast<int>(finding.kind)},
               {"kind_name", finding_kind_name(finding.kind)},
               {"number", finding.number},
               {"when", seconds_of(finding.when)},
               {"sequence", finding.sequence},
               {"commit_number", finding.commit_number},
               {"tid", finding.tid.value()},
               {"log_block", finding.log_block.value()},
               {"home", finding.home.value()},
               {"stored", finding.stored},
               {"computed", finding.computed},
               {"index", finding.index},
               {"count", finding.count},
               {"escaped", finding.is_escaped},
               {"rule", finding.rule},
               {"block_bytes", finding.block_bytes}};
  if (finding.owner) json["owner"] = owner_json(*finding.owner, finding.block_bytes);
  if (finding.version) json["version"] = version_json(*finding.version);
  if (finding.replayable) json["replayable"] = seconds_of(*finding.replayable);
  return json_line(json);
}

Result<Finding> finding_from_json(std::string_view text) {
  const ParsedJson json = TRY(parse_object(text));
  Finding finding;
  Reader reader(json);
  reader.get_enum("kind", finding.kind, FindingKind::kSuperblock);
  reader.get("number", finding.number);
  reader.get_time("when", finding.when);
  reader.get("sequence", finding.sequence);
  reader.get("commit_number", finding.commit_number);
  reader.get_unit("tid", finding.tid);
  reader.get_unit("log_block", finding.log_block);
  reader.get_unit("home", finding.home);
  reader.get("stored", finding.stored);
  reader.get("computed", finding.computed);
  reader.get("index", finding.index);
  reader.get("count", finding.count);
  reader.get("escaped", finding.is_escaped);
  reader.get("rule", finding.rule);
  reader.get("block_bytes", finding.block_bytes);
  if (json.contains("replayable")) {
    finding.replayable = Nanoseconds{0};
    reader.get_time("replayable", *finding.replayable);
  }
  bool is_good = true;
  if (const ParsedJson* owner = reader.object("owner")) {
    is_good = read_owner(*owner, finding.owner.emplace());
  }
  if (const ParsedJson* version = reader.object("version")) {
    is_good = read_version(*version, finding.version.emplace()) && is_good;
  }
  if (!is_good || !reader.is_good()) {
    return fail(Errc::kCorrupt, "json: a field of a finding has another type or is too large");
  }
  return finding;
}

std::string owner_to_json(const Owner& owner, std::uint32_t block_bytes) {
  return json_line(owner_json(owner, block_bytes));
}

std::string counters_to_json(const JudgeCounters& counters) {
  Json json = Json::object();
  for_each_counter(counters, [&](const char* name, std::uint64_t value) { json[name] = value; });
  json["first_tid"] = counters.first_tid.value();
  json["last_tid"] = counters.last_tid.value();
  json["judge_seconds"] = seconds_of(counters.judge_time);
  return json_line(json);
}

Result<JudgeCounters> counters_from_json(std::string_view text) {
  const ParsedJson json = TRY(parse_object(text));
  JudgeCounters counters;
  Reader reader(json);
  for_each_counter(counters,
                   [&](const char* name, std::uint64_t& value) { reader.get(name, value); });
  reader.get_unit("first_tid", counters.first_tid);
  reader.get_unit("last_tid", counters.last_tid);
  reader.get_time("judge_seconds", counters.judge_time);
  if (!reader.is_good())
    return fail(Errc::kCorrupt, "json: a counter has another type or is too large");
  return counters;
}

}  // namespace powercut::lab
