#include "lab/sources/commit_trace.h"

#include <fmt/format.h>

#include <algorithm>

namespace powercut::lab {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::size_t kNamesMax = 65536;
constexpr std::uint64_t kPagesOfOneWriteMax = 4096;

// The events, in the order in which they are wanted.
constexpr std::size_t kFirstDirty = kCommitPhases;
constexpr std::size_t kFirstWrite = kFirstDirty + 2;
constexpr std::array<const char*, kFirstWrite + 3> kEvents = {
    "jbd2/jbd2_start_commit",         "jbd2/jbd2_commit_locking", "jbd2/jbd2_commit_flushing",
    "jbd2/jbd2_commit_logging",       "jbd2/jbd2_end_commit",     "writeback/writeback_dirty_folio",
    "writeback/writeback_dirty_page",  // before Linux 5.18
    "ext4/ext4_journalled_write_end", "ext4/ext4_write_end",      "ext4/ext4_da_write_end",
};

double milliseconds(Nanoseconds time) {
  return 1e3 * seconds_of(time);
}

// Null: it is not known.
const Nanoseconds* time_in(const PhaseTimes& phases, CommitPhase phase) {
  const auto& time = phases[static_cast<std::size_t>(phase)];
  return time ? &*time : nullptr;
}

}  // namespace

void CommitMemory::note(const PageTouch& touch) {
  const Key key{touch.inode, touch.page};
  if (touches_.insert_or_assign(key, touch).second) touch_order_.push_back(key);
  if (touch_order_.size() <= kTouchesMax) return;
  touches_.erase(touch_order_.front());
  touch_order_.pop_front();
}

void CommitMemory::note(Tid tid, CommitPhase phase, Nanoseconds when) {
  const auto [place, is_new] = commits_.try_emplace(tid.value());
  place->second[static_cast<std::size_t>(phase)] = when;
  if (is_new) commit_order_.push_back(tid.value());
  if (commit_order_.size() <= kCommitsMax) return;
  commits_.erase(commit_order_.front());
  commit_order_.pop_front();
}

const PageTouch* CommitMemory::touch_of(std::uint64_t inode, std::uint64_t page) const {
  const auto found = touches_.find({inode, page});
  return found == touches_.end() ? nullptr : &found->second;
}

const PhaseTimes* CommitMemory::phases_of(Tid tid) const {
  const auto found = commits_.find(tid.value());
  return found == commits_.end() ? nullptr : &found->second;
}

std::string CommitMemory::words_on(const Finding& finding) const {
  constexpr std::array<const char*, kCommitPhases> kNames = {"start", "locking", "flushing",
                                                             "logging", "end"};
  std::string words;
  const PhaseTimes* const phases = phases_of(finding.tid);
  const Nanoseconds* const logging = phases ? time_in(*phases, CommitPhase::kLogging) : nullptr;
  const PageTouch* touch = nullptr;
  if (finding.owner && finding.owner->kind == OwnerKind::kFileData) {
    const std::uint64_t offset = finding.owner->file_block.value() * finding.block_bytes;
    touch = touch_of(finding.owner->inode.value(), offset / kPageBytes);
  }
  if (touch != nullptr) {
    words += fmt::format("page {} of inode {} {} by {} (process {}, thread {})", touch->page,
                         touch->inode, touch->how, touch->name.empty() ? "?" : touch->name,
                         touch->process, touch->thread);
    if (logging != nullptr) {
      const double before = milliseconds(*logging - touch->when);
      words += before >= 0 ? fmt::format(", {:.3f} ms before its commit was logged", before)
                           : fmt::format(", {:.3f} ms AFTER its commit was logged", -before);
    }
    words += "\n";
  }
  if (phases == nullptr) return words;
  words += fmt::format("commit of tid {}:", finding.tid.value());
  const Nanoseconds* first = nullptr;
  for (std::size_t i = 0; i < kCommitPhases; ++i) {
    const Nanoseconds* const when = time_in(*phases, static_cast<CommitPhase>(i));
    if (when == nullptr) continue;
    if (first == nullptr) first = when;
    words += fmt::format(" {} +{:.3f} ms", kNames[i], milliseconds(*when - *first));
  }
  return words + "\n";
}

Result<std::unique_ptr<CommitTrace>> CommitTrace::open(unsigned major, unsigned minor) {
  std::vector<TraceWanted> wanted;
  for (std::size_t i = 0; i < kEvents.size(); ++i) {
    const bool is_by_name = i >= kFirstDirty && i < kFirstWrite;
    wanted.push_back({kEvents[i], is_by_name ? fmt::format("name == \"{}:{}\"", major, minor)
                                             : fmt::format("dev == {}", (major << 20) | minor)});
  }
  return std::unique_ptr<CommitTrace>(new CommitTrace(TRY(TraceEvents::open(wanted))));
}

std::string CommitTrace::name_of(pid_t process, pid_t thread) {
  if (names_.size() > kNamesMax) names_.clear();
  const auto [place, is_new] = names_.try_emplace(thread);
  if (!is_new) return place->second;
  const auto text = read_text_file(fmt::format("/proc/{}/task/{}/comm", process, thread), 4096);
  if (text) place->second = text->substr(0, text->find('\n'));
  return place->second;
}

void CommitTrace::take(const TraceSample& sample) {
  const TraceFormat& format = *events_.format(sample.event);
  if (sample.event < kCommitPhases) {
    const auto tid = format.number("transaction", sample.raw);
    if (!tid) return;
    return memory_.note(Tid(static_cast<std::uint32_t>(*tid)),
                        static_cast<CommitPhase>(sample.event), sample.when);
  }
  PageTouch touch;
  touch.inode = format.number("ino", sample.raw).value_or(0);
  touch.when = sample.when;
  touch.process = sample.process;
  touch.thread = sample.thread;
  touch.name = name_of(sample.process, sample.thread);
  if (sample.event < kFirstWrite) {
    touch.page = format.number("index", sample.raw).value_or(0);
    return memory_.note(touch);
  }
  touch.how = "written";
  const std::uint64_t first = format.number("pos", sample.raw).value_or(0);
  const std::uint64_t length = format.number("len", sample.raw).value_or(0);
  if (length == 0) return;
  const std::uint64_t end = (first + length - 1) / kPageBytes + 1;
  for (touch.page = first / kPageBytes;
       touch.page < std::min(end, first / kPageBytes + kPagesOfOneWriteMax); ++touch.page) {
    memory_.note(touch);
  }
}

void CommitTrace::catch_up() {
  events_.drain([this](const TraceSample& sample) { take(sample); });
}

}  // namespace powercut::lab
