// The slow way, that the fast one is held against: a state as bytes on a disk, recovered as any
// image is.
//
// Both ways share the rules of recovery/; what is compared is everything else: which content is
// where, what is looked up, what is moved by differences.
#pragma once

#include <string>
#include <vector>

#include "base/prng.h"
#include "lab/check/recovered_image.h"

namespace powercut::lab {

// A disk whose blocks are known by content.  The pool must outlive it.
class ContentView final : public BlockView {
 public:
  ContentView(const ContentPool& pool, std::vector<ContentId> contents)
      : pool_(pool), contents_(std::move(contents)) {}
  std::uint64_t size_bytes() const override {
    return std::uint64_t{pool_.block_bytes()} * contents_.size();
  }

 private:
  Result<void> do_read(std::uint64_t offset, MutableBytes into) const override;

  const ContentPool& pool_;
  const std::vector<ContentId> contents_;
};

// What the slow way makes of `state` that `outcome` does not say, or `image`, which was settled for
// that outcome (not looked at where it does not mount).  Empty: nothing differs.
std::string difference(const BlockView& state, const JournalMap& map, RecoverAs rules,
                       const LogOutcome& outcome, const RecoveredImage& image);

// Recovers `state` by writing, cuts the power again at `cut_count` moments of it with a random part
// of what was not flushed, recovers what is left, and compares the homes that the log holds. Empty:
// each second recovery gave what the first would have.  Errors: of the disk in memory.
Result<std::string> second_crashes(const BlockView& state, const JournalMap& map, RecoverAs rules,
                                   std::size_t cut_count, Prng& prng);

}  // namespace powercut::lab
