#include "block/fault_plan.h"

namespace powercut {
namespace {

std::uint32_t chance_of(const FaultPlan& plan, DiskOperation operation) {
  switch (operation) {
    case DiskOperation::kRead: return plan.reads_per_million;
    case DiskOperation::kWrite: return plan.writes_per_million;
    case DiskOperation::kFlush: return plan.flushes_per_million;
  }
  return 0;
}

}  // namespace

bool FaultCounter::strikes(DiskOperation operation, Prng& prng) {
  const std::uint64_t number = ++counts_[static_cast<std::size_t>(operation)];
  const std::uint32_t chance = chance_of(plan_, operation);
  bool does = chance > 0 && prng.chance(chance, 1'000'000);
  for (const Fault& fault : plan_.faults) {
    if (fault.on != operation) continue;
    does = does || number == fault.at || (fault.is_sticky && number > fault.at);
  }
  struck_count_ += does ? 1 : 0;
  return does;
}

}  // namespace powercut
