#include "block/overlay_device.h"

namespace powercut {

Result<void> OverlayDevice::do_read(std::uint64_t offset, MutableBytes into) const {
  if (pages_.empty()) return base_.read(offset, into);
  std::size_t done = 0;
  while (done < into.size()) {
    const std::uint64_t at = offset + done;
    const std::size_t inside = static_cast<std::size_t>(at % kPageBytes);
    const std::size_t count = std::min(kPageBytes - inside, into.size() - done);
    const MutableBytes piece = into.subspan(done, count);
    const auto kept = pages_.find(at / kPageBytes);
    if (kept != pages_.end()) {
      std::memcpy(piece.data(), kept->second->data() + inside, count);
    } else {
      TRY(base_.read(at, piece));
    }
    done += count;
  }
  return {};
}

Result<OverlayDevice::Page*> OverlayDevice::page_to_change(std::uint64_t page) {
  const auto kept = pages_.find(page);
  if (kept != pages_.end()) return kept->second.get();
  if (pages_.size() >= pages_max_) return fail(Errc::kNoSpace, "overlay: its memory bound", page);
  auto fresh = std::make_unique<Page>();
  const std::uint64_t offset = page * kPageBytes;
  const std::uint64_t length = std::min<std::uint64_t>(kPageBytes, size_bytes() - offset);
  TRY(base_.read(offset, MutableBytes(*fresh).first(length)));
  return pages_.emplace(page, std::move(fresh)).first->second.get();
}

Result<void> OverlayDevice::do_write(std::uint64_t offset, Bytes from, Durability) {
  std::size_t done = 0;
  while (done < from.size()) {
    const std::uint64_t at = offset + done;
    const std::size_t inside = static_cast<std::size_t>(at % kPageBytes);
    const std::size_t count = std::min(kPageBytes - inside, from.size() - done);
    Page* const page = TRY(page_to_change(at / kPageBytes));
    std::memcpy(page->data() + inside, from.data() + done, count);
    done += count;
  }
  return {};
}

Result<void> OverlayDevice::do_write_zeroes(std::uint64_t offset, std::uint64_t length,
                                            Durability durability) {
  static constexpr Page kZeroes{};
  std::uint64_t done = 0;
  while (done < length) {
    const std::uint64_t count =
        std::min<std::uint64_t>(kPageBytes - (offset + done) % kPageBytes, length - done);
    TRY(do_write(offset + done, Bytes(kZeroes).first(count), durability));
    done += count;
  }
  return {};
}

// Keeping the old content is one of the two things a discard may do, and costs nothing.
Result<void> OverlayDevice::do_discard(std::uint64_t, std::uint64_t) {
  return {};
}

std::vector<std::uint64_t> OverlayDevice::sorted_pages() const {
  std::vector<std::uint64_t> sorted;
  sorted.reserve(pages_.size());
  for (const auto& [page, bytes] : pages_) sorted.push_back(page);
  std::ranges::sort(sorted);
  return sorted;
}

}  // namespace powercut
