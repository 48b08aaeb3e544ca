// A judge of recovered states that follows changes instead of looking at each state anew.
//
// Words
//   image    the content of every block of the file system in one recovered state
//   settle   to bring what is known up to date with the image, after any number of changes
//
// Neighbouring states differ in few blocks, so a judge remembers facts by ContentId (and by the
// role in which a block is read) and keeps sums that a change adds to and takes from.  The sums do
// not depend on the order of the changes, and going back is a change like any other.
//
// Invariant: after settle() a judge knows of the image exactly what it would know had it begun with
// it.  Each judge's test holds this on random good and damaged states.
// Threads: one caller at a time.
#pragma once

#include <string_view>
#include <vector>

#include "lab/check/check_finding.h"
#include "lab/record/content_pool.h"

namespace powercut::lab {

// What each block of a recovered state holds.  The pool must outlive it.
class StateImage {
 public:
  StateImage(const ContentPool& pool, std::vector<ContentId> contents)
      : pool_(&pool), contents_(std::move(contents)) {}

  const ContentPool& pool() const { return *pool_; }
  std::uint32_t block_bytes() const { return pool_->block_bytes(); }
  std::uint64_t block_count() const { return contents_.size(); }
  // `block` < block_count().
  ContentId at(BlockNo block) const { return contents_[block.value()]; }
  Bytes bytes(BlockNo block) const { return pool_->bytes(at(block)); }
  // For whoever drives the judges: each of them is to be told (StateJudge::change).
  void set(BlockNo block, ContentId content) { contents_[block.value()] = content; }

 private:
  const ContentPool* pool_;
  std::vector<ContentId> contents_;
};

class StateJudge {
 public:
  virtual ~StateJudge() = default;
  virtual JudgeName name() const = 0;
  // Looks at all of `image`, which must outlive the judge's use of it.  Damage is no error: it is
  // what settle() and findings() are for.
  virtual void begin(const StateImage& image) = 0;
  // `block` of that image held `from` and holds `to` now.
  virtual void change(BlockNo block, ContentId from, ContentId to) = 0;
  // Text that the load put into the stream; holds for every state of a later moment.  Marks cannot
  // be taken back.
  virtual void learn(std::string_view /*mark*/) {}
  // True if nothing is wrong with the image as it is now.
  virtual bool settle() = 0;
  // What is wrong, at most `max`, in an order that depends on the image alone.  Call after
  // settle(); may take as long as a look at everything.
  virtual std::vector<CheckFinding> findings(std::size_t max) const = 0;
};

}  // namespace powercut::lab
