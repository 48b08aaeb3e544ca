#include "tests/commands/program.h"

#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"

namespace powercut::testing {
nlohmann::json Ended::json() const {
  return nlohmann::json::parse(output, nullptr, /*allow_exceptions=*/false);
}

bool Ended::says(const std::string& words) const {
  return output.find(words) != std::string::npos;
}

bool Ended::warns(const std::string& words) const {
  return errors.find(words) != std::string::npos;
}

Ended powercut(const std::string& words, const std::string& before) {
  const TemporaryFolder folder;
  const auto output = folder.path() / "output", errors = folder.path() / "errors";
  // No parentheses: dash 0.5.12 forgets where the output of a subshell goes that ends a list.
  const ShellOutcome outcome = run_shell("{ " + before + " " POWERCUT_BUILT_PROGRAM " " + words +
                                         "\n} >" + output.string() + " 2>" + errors.string());
  return {outcome.status, read_text(output), read_text(errors)};
}

}  // namespace powercut::testing
