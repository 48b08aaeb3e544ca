#include "base/trace.h"

#include "base/scheduler.h"

namespace powercut::detail {

void simulated_point(const char* name, const std::array<std::uint64_t, 3>& arguments) {
  scheduler->point(name, arguments[0], arguments[1], arguments[2]);
}

}  // namespace powercut::detail

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
  CHECK(is_mutant(name), "a mutant's name stands in a MutantNames");
  return detail::scheduler != nullptr && detail::scheduler->has_mutant(name);
}

std::vector<std::string> mutant_names() {
  return {known_mutants().begin(), known_mutants().end()};
}

bool is_mutant(std::string_view name) {
  return known_mutants().contains(name);
}

}  // namespace powercut

#endif
