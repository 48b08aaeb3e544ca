#include "tests/support/repeated_tid_logs.h"

#include <algorithm>
#include <sstream>

#include "base/crc32c.h"
#include "base/stored_int.h"
#include "format/jbd2_disk.h"

namespace powercut::testing {
namespace {

using Kind = BuiltWrite::Kind;

constexpr const char* kTexts[] = {
    "0 1 2c 2",      "0 1 2c 2 3",    "0 1 2c 2 3 4", "0 1 2c 2n",    "0 1 2c 2n 3",
    "0 1 2c 2d",     "0 1 2c 2d 3",   "0 1 2c 2c",    "0 1 2c 2c 2",  "0 1 2c 2oc",
    "0 1 2c 2o",     "0 1 2c 2o 3c",  "0 1 2c 2t",    "0 1 2c 2t 3",  "0 1 2c 2r",
    "0 1 2c 2R",     "0 1 2c 2x",     "0 1 2cx 2",    "0 1 2c 2 3c",  "0 1 2c 2 3c 3",
    "0 1 2c 2 3c 4", "0 1 2c 2 3d",   "0 1 2c 2 3dn", "0 1 2c 2 3oc", "0 1 2c 2 3x",
    "0 1 2c 2 3 4c", "0 1 2c 2 3 4R", "0 1 2c 2s",    "0 1 2c 2s 3",  "0 1 2c 2s 3c",
    "0 1 2c 2s 3s",  "0 1 2dn 2",     "0 1 2dn 2 3",  "0 1 2dn 2R",   "0 1 2dn 2Rc",
    "0 1 2dn 2Rn",   "0 1 2Rn 2",     "0 1 2Rn 2d",   "0 1 2Rn 2oc",  "0 1 2c 3R",
    "0 1 2oc 3R",    "0 1 2c 2oc 2R", "0 1x 2c 2 3",  "0 1 2c 2 3r",  "0 1 2Q",
    "0 1 2Qn",       "0 1 2c 2ec 2R", "0 1 2c 2ec 2", "0 1c 2 2R",    "0 1c 2 2 3",
    "0 1c 1 2c 2",   "0 1c 1 2c 2 3", "0 1c 1 2R",    "0 1d 1R",
};

BuiltWrite& last_of(JournalBuilder& builder, Kind kind) {
  auto& writes = builder.writes();
  const auto found = std::find_if(writes.rbegin(), writes.rend(),
                                  [kind](const BuiltWrite& each) { return each.kind == kind; });
  CHECK(found != writes.rend(), "no such write");
  return *found;
}

void flip(BuiltWrite& write, std::size_t offset) {
  write.bytes.at(offset) ^= 1;
}

void sum_all_of(JournalBuilder& builder, Tid tid) {
  if (builder.format().checksum != ChecksumKind::kV1) return;
  std::uint32_t sum = ~std::uint32_t{0};
  for (const BuiltWrite& each : builder.writes()) {
    const bool is_summed = each.kind == Kind::kDescriptor || each.kind == Kind::kData;
    if (each.tid == tid && is_summed) sum = crc32_be(sum, each.bytes);
  }
  store(last_of(builder, Kind::kCommit).bytes, offsetof(disk::CommitBlock, checksums), Be32(sum));
}

void add_part(JournalBuilder& builder, const std::string& word, std::uint64_t index) {
  const auto has = [&](char letter) { return word.find(letter) != word.npos; };
  const Tid tid(builder.spec().sequence.value() + static_cast<std::uint32_t>(word.at(0) - '0'));
  TransactionSpec part;
  part.tid = tid;
  part.blocks = {
      {BlockNo(kLogPool + index), patterned_block(builder.spec().block_bytes, index + 1)}};
  if (has('r') || has('R') || has('Q')) part.revokes = {BlockNo(kLogPool)};
  part.has_commit = !has('n');
  if (has('o')) part.commit_seconds = builder.spec().commit_seconds - 1;
  if (has('e')) part.commit_seconds = builder.spec().commit_seconds + 1;
  builder.add_transaction(part);
  if (has('s')) sum_all_of(builder, tid);
  if (has('R') || has('Q')) {
    BuiltWrite& revoke = last_of(builder, Kind::kRevoke);
    const std::uint32_t used = builder.spec().block_bytes + (has('R') ? 1 : 0);
    store(revoke.bytes, offsetof(disk::RevokeHeader, used_bytes), Be32(used));
    builder.reseal(revoke);
  }
  // Of a descriptor: inside the UUID behind the first tag of any layout.
  if (has('d')) flip(last_of(builder, Kind::kDescriptor), 28);
  if (has('x')) flip(last_of(builder, Kind::kData), 100);
  if (has('c')) flip(last_of(builder, Kind::kCommit), offsetof(disk::CommitBlock, checksums) + 3);
  if (has('t')) flip(last_of(builder, Kind::kCommit), 900);
}

}  // namespace

std::vector<DamagedLog> repeated_tid_logs() {
  std::vector<DamagedLog> logs;
  for (const std::string text : kTexts) {
    const auto build = [text](JournalBuilder& builder, const JournalMap&) {
      std::istringstream words(text);
      std::uint64_t index = 0;
      for (std::string word; words >> word; ++index) add_part(builder, word, index);
    };
    logs.push_back({"tids " + text, build, {}});
  }
  return logs;
}

}  // namespace powercut::testing
