// Named points of the code, for simulations (base/simulation.h).
//
//   trace point   a place where a simulation may let another task run, and which its trace names
//   mutant        a mistake on purpose, off unless a simulation turns it on: what a judge must find
//
// In the running program a trace point is one branch that is never taken.  Without POWERCUT_MUTANTS
// (so in every release) a mutant is `false` when it is compiled.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/scheduled.h"

namespace powercut {

namespace detail {
void simulated_point(const char* name, const std::array<std::uint64_t, 3>& arguments);
}

// `name` (static text) says what is done here, as "layer.thing.moment"; the arguments are numbers
// that are the same in each run of one seed: block numbers, tids, never addresses.
inline void trace_point(const char* name, std::uint64_t a = 0, std::uint64_t b = 0,
                        std::uint64_t c = 0) {
  if (detail::scheduler != nullptr) [[unlikely]]
    detail::simulated_point(name, {a, b, c});
}

// The mutants that a source file has, made known before main(): beside their uses,
//   const MutantNames kMutants{"journal.revoke.skip", "journal.flush.skip"};
// A name that is used or asked for without standing in such a list is a mistake (CHECK).
#ifdef POWERCUT_MUTANTS
class MutantNames {
 public:
  template <class... Names>
  explicit MutantNames(Names... names) {
    (add(names), ...);
  }

 private:
  static void add(const char* name);
};

// Whether the simulation that runs has turned it on.
bool mutant(const char* name);
// Whether a list has that name.
bool is_mutant(std::string_view name);
// All names of the lists in this program, in order: each is to be found by some judge.
std::vector<std::string> mutant_names();
#else
class MutantNames {
 public:
  template <class... Names>
  constexpr explicit MutantNames(Names...) {}
};

constexpr bool mutant(const char* /*name*/) {
  return false;
}
#endif

}  // namespace powercut
