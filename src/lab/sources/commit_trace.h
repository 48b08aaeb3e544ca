// What the running kernel says, beside the disk, of the commits that pass it: who made a page
// dirty, and when a commit entered which phase.
//
// Words
//   touch   the moment a page became dirty, or was written by write(2), and the thread that did it;
//           a store to a page that is dirty and mapped already is seen by nobody
//   phase   of a commit, by jbd2's own events: start, locking (new handles wait), flushing (data of
//           ordered mode), logging (blocks are copied, summed and written), end
//
// Bounds: the last kTouchesMax pages and kCommitsMax commits.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "host/trace_events.h"
#include "lab/verify/finding.h"

namespace powercut::lab {

enum class CommitPhase : std::uint8_t { kStart, kLocking, kFlushing, kLogging, kEnd };
inline constexpr std::size_t kCommitPhases = 5;

struct PageTouch {
  std::uint64_t inode = 0, page = 0;  // the page's index in its file
  Nanoseconds when{0};
  pid_t process = 0, thread = 0;
  std::string name;  // of the thread; empty: it was gone
  const char* how = "dirtied";
};
using PhaseTimes = std::array<std::optional<Nanoseconds>, kCommitPhases>;

// What was seen, bounded.  Pure.
class CommitMemory {
 public:
  static constexpr std::size_t kTouchesMax = std::size_t{1} << 18;
  static constexpr std::size_t kCommitsMax = 4096;

  void note(const PageTouch& touch);
  void note(Tid tid, CommitPhase phase, Nanoseconds when);
  // The last one; null: none is known.
  const PageTouch* touch_of(std::uint64_t inode, std::uint64_t page) const;
  const PhaseTimes* phases_of(Tid tid) const;
  // Lines about a finding: its page, its commit, the times before the commit's logging; empty where
  // nothing is known.
  std::string words_on(const Finding& finding) const;

 private:
  struct Key {
    std::uint64_t inode = 0, page = 0;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return (key.inode * 0x9E3779B97F4A7C15u) ^ (key.page * 0xC2B2AE3D27D4EB4Fu);
    }
  };
  std::unordered_map<Key, PageTouch, KeyHash> touches_;
  std::deque<Key> touch_order_;
  std::unordered_map<std::uint32_t, PhaseTimes> commits_;
  std::deque<std::uint32_t> commit_order_;
};

// Fills the memory from the kernel's events of one block device.
class CommitTrace {
 public:
  // Errors: kUnsupported, kReadOnly, kIo: they are not to be had here.
  static Result<std::unique_ptr<CommitTrace>> open(unsigned major, unsigned minor);
  // Takes in what the kernel has said since; often enough, since its rings are bounded.
  void catch_up();
  const CommitMemory& memory() const { return memory_; }
  std::uint64_t lost_count() const { return events_.lost_count(); }

 private:
  explicit CommitTrace(TraceEvents events) : events_(std::move(events)) {}
  void take(const TraceSample& sample);
  std::string name_of(pid_t process, pid_t thread);

  TraceEvents events_;
  CommitMemory memory_;
  std::unordered_map<pid_t, std::string> names_;
};

}  // namespace powercut::lab
