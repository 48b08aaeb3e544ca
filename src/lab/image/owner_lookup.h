// Owners of blocks as of transactions of a log: one view of the file system is kept at a time.
#pragma once

#include <memory>

#include "lab/image/image_file.h"
#include "reader/owner.h"

namespace powercut::lab {

class OwnerLookup {
 public:
  // Both must outlive it.  `journal` is the image's.
  OwnerLookup(const ImageFile& image, const ImageJournal& journal)
      : device_(image.device()), journal_(journal) {}

  // As that live transaction left the file system.
  Owner as_of(Tid tid, BlockNo block);
  // As the recovery leaves it, sound or refused.
  Owner as_recovered(BlockNo block);
  // As it lies.
  Owner as_it_lies(BlockNo block);

 private:
  enum class Kind : std::uint8_t { kNone, kAsOf, kRecovered, kAsItLies };
  struct Look {
    RecoveryPlan plan;
    std::optional<RecoveredView> view;
    Result<Volume> volume = fail(Errc::kNotFound, "not opened");
  };
  Owner find(BlockNo block) const;

  const BlockView& device_;
  const ImageJournal& journal_;
  Kind kind_ = Kind::kNone;
  Tid tid_;
  std::unique_ptr<Look> look_;
};

}  // namespace powercut::lab
