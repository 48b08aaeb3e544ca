// The process that serves a recorded disk, as the one that started it sees it: its report, its
// words, its end.
//
// Nothing outlives it: the process dies with us (host/process.h).
// Threads: one caller, the thread that lives as long as the server.
#pragma once

#include <functional>
#include <string>

#include "host/file.h"
#include "host/pipe.h"
#include "host/process.h"
#include "lab/sources/disk_report.h"

namespace powercut::lab {

class DiskServer {
 public:
  DiskServer(Process process, LineReader report)
      : process_(std::move(process)), report_(std::move(report)) {}

  // The next line of the report, waiting at most `limit`; nothing if none came.
  // Errors: kAborted: the process ended by itself (its last words in the detail).
  Result<std::optional<DiskReportLine>> next(Nanoseconds limit);
  using Take = std::function<void(const DiskReportLine&)>;
  // The same end as close(), if it comes by itself within `limit`, because nobody is left who is
  // served; what was still to report is given to `take`.
  void await_end(const Take& take, Nanoseconds limit);
  // Ends the serving; what was still to report is given to `take`.  Returns the last status.
  // Errors: kAborted: the process did not say its last word.
  Result<DiskStatus> close(const Take& take);
  // At once: who still waits for an answer gets an error.
  void kill();
  const DiskStatus& status() const { return status_; }
  // What the server had to complain of, the end of it: requests that failed, and why.
  const std::string& words() const { return words_; }

 private:
  Result<std::optional<DiskReportLine>> read_line(Nanoseconds limit);
  Result<void> take_words(Nanoseconds limit);
  void read_report(const Take& take, Nanoseconds limit);

  Process process_;
  LineReader report_;
  DiskStatus status_;
  std::string words_;  // the server's last output
};

}  // namespace powercut::lab
