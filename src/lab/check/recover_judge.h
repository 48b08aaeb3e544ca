// The `recover` judge: the log of every state recovers, and no durable commit is lost.
//
// Rules
//   superblock-unreadable   the file system's superblock, or the journal's, is damaged: no mount
//   recovery-refused        Linux would refuse: what is damaged is in the words
//   commit-lost             the recovery ends before a transaction that was durable: its commit
//   block
//                           was; with async_commit, where the rest may come after that, a block of
//                           the next one
//   log-ignored             the log holds whole transactions, but the superblock does not say so
//   recovery-not-repeatable the recovery overwrites what it needs to be made again after a second
//                           cut
//
// A second power cut, in the middle of the recovery: until the log is emptied, behind a flush, the
// recovery writes only homes that it would write again with the same contents; so it may be cut at
// any write and made again, if it does not overwrite the log (recovery/ never does) nor the mark in
// the superblock that makes it begin.  That is looked at here for every state; second_crash.h does
// it on a sample.
#pragma once

#include "lab/check/check_finding.h"
#include "lab/check/state_recovery.h"

namespace powercut::lab {

class RecoverJudge {
 public:
  // Both must outlive it.
  RecoverJudge(const ContentPool& pool, StateRecovery& recovery)
      : pool_(pool), recovery_(recovery) {}

  // `base`: the disk before the first event.  Errors: as StateRecovery::recover().
  Result<void> begin(StateContents& base);
  // `block` holds `content` for sure from now on.
  void note_durable(BlockNo block, ContentId content);
  // The transaction that every state now must reach: the next after the last durable commit.
  std::optional<Tid> floor() const { return floor_; }
  // What is wrong with a state that recovers like this: at most one finding.
  std::optional<CheckFinding> judge(const LogOutcome& outcome);

 private:
  void take_superblock(ContentId content);

  const ContentPool& pool_;
  StateRecovery& recovery_;
  std::optional<Tid> floor_;
  bool is_async_ = false;  // as the durable superblock of the journal says
};

}  // namespace powercut::lab
