#include "lab/image/owner_lookup.h"

namespace powercut::lab {

Owner OwnerLookup::as_of(Tid tid, BlockNo block) {
  if (kind_ != Kind::kAsOf || tid_ != tid) {
    kind_ = Kind::kAsOf;
    tid_ = tid;
    look_ = std::make_unique<Look>();
    RecoveryOptions options;
    options.up_to = tid;
    options.verify_data = false;
    auto plan = plan_recovery(device_, journal_.map, options);
    if (plan) {
      look_->plan = *std::move(plan);
      look_->view.emplace(device_, journal_.map, look_->plan);
      look_->volume = Volume::open(*look_->view);
    } else {
      look_->volume = Failure{plan.error()};
    }
  }
  return find(block);
}

Owner OwnerLookup::as_recovered(BlockNo block) {
  if (kind_ != Kind::kRecovered) {
    kind_ = Kind::kRecovered;
    look_ = std::make_unique<Look>();
    look_->view.emplace(device_, journal_.map, journal_.plan);
    look_->volume = Volume::open(*look_->view);
  }
  return find(block);
}

Owner OwnerLookup::as_it_lies(BlockNo block) {
  if (kind_ != Kind::kAsItLies) {
    kind_ = Kind::kAsItLies;
    look_ = std::make_unique<Look>();
    look_->volume = Volume::open(device_);
  }
  return find(block);
}

Owner OwnerLookup::find(BlockNo block) const {
  if (look_->volume) return find_owner(*look_->volume, block);
  Owner unknown;
  unknown.note = error_words(look_->volume.error());
  return unknown;
}

}  // namespace powercut::lab
