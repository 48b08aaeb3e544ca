#include <algorithm>

#include "base/stored_int.h"
#include "recovery/recovery.h"

namespace powercut {
namespace {

// Puts the bytes of the magic that fall into `piece`, which begins `inside` bytes into its block.
void unescape(MutableBytes piece, std::size_t inside) {
  const Be32 magic = kJournalMagic;
  const Bytes bytes = bytes_of(magic);
  if (inside >= bytes.size()) return;
  const std::size_t count = std::min(bytes.size() - inside, piece.size());
  copy_bytes(bytes.subspan(inside, count), piece);
}

}  // namespace

RecoveredView::RecoveredView(const BlockView& device, const JournalMap& map,
                             const RecoveryPlan& plan)
    : device_(device), map_(map) {
  from_log_.reserve(plan.replay_count);
  for (const LoggedTransaction& transaction : plan.transactions) {
    for (const LoggedBlock& block : transaction.blocks) {
      if (block.verdict != BlockVerdict::kReplay) continue;
      from_log_[block.home.value()] = {block.log, block.is_escaped};
    }
  }
}

// Blocks that are not in the log are read together, up to the next one that is.
Result<void> RecoveredView::do_read(std::uint64_t offset, MutableBytes into) const {
  if (from_log_.empty()) return device_.read(offset, into);
  const std::uint64_t block_bytes = map_.block_bytes();
  std::size_t plain = 0;  // [plain, done): not yet read, from home
  std::size_t done = 0;
  while (done < into.size()) {
    const std::uint64_t at = offset + done;
    const auto inside = static_cast<std::size_t>(at % block_bytes);
    const std::size_t count =
        std::min(static_cast<std::size_t>(block_bytes) - inside, into.size() - done);
    const auto found = from_log_.find(at / block_bytes);
    if (found != from_log_.end()) {
      TRY(device_.read(offset + plain, into.subspan(plain, done - plain)));
      const MutableBytes piece = into.subspan(done, count);
      const BlockNo log = map_.device_block(found->second.log);
      TRY(device_.read(log.value() * block_bytes + inside, piece));
      if (found->second.is_escaped) unescape(piece, inside);
      plain = done + count;
    }
    done += count;
  }
  return device_.read(offset + plain, into.subspan(plain));
}

}  // namespace powercut
