#include "base/trace.h"

#ifdef POWERCUT_MUTANTS

#include <set>
#include <string_view>

#include "base/check.h"

namespace powercut {
namespace {

// Filled before main() by the lists of the source files, then only read.
std::set<std::string_view>& known_mutants() {
  static std::set<std::string_view> names;
  return names;
}

}  // namespace

void MutantNames::add(const char* name) {
  known_mutants().insert(name);
}

bool mutant(const char* name) {
  CHECK(known_mutants().contains(name), "a mutant's name stands in a MutantNames");
  return false;
}

}  // namespace powercut

#endif
