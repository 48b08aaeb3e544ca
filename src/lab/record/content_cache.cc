#include "lab/record/content_cache.h"

#include "base/fuzzing.h"

namespace powercut::lab {

Result<void> ContentCache::define(std::size_t frame, std::span<const FrameDefinition> definitions) {
  if (places_.size() + definitions.size() > kContentsMax) {
    return fail(Errc::kLimit, "recording: more contents than may be kept", kContentsMax);
  }
  const auto index = static_cast<std::uint32_t>(frame);
  std::vector<std::uint32_t>& numbers = defined_[index];
  std::uint32_t offset = 0;
  for (const FrameDefinition& definition : definitions) {
    const Place place{index, offset, definition.length, definition.hash};
    if (!places_.emplace(definition.number.value(), place).second) {
      return fail(Errc::kCorrupt, "recording: a content defined twice", definition.number.value());
    }
    numbers.push_back(definition.number.value());
    offset += definition.length;
  }
  return {};
}

const ContentCache::Place& ContentCache::place(ContentNumber number) const {
  const auto found = places_.find(number.value());
  CHECK(found != places_.end(), "a content that is not known");
  return found->second;
}

Result<bool> ContentCache::is_whole(std::size_t frame) {
  const auto kept = keep(static_cast<std::uint32_t>(frame));
  if (!kept && kept.error().code == Errc::kChecksum) return false;
  if (!kept) return Failure{kept.error()};
  return true;
}

Result<Bytes> ContentCache::bytes(ContentNumber number) {
  const Place& wanted = place(number);
  const Kept* const kept = TRY(keep(wanted.frame));
  return Bytes(kept->bytes).subspan(wanted.offset, wanted.length);
}

// The frame's contents, unpacked by now or before; others make room for them.
Result<const ContentCache::Kept*> ContentCache::keep(std::uint32_t frame) {
  if (const auto found = kept_at_.find(frame); found != kept_at_.end()) {
    kept_.splice(kept_.begin(), kept_, found->second);
    return &kept_.front();
  }
  auto loaded = TRY(file_.load_contents(file_.frames()[frame]));
  if (!loaded) return fail(Errc::kChecksum, "recording: contents do not match their checksum");
  Kept fresh{frame, std::move(*loaded)};
  TRY(check_hashes(fresh));
  kept_.push_front(std::move(fresh));
  kept_at_[frame] = kept_.begin();
  kept_bytes_ += kept_.front().bytes.size();
  while (kept_bytes_ > bytes_max_ && kept_.size() > 1) {
    kept_bytes_ -= kept_.back().bytes.size();
    kept_at_.erase(kept_.back().frame);
    kept_.pop_back();
  }
  return &kept_.front();
}

// That each content has the address that it is said to have.
Result<void> ContentCache::check_hashes(const Kept& kept) const {
  const auto found = defined_.find(kept.frame);
  if (is_fuzzing() || found == defined_.end()) return {};
  for (const std::uint32_t number : found->second) {
    const Place& place = places_.at(number);
    if (hash_of(Bytes(kept.bytes).subspan(place.offset, place.length)) != place.hash) {
      return fail(Errc::kCorrupt, "recording: a content has another address", number);
    }
  }
  return {};
}

}  // namespace powercut::lab
