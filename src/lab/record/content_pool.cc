#include "lab/record/content_pool.h"

#include <xxhash.h>

#include <cstring>

#include "base/check.h"

namespace powercut::lab {

ContentHash hash_of(Bytes bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}

ContentPool::ContentPool(std::uint32_t block_bytes, std::uint64_t bytes_max)
    : block_bytes_(block_bytes), bytes_max_(bytes_max) {
  CHECK(block_bytes >= 512 && block_bytes <= 65536, "the size of a block");
  const std::vector<std::uint8_t> zero(block_bytes);
  std::uint8_t* const place = room_for_one();
  std::memset(place, 0, block_bytes);
  places_.push_back(place);
  hashes_.push_back(hash_of(zero));
  ids_.emplace(hashes_.front(), kZeroContent);
}

std::uint8_t* ContentPool::room_for_one() {
  if (last_slab_used_ + block_bytes_ > kSlabBytes) {
    slabs_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(kSlabBytes));
    last_slab_used_ = 0;
  }
  std::uint8_t* const place = slabs_.back().get() + last_slab_used_;
  last_slab_used_ += block_bytes_;
  return place;
}

Result<ContentId> ContentPool::add(Bytes block) {
  CHECK(block.size() == block_bytes_, "a content is one whole block");
  const ContentHash hash = hash_of(block);
  if (const auto found = ids_.find(hash); found != ids_.end()) return found->second;
  if ((std::uint64_t{size()} + 1) * block_bytes_ > bytes_max_) {
    return fail(Errc::kLimit, "contents of blocks: more bytes than may be kept", bytes_max_);
  }
  std::uint8_t* const place = room_for_one();
  std::memcpy(place, block.data(), block.size());
  const ContentId id(size());
  places_.push_back(place);
  hashes_.push_back(hash);
  ids_.emplace(hash, id);
  return id;
}

Bytes ContentPool::bytes(ContentId id) const {
  CHECK(id.value() < places_.size(), "a content that is not in the pool");
  return Bytes(places_[id.value()], block_bytes_);
}

}  // namespace powercut::lab
