// Every witness can fail us: recoveries with a mistake in them, each on a log where it matters,
// must be told from the right one by all witnesses.
#include <gtest/gtest.h>

#include <algorithm>

#include "format/ext4.h"
#include "tests/logs/built_log.h"
#include "tests/logs/compare.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::testing {
namespace {

using Plan = RecoveryPlan;

template <class Visit>
void for_each_block(Plan& plan, Visit visit) {
  for (LoggedTransaction& transaction : plan.transactions) {
    for (LoggedBlock& block : transaction.blocks) visit(transaction, block);
  }
}

void ignore_revokes(Plan& plan) {
  for_each_block(plan, [](LoggedTransaction&, LoggedBlock& block) {
    if (block.verdict == BlockVerdict::kRevoked) block.verdict = BlockVerdict::kReplay;
  });
}

// As if a record suppressed its block in later transactions too.
void revoke_for_ever(Plan& plan) {
  for_each_block(plan, [&](LoggedTransaction& transaction, LoggedBlock& block) {
    for (const LoggedTransaction& earlier : plan.transactions) {
      if (!earlier.tid.comes_before(transaction.tid)) break;
      const bool is_revoked = std::ranges::count(earlier.revokes, block.home) != 0;
      if (is_revoked) block.verdict = BlockVerdict::kRevoked;
    }
  });
}

void leave_escaped(Plan& plan) {
  for_each_block(plan, [](LoggedTransaction&, LoggedBlock& block) { block.is_escaped = false; });
}

// As if the ring began again at block 2, or ended one block early.
void wrap_wrongly(Plan& plan) {
  for_each_block(plan, [&](LoggedTransaction&, LoggedBlock& block) {
    if (block.log < plan.superblock.start) ++block.log;
  });
}

void keep_first_copy(Plan& plan) {
  std::ranges::reverse(plan.transactions);
}
void forget_last(Plan& plan) {
  plan.transactions.pop_back();
}
void leave_log(Plan& plan) {
  plan.empties_log = false;
}
void count_on(Plan& plan) {
  plan.next_tid = plan.next_tid.next();
}

void replay_damaged(Plan& plan) {
  for_each_block(plan, [](LoggedTransaction&, LoggedBlock& block) {
    if (block.verdict == BlockVerdict::kSkippedDamaged) block.verdict = BlockVerdict::kReplay;
  });
}

// The plan of the same log, had the last transaction been committed.
Plan plan_with_commit(const Plan& plan, const LogImage& log) {
  const JournalFormat format = plan.superblock.format();
  Contents bytes = log.bytes;
  BytesDevice device(bytes);
  CommitBlock commit;
  commit.tid = plan.next_tid;
  commit.seconds = plan.transactions.back().commit_seconds + 1;
  Contents block(format.block_bytes);
  encode_commit(block, format, commit);
  CHECK(device.write(log.map.device_block(plan.end_block).value() * block.size(), block),
        "memory can be written");
  const auto committed = plan_recovery(device, log.map, {.recover_as = plan.recover_as});
  CHECK(committed && committed->transactions.size() == plan.transactions.size() + 1,
        "the transaction is whole now");
  return *committed;
}

struct Mistake {
  const char* name;
  // Where it shows.
  Aspect aspect;
  // The log: of these the first seed in which the mistake matters.
  Harm harm;
  Tail tail;
  void (*in_plan)(Plan& plan);
  // Instead: in what came out.
  void (*in_result)(OurRecovery& ours, const LogImage& log) = nullptr;
};

constexpr Mistake kMistakes[] = {
    {"revokes are ignored", Aspect::kHome, Harm::kNone, Tail::kNothing, ignore_revokes},
    {"a revoke counts for ever", Aspect::kHome, Harm::kNone, Tail::kNothing, revoke_for_ever},
    {"escaped blocks stay so", Aspect::kHome, Harm::kNone, Tail::kNothing, leave_escaped},
    {"the wrap is off by one", Aspect::kHome, Harm::kNone, Tail::kNothing, wrap_wrongly},
    {"the first copy wins", Aspect::kHome, Harm::kNone, Tail::kNothing, keep_first_copy},
    {"the last transaction is left out", Aspect::kHome, Harm::kNone, Tail::kFullRing, forget_last},
    {"a damaged block is replayed", Aspect::kHome, Harm::kDataFlip, Tail::kNothing, replay_damaged},
    {"an uncommitted transaction is replayed", Aspect::kHome, Harm::kNone, Tail::kUncommitted,
     nullptr,
     [](OurRecovery& ours, const LogImage& log) {
       ours.bytes = apply_to_copy(plan_with_commit(*ours.plan, log), log);
     }},
    {"a bit of the block bitmap is another", Aspect::kHome, Harm::kNone, Tail::kNothing, nullptr,
     [](OurRecovery& ours, const LogImage& log) { ours.bytes[3 * log.map.block_bytes()] ^= 1; }},
    {"the log is left", Aspect::kJournal, Harm::kNone, Tail::kNothing, leave_log},
    {"the next tid is another", Aspect::kJournal, Harm::kNone, Tail::kNothing, count_on},
    {"needs_recovery stays", Aspect::kSuperblock, Harm::kNone, Tail::kNothing, nullptr,
     [](OurRecovery& ours, const LogImage&) { ours.bytes[kSuperblockOffset + 0x60] ^= 4; }},
    {"the log is written to", Aspect::kLog, Harm::kNone, Tail::kNothing, nullptr,
     [](OurRecovery& ours, const LogImage& log) {
       ours.bytes[log.map.device_block(LogBlock(9)).value() * log.map.block_bytes()] ^= 1;
     }},
    {"a sound log is refused", Aspect::kRefusal, Harm::kNone, Tail::kNothing, nullptr,
     [](OurRecovery& ours, const LogImage&) { ours.is_refused = true; }},
    {"a damaged block is not told", Aspect::kRefusal, Harm::kDataFlip, Tail::kNothing, nullptr,
     [](OurRecovery& ours, const LogImage&) { ours.is_refused = false; }},
    {"a damaged revoke block is not told", Aspect::kRefusal, Harm::kRevokeTail, Tail::kNothing,
     nullptr, [](OurRecovery& ours, const LogImage&) { ours.is_refused = false; }},
    {"another block is named", Aspect::kNames, Harm::kDataFlip, Tail::kNothing, nullptr,
     [](OurRecovery& ours, const LogImage&) { ++ours.plan->damages[0].home; }},
};

OurRecovery recover_with(const Mistake& mistake, const LogImage& log, RecoverAs rules) {
  OurRecovery ours = recover_ours(log, rules);
  CHECK(ours.plan, "the journal can be read");
  if (mistake.in_plan != nullptr) {
    mistake.in_plan(*ours.plan);
    ours.bytes = apply_to_copy(*ours.plan, log);
  }
  if (mistake.in_result != nullptr) mistake.in_result(ours, log);
  return ours;
}

bool matters(const Mistake& mistake, const LogImage& log) {
  if (mistake.aspect == Aspect::kRefusal || mistake.aspect == Aspect::kNames) {
    return recover_ours(log, RecoverAs::kLinux).is_refused == (mistake.harm != Harm::kNone);
  }
  return recover_with(mistake, log, RecoverAs::kLinux).bytes !=
         recover_ours(log, RecoverAs::kLinux).bytes;
}

LogImage log_for(const Mistake& mistake) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    LogImage log = build_log(
        {.checksum = ChecksumKind::kV3, .tail = mistake.tail, .harm = mistake.harm, .seed = seed});
    if (matters(mistake, log)) return log;
  }
  CHECK(false, "in one of a hundred logs the mistake matters");
}

void expect_all_told(Witness& witness) {
  for (const Mistake& mistake : kMistakes) {
    SCOPED_TRACE(mistake.name + (", " + witness.name()));
    const LogImage log = log_for(mistake);
    const auto right = compare(log, witness, recover_ours(log, witness.rules()));
    for (const Difference& difference : right.differences) {
      ADD_FAILURE() << "the right recovery differs: " << difference.text;
    }
    const auto wrong = compare(log, witness, recover_with(mistake, log, witness.rules()));
    EXPECT_NE(std::ranges::count(wrong.differences, mistake.aspect, &Difference::aspect), 0);
  }
}

TEST(Judges, DebugfsTellsMistakes) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  expect_all_told(*make_debugfs_witness());
}

TEST(Judges, E2fsckTellsMistakes) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_TOOL("e2fsck");
  expect_all_told(*make_e2fsck_witness());
}

TEST(Judges, MountsTellMistakes) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  SKIP_WITHOUT_LOOP_MOUNTS();
  expect_all_told(*make_kernel_witness(MountKind::kReadOnly));
  expect_all_told(*make_kernel_witness(MountKind::kReadWrite));
}

}  // namespace
}  // namespace powercut::testing
