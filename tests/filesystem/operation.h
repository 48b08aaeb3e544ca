// What is done to a file system in random runs: verbs with numbers.  The numbers are read modulo
// what there is when their turn comes, so that a sequence stays a sequence when a part of it is
// taken away, as shrinking does.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/prng.h"

namespace powercut::fs {

enum class Verb : std::uint8_t {
  kMakeFile,
  kMakeDirectory,
  kMakeSymlink,
  kMakeSpecial,
  kLink,
  kRemove,
  kRemoveDirectory,
  kRename,
  kRenameNoReplace,
  kExchange,
  kWrite,
  kAppend,
  kTruncate,
  kAllocate,
  kPunch,
  kZero,
  kSeek,
  kRead,
  kList,
  kSetMode,
  kSetOwner,
  kSetTimes,
  kSetAttribute,
  kRemoveAttribute,
  kSetAcl,
  kSetFlags,
  kOpen,
  kClose,
  kBeginSection,  // of the next few operations
  kSync,
  kSyncFile,  // fsync, fdatasync
  kRemount,
  kPeek,  // what a cut now would leave is looked at, and the run goes on as if nothing was
  kCut,   // the power goes, now or at one of the next requests; the run goes on with what is left
};
inline constexpr std::size_t kVerbCount = static_cast<std::size_t>(Verb::kCut) + 1;

struct Operation {
  Verb verb = Verb::kSync;
  std::array<std::uint32_t, 4> numbers{};
  friend bool operator==(const Operation&, const Operation&) = default;
};

std::string words_of(const Operation& operation);

// How often each verb comes, relative to the others.
using Mix = std::array<std::uint16_t, kVerbCount>;
// All of them.
Mix whole_mix();
// Without remounts, peeks and cuts: for those who cut by themselves.
Mix plain_mix();

std::vector<Operation> draw_operations(Prng& random, std::size_t count, const Mix& mix);

}  // namespace powercut::fs
