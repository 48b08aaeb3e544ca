// Logs brought before all witnesses that this machine has, with figures of what was heard.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "tests/logs/compare.h"

namespace powercut::testing {

class Hearing {
 public:
  Hearing();
  // Prints the figures.
  ~Hearing();
  Hearing(const Hearing&) = delete;
  Hearing& operator=(const Hearing&) = delete;

  bool has_witnesses() const { return !witnesses_.empty(); }
  // Recovers the log by us and by every witness; each difference is a failure of the test, with the
  // command that makes this log again.  The mount for writing hears every fourth log.
  void hear(const LogImage& log);

  // What the logs were, by our plan with Linux's rules.
  struct Figures {
    std::uint64_t logs = 0, refused = 0, unreadable = 0, wrapped = 0;
    std::uint64_t transactions = 0, replayed = 0, revoked = 0, skipped = 0, escaped = 0;
  };
  const Figures& figures() const { return figures_; }

 private:
  void count(const LogImage& log, const OurRecovery& ours);
  void report(const LogImage& log, Witness& witness, const OurRecovery& ours,
              const Comparison& comparison);

  std::vector<std::unique_ptr<Witness>> witnesses_;
  std::map<std::string, std::uint64_t> heard_, known_;
  Figures figures_;
};

}  // namespace powercut::testing
