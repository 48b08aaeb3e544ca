// What is known of the contents of log blocks: each parsed and summed once, however many states
// hold it.
//
// A data block's checksum is kept as crc32c(0, content); what a tid adds to it does not depend on
// the content (base/crc32c.h), so the same content under another tid costs one exclusive-or.
// Threads: one caller at a time.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "base/crc32c.h"
#include "lab/record/content_pool.h"
#include "recovery/log_source.h"

namespace powercut::lab {

class LogFacts {
 public:
  // `pool` must outlive it; unescaped contents are added to it.
  explicit LogFacts(ContentPool& pool) : pool_(pool), over_block_(pool.block_bytes()) {}

  const ContentPool& pool() const { return pool_; }
  // What follows is under this format; facts under another one are forgotten.
  void set_format(const JournalFormat& format);
  // Valid until the next set_format().
  const LogBlockFacts& of(ContentId content);
  // As tag_checksum().
  std::uint32_t data_checksum(ContentId content, Tid tid);
  // As it is at home: it begins with the journal's magic.  Errors: kLimit.
  Result<ContentId> unescaped(ContentId content);

 private:
  static constexpr std::uint32_t kUnknown = 0, kNoHeader = 1;  // else 2 + index in facts_

  ContentPool& pool_;
  const ZeroStep over_block_;
  bool has_format_ = false;
  JournalFormat format_;
  std::vector<std::uint32_t> places_;  // by content
  std::deque<LogBlockFacts> facts_;
  const LogBlockFacts no_header_;
  struct Sum {
    std::uint32_t sum = 0;
    bool is_known = false;
  };
  std::vector<Sum> sums_;  // by content
  Tid tid_;                // that tid_part_ is of
  std::uint32_t tid_part_ = 0;
  std::unordered_map<std::uint32_t, ContentId> unescaped_;
};

}  // namespace powercut::lab
