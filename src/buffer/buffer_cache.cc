#include "buffer/buffer_cache.h"

#include <algorithm>

namespace powercut {
namespace {

// One request of get_run() reads at most this much.
constexpr std::uint32_t kReadBytesMax = 1u << 20;

}  // namespace

BufferCache::BufferCache(BlockDevice& device, std::uint32_t block_bytes, std::uint64_t blocks_max)
    : device_(device),
      block_bytes_(block_bytes),
      block_count_(device.size_bytes() / block_bytes),
      per_shard_max_(std::max<std::size_t>(1, blocks_max / kShards)) {}

BufferRef BufferCache::find_or_add(BlockNo block) {
  Shard& shard = shard_of(block);
  Lock lock(shard.mutex);
  const auto found = shard.by_number.find(block.value());
  if (found != shard.by_number.end()) {
    shard.by_use.splice(shard.by_use.begin(), shard.by_use, found->second);
    return *found->second;
  }
  trim(shard);
  shard.by_use.push_front(std::make_shared<Buffer>(block, block_bytes_));
  shard.by_number.emplace(block.value(), shard.by_use.begin());
  return shard.by_use.front();
}

// The journal's lists hold every buffer that is not clean, so one that only the table holds is; and
// nobody gets another reference while the shard is locked.  A bounded look from the old end: what
// is in use there is not old, and moves to the front.
void BufferCache::trim(Shard& shard) {
  for (int look = 0; look < 8 && shard.by_use.size() >= per_shard_max_; ++look) {
    const auto oldest = std::prev(shard.by_use.end());
    if (oldest->use_count() > 1) {
      shard.by_use.splice(shard.by_use.begin(), shard.by_use, oldest);
      continue;
    }
    shard.by_number.erase((*oldest)->number().value());
    shard.by_use.erase(oldest);
  }
}

Result<BufferRef> BufferCache::get_unread(BlockNo block) {
  if (block.value() >= block_count_) {
    return fail(Errc::kCorrupt, "block past the end of the device", block.value());
  }
  return find_or_add(block);
}

Result<BufferRef> BufferCache::get(BlockNo block) {
  BufferRef buffer = TRY(get_unread(block));
  TRY(buffer->load(device_));
  return buffer;
}

Result<std::vector<BufferRef>> BufferCache::get_run(BlockNo first, std::uint32_t count) {
  std::vector<BufferRef> buffers;
  buffers.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) buffers.push_back(TRY(get_unread(first + i)));
  const std::uint32_t piece_max = std::max(1u, kReadBytesMax / block_bytes_);
  for (std::uint32_t i = 0; i < count;) {
    if (buffers[i]->is_loaded()) {
      ++i;
      continue;
    }
    std::uint32_t end = i + 1;
    while (end < count && end - i < piece_max && !buffers[end]->is_loaded()) ++end;
    TRY(load_run({buffers.data() + i, end - i}));
    i = end;
  }
  return buffers;
}

Result<void> BufferCache::load_run(std::span<const BufferRef> buffers) {
  if (buffers.size() == 1) return buffers[0]->load(device_);
  std::vector<std::uint8_t> bytes(buffers.size() * block_bytes_);
  TRY(device_.read(buffers[0]->number().value() * block_bytes_, bytes));
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const Bytes block = Bytes(bytes).subspan(i * block_bytes_, block_bytes_);
    buffers[i]->offer(Content::copy_of(block));
  }
  return {};
}

bool BufferCache::holds(BlockNo block) const {
  const Shard& shard = shard_of(block);
  BufferRef buffer;
  {
    Lock lock(shard.mutex);
    const auto found = shard.by_number.find(block.value());
    if (found == shard.by_number.end()) return false;
    buffer = *found->second;
  }
  return buffer->is_loaded();
}

void BufferCache::drop_clean() {
  for (Shard& shard : shards_) {
    Lock lock(shard.mutex);
    for (auto at = shard.by_use.begin(); at != shard.by_use.end();) {
      const auto here = at++;
      if (here->use_count() > 1) continue;
      shard.by_number.erase((*here)->number().value());
      shard.by_use.erase(here);
    }
  }
}

std::uint64_t BufferCache::size() const {
  std::uint64_t count = 0;
  for (const Shard& shard : shards_) {
    Lock lock(shard.mutex);
    count += shard.by_use.size();
  }
  return count;
}

}  // namespace powercut
