// Atomic sections: what one task changes between begin and end, in any number of operations on any
// files, reaches the disk together or not at all.
//
// Words
//   reserve   the credits that the section took at its begin; its operations live on them and wait
//             for nothing
//   split     a section that lasted longer than it may and in whose way a commit was: what it had
//             done is committed, the rest of it is refused, and end() says so.  Without that, a
//             section that waits for somebody who waits for the commit would never end
//
// Threads: a section belongs to the task that began it; other tasks' operations join the same
// transaction as ever.
#pragma once

#include <memory>

#include "base/clock.h"
#include "journal/participant.h"

namespace powercut {

class Journal;

// What a journal keeps of a section; guarded by its mutex, but for the first two.
struct SectionState {
  Journal* journal = nullptr;
  Tid tid;
  std::uint32_t left = 0;  // of the reserve
  Nanoseconds began{0};
  bool is_split = false;
};

class [[nodiscard]] Section {
 public:
  Section(Section&&) noexcept = default;
  Section& operator=(Section&&) = delete;
  // Ends it; whether it was split is not said then.
  ~Section();

  // For Journal::wait_durable(), after end().
  Tid tid() const { return tid_; }
  // Errors: kTimeout: it was split; kAborted: the journal stopped.
  Result<void> end();

 private:
  friend class Journal;
  explicit Section(std::unique_ptr<SectionState> state)
      : state_(std::move(state)), tid_(state_->tid) {}
  std::unique_ptr<SectionState> state_;
  Tid tid_;
};

}  // namespace powercut
