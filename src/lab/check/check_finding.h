// What a judge of crash states or of the stream says is wrong.
//
// Words
//   judge     one of the ways to look at a stream or a state; each can be switched off
//   rule      what was broken, as a short name that stays the same: "block-claimed-twice"
//   finding   one rule broken in one place
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/units.h"

namespace powercut::lab {

enum class JudgeName : std::uint8_t {
  kTag,           // each journal block against its checksum, as it is written
  kOrder,         // what must be durable before what
  kRecover,       // the log of every state recovers, and no durable commit is lost
  kStructure,     // the recovered file system agrees with itself
  kContent,       // files hold what was promised
  kDifferential,  // the kernel's or e2fsck's recovery gives the same
  kCommand,       // a program of the user's accepts the recovered tree
};
std::string_view judge_name(JudgeName judge);
std::optional<JudgeName> judge_of(std::string_view name);

struct CheckFinding {
  JudgeName judge = JudgeName::kStructure;
  std::string rule;   // as docs/judges.md lists them
  std::string words;  // one line for a person: the thing, what it is, what it should be
  std::optional<BlockNo> block;
  std::optional<InodeNo> inode;
  std::optional<Tid> tid;
  // kOrder, kTag: the request that broke the rule.  For states: absent.
  std::optional<std::uint64_t> sequence;
};
CheckFinding finding_of(JudgeName judge, std::string rule, std::string words);

}  // namespace powercut::lab
