// What is where in a lawful stream: its transactions, the writes to the homes of their blocks, the
// moves of the tail.  Faults are planted where this says that they can be.
#pragma once

#include <map>
#include <vector>

#include "lab/check/free_map.h"
#include "lab/check/log_book.h"
#include "lab/check/logged_walk.h"
#include "lab/record/recording_file.h"
#include "lab/verify/journal_place.h"

namespace powercut::planted {

struct SurveyedTransaction {
  Tid tid;
  LogBlock start, commit;
  lab::WalkedTransaction walked;
  std::uint64_t commit_sequence = 0;
  std::uint64_t first_sequence = 0;               // of its blocks
  std::uint64_t flush_before = 0;                 // the last flush before its commit block
  std::uint64_t flush_behind = 0;                 // the first flush behind it; 0: none
  std::map<std::uint32_t, std::uint64_t> writes;  // by log block: the request that brought it
};

struct SurveyedHome {
  std::uint64_t sequence = 0;
  BlockNo block;
  std::optional<Tid> version;  // nothing: a content that is no version of it
  bool is_alone = false;       // the request writes nothing else
  bool is_news = false;        // no other transaction logged that content
};

struct SurveyedTail {
  std::uint64_t sequence = 0;
  lab::LogTail tail;
};

struct Survey {
  std::optional<JournalMap> map;
  JournalFormat format;
  std::vector<SurveyedTransaction> transactions;
  std::vector<SurveyedHome> homes;
  std::vector<SurveyedTail> tails;
  std::vector<std::uint64_t> flushes;               // submissions, of the journal's device
  std::map<std::uint64_t, std::vector<Tid>> freed;  // by block: the transactions that free it
  BlockNo superblock_block;
  std::uint64_t last_sequence = 0;

  // The last transaction before request `sequence` that has a version of the block.
  const SurveyedTransaction* newest_with(BlockNo block, std::uint64_t sequence) const;
  std::uint64_t flush_after(std::uint64_t sequence) const;  // 0: none
};

// Of a recording in which requests do not overlap in ways that matter, and all is lawful.
Survey survey_of(const lab::Recording& recording);

}  // namespace powercut::planted
