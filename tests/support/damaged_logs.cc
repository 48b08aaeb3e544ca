#include "tests/support/damaged_logs.h"

#include "base/crc32c.h"
#include "base/stored_int.h"
#include "format/ext4.h"
#include "format/jbd2_disk.h"
#include "tests/support/repeated_tid_logs.h"

namespace powercut::testing {
namespace {

using Kind = BuiltWrite::Kind;
using Build = std::function<void(JournalBuilder&)>;
using Edit = std::function<void(BlockDevice&, const JournalMap&)>;

Tid tid_at(const JournalBuilder& builder, std::uint32_t index) {
  return Tid(builder.spec().sequence.value() + index);
}

void fill(JournalBuilder& builder) {
  const std::uint32_t size = builder.spec().block_bytes;
  const auto block = [&](std::uint64_t offset, std::uint64_t seed) {
    return DataSpec{BlockNo(kLogPool + offset),
                    seed % 3 == 0 ? magic_block(size, seed) : patterned_block(size, seed)};
  };
  builder.add_transaction({.blocks = {block(0, 1), block(1, 2), block(2, 3)}});
  builder.add_transaction({.blocks = {block(3, 4), block(4, 5), block(5, 6)},
                           .revokes = {BlockNo(kLogPool)},
                           .tags_per_descriptor = 2});
  builder.add_transaction({.blocks = {block(0, 7), block(6, 8)}});
  builder.add_transaction({.blocks = {block(7, 9)}, .revokes = {BlockNo(kLogPool + 1)}});
}

// One flipped bit; offsets are those that any layout has.
struct Flip {
  std::uint32_t transaction;
  Kind kind;
  std::size_t index, offset;
};
constexpr std::size_t kInUuid = 28;        // of a descriptor
constexpr std::size_t kInChecksum = 0x13;  // of a commit block
constexpr std::size_t kInRest = 900;       // of a commit block, behind its header
constexpr Flip commit_of(std::uint32_t transaction) {
  return {transaction, Kind::kCommit, 0, kInChecksum};
}
constexpr Flip torn_commit_of(std::uint32_t transaction) {
  return {transaction, Kind::kCommit, 0, kInRest};
}
constexpr Flip descriptor_of(std::uint32_t transaction) {
  return {transaction, Kind::kDescriptor, 0, kInUuid};
}
constexpr Flip data_of(std::uint32_t transaction) {
  return {transaction, Kind::kData, 0, 100};
}

void apply_flips(JournalBuilder& builder, const std::vector<Flip>& flips) {
  for (const Flip& each : flips) {
    builder.damage(tid_at(builder, each.transaction), each.kind, each.index, each.offset);
  }
}

Build flips(std::vector<Flip> all) {
  return [all](JournalBuilder& builder) {
    fill(builder);
    apply_flips(builder, all);
  };
}

// The commit block of `transaction` is as many seconds after that of transaction 0.
void set_time(JournalBuilder& builder, std::uint32_t transaction, std::int64_t seconds) {
  BuiltWrite& commit = builder.write_of(tid_at(builder, transaction), Kind::kCommit);
  const auto first = static_cast<std::int64_t>(builder.spec().commit_seconds);
  store(commit.bytes, 0x30, Be64(static_cast<std::uint64_t>(first + seconds)));
  builder.reseal(commit);
}

Build flips_at(std::uint32_t transaction, std::int64_t seconds, std::vector<Flip> all) {
  return [=](JournalBuilder& builder) {
    fill(builder);
    set_time(builder, transaction, seconds);
    apply_flips(builder, all);
  };
}

// A 32-bit word of a descriptor, revoke or commit block, sealed again.
Build poke(std::uint32_t transaction, Kind kind, std::size_t offset, std::uint32_t value) {
  return [=](JournalBuilder& builder) {
    fill(builder);
    BuiltWrite& write = builder.write_of(tid_at(builder, transaction), kind);
    store(write.bytes, offset, Be32(value));
    builder.reseal(write);
  };
}

// A tag of transaction 2 names `home`; sealed again.
Build home_of_second(std::function<std::uint64_t(const JournalBuilder&)> home) {
  return [home](JournalBuilder& builder) {
    fill(builder);
    const std::uint64_t number = home(builder);
    const std::uint32_t size = builder.spec().block_bytes;
    builder.add_transaction({.blocks = {{BlockNo(number), patterned_block(size, 20)},
                                        {BlockNo(kLogPool + 8), patterned_block(size, 21)}}});
  };
}

// Transaction 1's second descriptor, or a full one, says of no tag that it is the last.
void clear_last_tag(JournalBuilder& builder, std::uint32_t transaction, std::size_t tag_index) {
  BuiltWrite& write = builder.write_of(tid_at(builder, transaction), Kind::kDescriptor);
  const std::size_t tag = 12 + tag_index * builder.format().tag_bytes() + (tag_index > 0 ? 16 : 0);
  write.bytes.at(tag + 7) &= 0xF7;
  builder.reseal(write);
}

void fill_with_full_descriptor(JournalBuilder& builder) {
  fill(builder);
  TransactionSpec full;
  const std::uint32_t count = builder.format().tags_per_descriptor();
  for (std::uint32_t i = 0; i < count; ++i) {
    full.blocks.push_back(
        {BlockNo(kLogPool + 8 + i % 8), patterned_block(builder.spec().block_bytes, 30 + i)});
  }
  builder.add_transaction(full);
  clear_last_tag(builder, 4, count - 1);
}

void fill_ring(JournalBuilder& builder) {
  fill(builder);
  const std::uint32_t size = builder.spec().block_bytes;
  const auto ring = builder.superblock().ring_end() - builder.spec().first;
  const auto used = [&] { return static_cast<std::uint32_t>(builder.writes().size()); };
  while (used() < ring) {
    const std::uint32_t most = builder.format().tags_per_descriptor();
    std::uint32_t count = std::min(most, ring - used() - 2);
    // What is left must hold a whole transaction too.
    const std::uint32_t left = ring - used() - 2 - count;
    if (left > 0 && left < 3) count -= 3;
    TransactionSpec transaction;
    for (std::uint32_t i = 0; i < count; ++i) {
      transaction.blocks.push_back(
          {BlockNo(kLogPool + 8 + i % 8), patterned_block(size, used() + i)});
    }
    builder.add_transaction(transaction);
  }
}

std::uint64_t superblock_at(const JournalMap& map) {
  return map.device_block(LogBlock(0)).value() * map.block_bytes();
}

using Words = std::vector<std::pair<std::size_t, std::uint32_t>>;

// Changes words of the journal's superblock; the checksum becomes right again unless `is_broken`.
// `added` are bits to set besides.
Edit superblock_words(Words words, bool is_broken = false, Words added = {}) {
  return [=](BlockDevice& device, const JournalMap& map) {
    std::vector<std::uint8_t> block(1024);
    CHECK(device.read(superblock_at(map), block), "the superblock can be read");
    for (const auto& [offset, value] : words) store(block, offset, Be32(value));
    for (const auto& [offset, bits] : added) {
      store(block, offset, Be32(load<Be32>(block, offset).value() | bits));
    }
    if (!is_broken) {
      constexpr std::size_t kAt = offsetof(disk::JournalSuperblock, checksum);
      store(block, kAt, Be32(0));
      const bool has_sum = (block[0x2B] & 0x18) != 0;
      if (has_sum) store(block, kAt, Be32(crc32c(~std::uint32_t{0}, block)));
    }
    CHECK(device.write(superblock_at(map), block), "the superblock can be written");
  };
}

// The log moved to the front of the ring, so that it fits into a shorter one.
void fill_at_front(JournalBuilder& builder) {
  JournalSpec spec = builder.spec();
  spec.start = spec.first;
  builder = JournalBuilder(spec);
  fill(builder);
}

std::function<void(JournalBuilder&, const JournalMap&)> alone(Build build) {
  return [build](JournalBuilder& builder, const JournalMap&) { build(builder); };
}

void add_flips(std::vector<DamagedLog>& logs) {
  const auto add = [&](const char* name, Build build) { logs.push_back({name, alone(build), {}}); };
  add("data", flips({{1, Kind::kData, 1, 100}}));
  add("data, first word", flips({{1, Kind::kData, 1, 0}}));
  add("data of the last", flips({data_of(3)}));
  add("data that is revoked", flips({{0, Kind::kData, 1, 100}}));
  add("data, older", flips_at(1, -1, {{1, Kind::kData, 1, 100}}));
  add("data, and the next descriptor", flips({{1, Kind::kData, 1, 100}, descriptor_of(2)}));
  add("data, and the next commit", flips({{1, Kind::kData, 1, 100}, commit_of(2)}));
  add("first descriptor", flips({descriptor_of(1)}));
  add("second descriptor", flips({{1, Kind::kDescriptor, 1, kInUuid}}));
  add("descriptor of the last", flips({descriptor_of(3)}));
  add("descriptor, older", flips_at(1, -1, {descriptor_of(1)}));
  add("descriptor, same second", flips_at(1, 0, {descriptor_of(1)}));
  add("descriptor, magic", flips({{2, Kind::kDescriptor, 0, 3}}));
  add("descriptor, tid", flips({{2, Kind::kDescriptor, 0, 11}}));
  add("descriptor, and its commit", flips({descriptor_of(1), commit_of(1)}));
  add("descriptor, and its commit torn", flips({descriptor_of(1), torn_commit_of(1)}));
  add("revoke block", flips({{1, Kind::kRevoke, 0, 200}}));
  add("revoke block of the last", flips({{3, Kind::kRevoke, 0, 200}}));
  add("revoke block, older", flips_at(1, -1, {{1, Kind::kRevoke, 0, 200}}));
  add("revoke block, and its commit", flips({{1, Kind::kRevoke, 0, 200}, commit_of(1)}));
}

void add_commit_flips(std::vector<DamagedLog>& logs) {
  const auto add = [&](const char* name, Build build) { logs.push_back({name, alone(build), {}}); };
  add("commit", flips({commit_of(1)}));
  add("commit of the first", flips({commit_of(0)}));
  add("commit of the last but one", flips({commit_of(2)}));
  add("commit of the last", flips({commit_of(3)}));
  add("commit, older", flips_at(1, -1, {commit_of(1)}));
  add("commit, same second", flips_at(1, 0, {commit_of(1)}));
  add("commit, time", flips({{1, Kind::kCommit, 0, 0x37}}));
  add("commit, magic", flips({{1, Kind::kCommit, 0, 3}}));
  for (const std::size_t offset : {0x0Cu, 0x20u, 0x3Bu, 0x3Cu, 0x40u, 511u, 512u, 1023u}) {
    add(("commit, byte " + std::to_string(offset)).c_str(), flips({{1, Kind::kCommit, 0, offset}}));
  }
  add("descriptor, and no commit block behind",
      flips({descriptor_of(1), {1, Kind::kCommit, 0, 3}}));
  add("commit torn", flips({torn_commit_of(1)}));
  add("commit torn, of the last", flips({torn_commit_of(3)}));
  add("commit torn, older", flips_at(1, -1, {torn_commit_of(1)}));
  add("two commits torn", flips({torn_commit_of(1), torn_commit_of(2)}));
  add("commit torn, the next one damaged", flips({torn_commit_of(1), commit_of(2)}));
  add("commit, the next one torn", flips({commit_of(1), torn_commit_of(2)}));
  add("commit, and the next one", flips({commit_of(1), commit_of(2)}));
  add("commit, and the two behind it", flips({commit_of(1), commit_of(2), commit_of(3)}));
  add("commit, and the one after the next", flips({commit_of(1), commit_of(3)}));
  add("commit of the last two", flips({commit_of(2), commit_of(3)}));
  add("commit, and the next data", flips({commit_of(1), data_of(2)}));
  add("commit, and its data", flips({commit_of(1), data_of(1)}));
  add("commit, and earlier data", flips({{0, Kind::kData, 2, 100}, commit_of(1)}));
  add("commit, and the next descriptor", flips({commit_of(1), descriptor_of(2)}));
  add("commit, and the next but one descriptor", flips({commit_of(1), descriptor_of(3)}));
  add("commit, and the last older", flips_at(3, -1, {commit_of(1)}));
  add("commit, and the last older and damaged", flips_at(3, -1, {commit_of(1), commit_of(3)}));
  add("commit older, and the next older and damaged", [](JournalBuilder& builder) {
    fill(builder);
    set_time(builder, 1, 5);
    set_time(builder, 2, 3);
    apply_flips(builder, {commit_of(1), commit_of(2)});
  });
  add("commit later, the next descriptor damaged", [](JournalBuilder& builder) {
    fill(builder);
    set_time(builder, 1, 5);
    set_time(builder, 2, 3);
    apply_flips(builder, {commit_of(1), descriptor_of(2)});
  });
  add("commit torn and later, the next descriptor damaged", [](JournalBuilder& builder) {
    fill(builder);
    set_time(builder, 1, 5);
    set_time(builder, 2, 3);
    apply_flips(builder, {torn_commit_of(1), descriptor_of(2)});
  });
  add("commit, and the next older", flips_at(2, -1, {commit_of(1)}));
  add("commit, and the next older and damaged", flips_at(2, -1, {commit_of(1), commit_of(2)}));
  add("descriptor, and the next commit", flips({descriptor_of(1), commit_of(2)}));
}

void add_formats(std::vector<DamagedLog>& logs) {
  const auto add = [&](const char* name, Build build) { logs.push_back({name, alone(build), {}}); };
  add("no commit block", [](JournalBuilder& builder) {
    fill(builder);
    builder.add_transaction(
        {.blocks = {{BlockNo(kLogPool + 8), patterned_block(builder.spec().block_bytes, 20)}},
         .has_commit = false});
  });
  add("descriptor, type", poke(2, Kind::kDescriptor, 4, 7));
  add("superblock in the log", poke(2, Kind::kDescriptor, 4, 4));
  add("descriptor without last tag", [](JournalBuilder& builder) {
    fill(builder);
    clear_last_tag(builder, 2, 1);
  });
  // Flags of a tag lie in the same place in every layout.
  const auto set_flags = [](std::size_t index, std::uint8_t flags, bool is_sealed) {
    return [=](JournalBuilder& builder) {
      fill(builder);
      BuiltWrite& write = builder.write_of(tid_at(builder, 1), Kind::kDescriptor);
      const std::size_t tag = 12 + index * builder.format().tag_bytes() + (index > 0 ? 16 : 0);
      write.bytes.at(tag + 7) = flags;
      if (is_sealed) builder.reseal(write);
    };
  };
  add("last tag too early", set_flags(0, 8, true));
  add("last tag too early, damaged", set_flags(0, 8, false));
  add("last tag too late", set_flags(1, 2, true));
  add("last tag too late, damaged", set_flags(1, 2, false));
  add("full descriptor without last tag", fill_with_full_descriptor);
  for (const std::uint32_t count : {0u, 15u, 17u, 21u, 25u, 1020u, 1024u, 1025u, 1u << 30, ~0u}) {
    add(("revoke block, count " + std::to_string(count)).c_str(),
        poke(3, Kind::kRevoke, 12, count));
  }
  add("tag deleted", [](JournalBuilder& builder) {
    fill(builder);
    BuiltWrite& write = builder.write_of(tid_at(builder, 2), Kind::kDescriptor);
    write.bytes.at(12 + 7) |= 4;
    builder.reseal(write);
  });
  add("v1 unused", [](JournalBuilder& builder) {
    fill(builder);
    store(builder.write_of(tid_at(builder, 1), Kind::kCommit).bytes, 0xC, Be64(0));
  });
  add("ring full", fill_ring);
  add("tag past the end", home_of_second([](const auto&) { return 3072 + 5; }));
  add("tag past the end, revoked", [](JournalBuilder& builder) {
    home_of_second([](const auto&) { return 3072 + 5; })(builder);
    builder.add_transaction(
        {.blocks = {{BlockNo(kLogPool + 9), patterned_block(builder.spec().block_bytes, 22)}},
         .revokes = {BlockNo(3072 + 5)}});
  });
  add("tag past the end, and data", [](JournalBuilder& builder) {
    home_of_second([](const auto&) { return 3072 + 5; })(builder);
    builder.damage(tid_at(builder, 1), Kind::kData, 0, 100);
    builder.damage(tid_at(builder, 4), Kind::kData, 1, 100);
  });
  add("damaged tag past the end", [](JournalBuilder& builder) {
    home_of_second([](const auto&) { return 3072 + 5; })(builder);
    builder.damage(tid_at(builder, 4), Kind::kData, 0, 100);
  });
  add("tag far past the end", home_of_second([](const auto& builder) {
        return builder.format().is_64bit ? std::uint64_t{1} << 40 : std::uint64_t{0xFFFFFFF0};
      }));
}

// The last transaction's revoke block says of itself that it is longer than a block; `flips` come
// on top, and with `is_older` its commit block is older than the one before.
Build bad_revoke(std::vector<Flip> flips, bool is_older = false, bool is_sealed = true) {
  return [=](JournalBuilder& builder) {
    fill(builder);
    BuiltWrite& revoke = builder.write_of(tid_at(builder, 3), Kind::kRevoke);
    store(revoke.bytes, 12, Be32(1025));
    if (is_sealed) builder.reseal(revoke);
    if (is_older) set_time(builder, 3, -1);
    apply_flips(builder, flips);
  };
}

void add_bad_revokes(std::vector<DamagedLog>& logs) {
  const auto add = [&](const char* name, Build build) { logs.push_back({name, alone(build), {}}); };
  add("bad revoke block, no commit block", bad_revoke({{3, Kind::kCommit, 0, 3}}));
  add("bad revoke block, its commit damaged", bad_revoke({commit_of(3)}));
  add("bad revoke block, its commit older and damaged", bad_revoke({commit_of(3)}, true));
  add("bad revoke block, its descriptor damaged", bad_revoke({descriptor_of(3)}));
  add("bad revoke block, its descriptor damaged, older", bad_revoke({descriptor_of(3)}, true));
  add("bad revoke block, behind a damaged commit", bad_revoke({commit_of(1)}));
  add("bad revoke block, behind damaged data", bad_revoke({data_of(1)}));
  add("bad revoke block that does not match", bad_revoke({}, false, false));
  add("bad revoke block that does not match, older", bad_revoke({}, true, false));
}

// A tag that names a block of the journal: `log` of it.
void add_journal_homes(std::vector<DamagedLog>& logs) {
  const auto add = [&](const char* name, std::uint32_t transaction, std::uint32_t log) {
    const auto build = [=](JournalBuilder& builder, const JournalMap& map) {
      const std::uint32_t size = builder.spec().block_bytes;
      const std::uint64_t home = map.device_block(LogBlock(log)).value();
      const TransactionSpec extra = {
          .blocks = {{BlockNo(home), patterned_block(size, 20)},
                     {BlockNo(kLogPool + 8), patterned_block(size, 21)}}};
      if (transaction == 0) builder.add_transaction(extra);
      fill(builder);
      if (transaction != 0) builder.add_transaction(extra);
    };
    logs.push_back({name, build, {}});
  };
  add("tag names the journal's superblock", 4, 0);
  add("tag names an unused log block", 4, 500);
  add("tag names a log block behind", 0, 1);
  add("tag names a log block before", 4, 1020);
}

void add_superblocks(std::vector<DamagedLog>& logs) {
  const auto add = [&](const char* name, Edit edit, Build build = fill) {
    logs.push_back({name, alone(build), edit});
  };
  add("superblock, checksum", superblock_words({{0xFC, 0x12345678}}, true));
  add("superblock, spare byte", superblock_words({{0x200, 1}}, true));
  add("superblock, error 5", superblock_words({{0x20, 5}}));
  add("superblock, error -5", superblock_words({{0x20, 0xFFFFFFFB}}));
  add("superblock, error -5, empty", superblock_words({{0x20, 0xFFFFFFFB}, {0x1C, 0}}));
  add("superblock, error -5, and data", superblock_words({{0x20, 0xFFFFFFFB}}),
      flips({data_of(1)}));
  add("superblock, error -108", superblock_words({{0x20, 0xFFFFFF94}}));
  add("empty", superblock_words({{0x1C, 0}}));
  add("needs_recovery clear",
      [](BlockDevice& device, const JournalMap&) { set_needs_recovery(device, false); });
  add(
      "needs_recovery clear, and data",
      [](BlockDevice& device, const JournalMap&) { set_needs_recovery(device, false); },
      flips({data_of(1)}));
  add("log shorter", superblock_words({{0x10, 1000}}), fill_at_front);
  add("log too short", superblock_words({{0x10, 900}}));
  add("log longer", superblock_words({{0x10, 1025}}), fill_at_front);
  add("log much longer", superblock_words({{0x10, 1u << 20}}), fill_at_front);
  add("log of 10 blocks", superblock_words({{0x10, 10}}), fill_at_front);
  add("start past the end", superblock_words({{0x1C, 2000}}));
  add("first is 0", superblock_words({{0x14, 0}}), fill_at_front);
  add("first is 5", superblock_words({{0x14, 5}}));
  add("first past the end", superblock_words({{0x14, 3000}}));
  add("start before first", superblock_words({{0x14, 5}, {0x1C, 2}}), fill_at_front);
  add("block size", superblock_words({{0x0C, 4096}}));
  add("unknown compat", superblock_words({}, false, {{0x24, 0x10}}));
  add("unknown incompat", superblock_words({}, false, {{0x28, 0x100}}));
  add("v2 and v3", superblock_words({}, false, {{0x28, 0x18}}));
  add("v1 and v3", superblock_words({}, false, {{0x28, 0x10}, {0x24, 1}}));
  add("checksum type 3", superblock_words({{0x50, 0x03000000}}));
  add("unknown ro_compat", superblock_words({{0x2C, 0x1}}));
  add("version 1", superblock_words({{0x04, 3}}));
  add("type 9", superblock_words({{0x04, 9}}));
  add("magic", superblock_words({{0x00, 0xC03B3999}}));
}

bool has_file_system(const BlockView& device) {
  std::vector<std::uint8_t> block(kSuperblockBytes);
  CHECK(device.read(kSuperblockOffset, block), "the superblock can be read");
  return Superblock::parse(block, device.size_bytes()).has_value();
}

}  // namespace

std::vector<DamagedLog> damaged_logs() {
  std::vector<DamagedLog> logs;
  logs.push_back({"undamaged", alone(fill), {}});
  add_flips(logs);
  add_commit_flips(logs);
  add_formats(logs);
  add_journal_homes(logs);
  add_superblocks(logs);
  add_bad_revokes(logs);
  for (DamagedLog& each : repeated_tid_logs()) logs.push_back(std::move(each));
  return logs;
}

JournalSpec damaged_log_spec(const JournalMap& map, ChecksumKind kind, bool is_64bit,
                             bool is_async) {
  JournalSpec spec;
  spec.block_bytes = map.block_bytes();
  spec.checksum = kind;
  spec.is_64bit = is_64bit;
  spec.is_async = is_async;
  spec.log_block_count = map.block_count();
  spec.start = LogBlock(map.block_count() - 9);
  spec.sequence = Tid(0xFFFFFFFE);
  return spec;
}

void put_damaged_log(const DamagedLog& log, const JournalSpec& spec, const JournalMap& map,
                     BlockDevice& device) {
  JournalBuilder builder(spec);
  log.build(builder, map);
  CHECK(builder.write_to(device, map), "the log can be written");
  if (has_file_system(device)) set_needs_recovery(device, true);
  if (log.edit) log.edit(device, map);
}

void set_needs_recovery(BlockDevice& device, bool is_set) {
  std::vector<std::uint8_t> block(kSuperblockBytes);
  CHECK(device.read(kSuperblockOffset, block), "the superblock can be read");
  auto superblock = Superblock::parse(block, device.size_bytes());
  CHECK(superblock, "the file system is sound");
  constexpr auto kBit = static_cast<std::uint32_t>(Ext4Incompat::kRecover);
  superblock->incompat = is_set ? superblock->incompat | kBit : superblock->incompat & ~kBit;
  superblock->encode(block);
  CHECK(device.write(kSuperblockOffset, block), "the superblock can be written");
}

}  // namespace powercut::testing
