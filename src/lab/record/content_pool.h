// Block contents, each kept once.
//
// Words
//   content   what one block holds; blocks with the same bytes hold the same content, and have the
//             same ContentId
//
// Two contents are held to be the same if their XXH3-128 is.  Ids are given out in ascending order
// without a gap, so that facts about contents can be kept in a vector by id.
// Threads: one caller at a time; bytes() of what is there may be read from any thread meanwhile.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/units.h"

namespace powercut::lab {

using ContentId = Unit<struct ContentIdTag, std::uint32_t>;
inline constexpr ContentId kZeroContent{0};  // all bytes zero; in every pool

struct ContentHash {
  std::uint64_t low = 0, high = 0;
  friend bool operator==(const ContentHash&, const ContentHash&) = default;
};
ContentHash hash_of(Bytes bytes);

class ContentPool {
 public:
  // `block_bytes`: what every content is long, 512 to 65536.  `bytes_max`: of contents kept.
  ContentPool(std::uint32_t block_bytes, std::uint64_t bytes_max);

  std::uint32_t block_bytes() const { return block_bytes_; }
  // The id of a whole block (CHECK), which is copied if it is new.  Errors: kLimit: `bytes_max`.
  Result<ContentId> add(Bytes block);
  // `id` is one that was given out (CHECK).  Valid and unchanged as long as the pool.
  Bytes bytes(ContentId id) const;
  const ContentHash& hash(ContentId id) const { return hashes_[id.value()]; }
  // Ids given out: 0 to size() - 1.
  std::uint32_t size() const { return static_cast<std::uint32_t>(hashes_.size()); }

 private:
  struct Hasher {
    std::size_t operator()(const ContentHash& hash) const { return hash.low; }
  };
  std::uint8_t* room_for_one();

  static constexpr std::uint32_t kSlabBytes = 1u << 20;
  const std::uint32_t block_bytes_;
  const std::uint64_t bytes_max_;
  std::vector<std::unique_ptr<std::uint8_t[]>> slabs_;
  std::uint32_t last_slab_used_ = kSlabBytes;  // bytes
  std::vector<const std::uint8_t*> places_;    // by id
  std::vector<ContentHash> hashes_;            // by id
  std::unordered_map<ContentHash, ContentId, Hasher> ids_;
};

}  // namespace powercut::lab
