// The program as a user has it: words in, exit code and texts out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace powercut::testing {

struct Ended {
  int code = 0;
  std::string output;  // standard output
  std::string errors;  // standard error
  // Of the output; discarded (is_discarded()) if that is none.
  nlohmann::json json() const;
  bool says(const std::string& words) const;   // on standard output
  bool warns(const std::string& words) const;  // on standard error
};

// Runs `powercut WORDS`, which a shell reads; `before` is put in front ("ulimit -f 1;").
Ended powercut(const std::string& words, const std::string& before = "");

}  // namespace powercut::testing
