// Streams of requests from short texts, for tests.
//
// A text is words with blanks between them:
//   0a     a write of content a to block 0, completed
//   0a^    the same with FUA
//   0-     a discard
//   F      a flush of all that there is; F1, F2: of one of two devices
//   0a+ 0a^+ F+   submitted only;  0a! 0a^! F!   the completion of the last such one
//   P      the machine that writes was switched off and on
//   =text  a mark
// Of two devices the second begins at block 5.  Blocks are 0 to 9, contents letters; a block of
// content c is filled with c.
#pragma once

#include <map>
#include <sstream>

#include "lab/record/block_stream.h"

namespace powercut::lab::testing {

inline constexpr std::uint32_t kTestBlockBytes = 4096;

class TestStream {
 public:
  explicit TestStream(std::string_view text, std::uint64_t block_count = 10) {
    recording_.disk_bytes = block_count * kTestBlockBytes;
    const bool is_split = text.find("F1") != text.npos || text.find("F2") != text.npos;
    if (is_split) recording_.split.second_at = kSecondAt;
    std::istringstream words{std::string(text)};
    for (std::string word; words >> word;) add(word);
  }
  const Recording& recording() const { return recording_; }
  BlockStream make() const {
    return BlockStream::make(recording_, kTestBlockBytes, std::uint64_t{1} << 30).value();
  }

 private:
  static constexpr std::uint64_t kSecondAt = std::uint64_t{5} * kTestBlockBytes;
  void add(const std::string& word) {
    if (word == "P") return put(event_of(EventKind::kPowerCycle));
    if (word[0] == '=') {
      RecordedEvent mark = event_of(EventKind::kMark);
      mark.data = bytes(std::vector<std::uint8_t>(word.begin() + 1, word.end()));
      return put(mark);
    }
    const std::string request = word.substr(0, word.find_first_of("+!"));
    const bool is_submitted = word.back() != '!';
    const bool is_completed = word.back() != '+';
    if (is_submitted) submit(request);
    if (!is_completed) return;
    RecordedEvent done = event_of(EventKind::kCompleted);
    done.sequence = open_[request];
    put(done);
  }
  void submit(const std::string& request) {
    RecordedEvent event = event_of(EventKind::kSubmitted);
    event.sequence = open_[request] = ++sequence_;
    event.request = RequestKind::kFlush;
    if (request == "F1") event.length = kSecondAt;
    if (request == "F2") {
      event.offset = kSecondAt;
      event.length = recording_.disk_bytes - kSecondAt;
    }
    if (request[0] != 'F') {
      event.request = request[1] == '-' ? RequestKind::kDiscard : RequestKind::kWrite;
      event.offset = static_cast<std::uint64_t>(request[0] - '0') * kTestBlockBytes;
      event.length = kTestBlockBytes;
      if (request.back() == '^') event.durability = Durability::kFua;
      const auto content = static_cast<std::uint8_t>(request[1]);
      if (request[1] != '-')
        event.data = bytes(std::vector<std::uint8_t>(kTestBlockBytes, content));
    }
    put(event);
  }
  static RecordedEvent event_of(EventKind kind) {
    RecordedEvent event;
    event.kind = kind;
    return event;
  }
  void put(const RecordedEvent& event) { recording_.events.push_back(event); }
  Bytes bytes(std::vector<std::uint8_t> content) {
    recording_.frames.push_back(std::move(content));
    return recording_.frames.back();
  }

  Recording recording_;
  std::map<std::string, std::uint64_t> open_;
  std::uint64_t sequence_ = 0;
};

}  // namespace powercut::lab::testing
