// Where results go in the forms that test systems read.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "lab/report/test_report.h"

namespace powercut::cli {

struct SuiteWords {
  std::string junit, tap;
  void add_to(CLI::App& command);
  // Writes what was asked for.  Returns `exit_code`, or that of the error where it cannot be
  // written.
  int write(const lab::TestSuite& suite, int exit_code) const;
};

}  // namespace powercut::cli
