#include "cli/suite_words.h"

#include "cli/command.h"
#include "host/file.h"

namespace powercut::cli {

void SuiteWords::add_to(CLI::App& command) {
  command.add_option("--junit", junit, "the results also to this file, as JUnit's XML");
  command.add_option("--tap", tap, "the results also to this file, as TAP");
}

int SuiteWords::write(const lab::TestSuite& suite, int exit_code) const {
  if (!junit.empty()) {
    const auto written = write_file_atomically(junit, lab::junit_xml(suite));
    if (!written) return print_error(written.error());
  }
  if (!tap.empty()) {
    const auto written = write_file_atomically(tap, lab::tap_text(suite));
    if (!written) return print_error(written.error());
  }
  return exit_code;
}

}  // namespace powercut::cli
