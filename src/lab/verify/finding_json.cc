#include "lab/verify/finding_json.h"

#include <nlohmann/json.hpp>

namespace powercut::lab {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json owner_json(const Owner& owner, std::uint32_t block_bytes) {
  return {{"kind", static_cast<int>(owner.kind)},
          {"text", owner.describe(block_bytes)},
          {"inode", owner.inode.value()},
          {"file_block", owner.file_block.value()},
          {"offset", owner.file_block.value() * block_bytes},
          {"path", owner.path},
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

// Reads fields by name, and remembers the first that has another type.
class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {}
  template <class T>
  void get(const char* name, T& into) {
    const auto field = json_.find(name);
    if (field == json_.end()) return;
    const bool fits = std::is_same_v<T, std::string> ? field->is_string()
                      : std::is_same_v<T, bool>      ? field->is_boolean()
                                                     : field->is_number();
    if (!fits) {
      is_good_ = false;
      return;
    }
    into = field->template get<T>();
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
    into = std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(seconds));
  }
  template <class T>
  void get_enum(const char* name, T& into, T last) {
    int value = static_cast<int>(into);
    get(name, value);
    is_good_ = is_good_ && value >= 0 && value <= static_cast<int>(last);
    if (is_good_) into = static_cast<T>(value);
  }
  const Json* object(const char* name) {
    const auto field = json_.find(name);
    return field != json_.end() && field->is_object() ? &*field : nullptr;
  }
  bool is_good() const { return is_good_; }

 private:
  const Json& json_;
  bool is_good_ = true;
};

bool read_owner(const Json& json, Owner& owner) {
  Reader reader(json);
  reader.get_enum("kind", owner.kind, OwnerKind::kSymlink);
  reader.get_unit("inode", owner.inode);
  reader.get_unit("file_block", owner.file_block);
  reader.get("path", owner.path);
  reader.get("unlinked", owner.is_unlinked);
  reader.get("note", owner.note);
  return reader.is_good();
}

bool read_version(const Json& json, KnownVersion& version) {
  Reader reader(json);
  reader.get_enum("place", version.place, KnownVersion::Place::kWord);
  reader.get_unit("tid", version.tid);
  reader.get("matches_checksum", version.matches_checksum);
  reader.get("byte_count", version.byte_count);
  const auto ranges = json.find("ranges");
  if (ranges == json.end()) return reader.is_good();
  if (!ranges->is_array() || ranges->size() > KnownVersion::kRangesMax) return false;
  for (const Json& range : *ranges) {
    if (!range.is_array() || range.size() != 2) return false;
    if (!range[0].is_number_unsigned() || !range[1].is_number_unsigned()) return false;
    version.ranges.push_back({range[0].get<std::uint32_t>(), range[1].get<std::uint32_t>()});
  }
  return reader.is_good();
}

Result<Json> parse_object(std::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
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
  return dump(json);
}

Result<Finding> finding_from_json(std::string_view text) {
  const Json json = TRY(parse_object(text));
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
  bool is_good = reader.is_good();
  if (const Json* owner = reader.object("owner")) {
    is_good = read_owner(*owner, finding.owner.emplace()) && is_good;
  }
  if (const Json* version = reader.object("version")) {
    is_good = read_version(*version, finding.version.emplace()) && is_good;
  }
  if (!is_good) return fail(Errc::kCorrupt, "json: a field of a finding has another type");
  return finding;
}

std::string counters_to_json(const JudgeCounters& counters) {
  Json json = Json::object();
  for_each_counter(counters, [&](const char* name, std::uint64_t value) { json[name] = value; });
  json["first_tid"] = counters.first_tid.value();
  json["last_tid"] = counters.last_tid.value();
  json["judge_seconds"] = seconds_of(counters.judge_time);
  return dump(json);
}

Result<JudgeCounters> counters_from_json(std::string_view text) {
  const Json json = TRY(parse_object(text));
  JudgeCounters counters;
  Reader reader(json);
  for_each_counter(counters,
                   [&](const char* name, std::uint64_t& value) { reader.get(name, value); });
  reader.get_unit("first_tid", counters.first_tid);
  reader.get_unit("last_tid", counters.last_tid);
  reader.get_time("judge_seconds", counters.judge_time);
  if (!reader.is_good()) return fail(Errc::kCorrupt, "json: a counter has another type");
  return counters;
}

}  // namespace powercut::lab
