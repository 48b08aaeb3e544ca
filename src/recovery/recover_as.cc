// The names of the rules of recovery.
#include "recovery/recovery.h"

namespace powercut {

std::string_view recover_as_name(RecoverAs rules) {
  switch (rules) {
    case RecoverAs::kLinux: return "linux";
    case RecoverAs::kLinux61: return "linux-6.1";
    case RecoverAs::kE2fsck: return "e2fsck";
  }
  return "?";
}

std::optional<RecoverAs> recover_as_of(std::string_view name) {
  for (const RecoverAs rules : {RecoverAs::kLinux, RecoverAs::kLinux61, RecoverAs::kE2fsck}) {
    if (name == recover_as_name(rules)) return rules;
  }
  return std::nullopt;
}

}  // namespace powercut
