// The load's side of marks: says a line and waits until it stands in the stream.
//
// Where: the value of POWERCUT_MARKS (kMarksVariable): a Unix socket, or in a guest the character
// device that leads to one.  The device is opened for each mark, since one process at a time may
// have it open.
// Every wait is bounded (kMarkLimit).  Threads: any number of callers; one mark at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/sync.h"

namespace powercut::lab {

inline constexpr const char* kMarksVariable = "POWERCUT_MARKS";
inline constexpr const char* kGuestMarks = "/dev/virtio-ports/powercut.marks";
inline constexpr const char* kMarksPort = "powercut.marks";
inline constexpr auto kMarkLimit = std::chrono::seconds(20);

class MarkClient {
 public:
  // Errors: kNotFound: nothing there; kInvalid: neither a socket nor a device; kIo.
  static Result<MarkClient> open(const std::string& path, const Clock& clock);
  MarkClient(MarkClient&& other) noexcept;
  MarkClient& operator=(MarkClient&&) = delete;
  ~MarkClient();

  // All that the caller has completed lies before the mark when this returns.
  // Errors: kInvalid: empty, longer than 4096 bytes, or with a newline; kTimeout; kAborted: the
  // disk said no (its words in the detail); kIo.
  Result<void> say(std::string_view text) EXCLUDES(mutex_);

 private:
  MarkClient(std::string path, bool is_device, const Clock& clock)
      : path_(std::move(path)), is_device_(is_device), clock_(&clock) {}
  Result<void> connect_socket();
  Result<void> open_device(Nanoseconds deadline);
  Result<void> exchange(std::string_view line, Nanoseconds deadline) const;
  Result<std::string> read_line(Nanoseconds deadline) const;
  void close_device();

  Mutex mutex_{LockRank::kReport};
  const std::string path_;
  const bool is_device_;
  const Clock* const clock_;
  int fd_ = -1;
};

// What `mark` does: joins the words by blanks and says them.  `marks` is the value of
// POWERCUT_MARKS, empty if it has none.  Writes to standard error; the exit status.
int mark_main(const std::string& marks, const std::vector<std::string>& words);

}  // namespace powercut::lab
