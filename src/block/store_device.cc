#include "block/store_device.h"

#include <vector>

namespace powercut {

Result<void> StoreDevice::do_write_all(std::span<const BlockWrite> writes) {
  bool wants_sync = false;
  std::vector<Bytes> pieces;  // of the run of neighbours that is being gathered
  std::uint64_t first = 0;    // where that run begins
  std::uint64_t end = 0;
  for (const BlockWrite& write : writes) {
    if (!pieces.empty() && write.offset != end) {
      TRY(store_.write_pieces_at(first, pieces));
      pieces.clear();
    }
    if (pieces.empty()) first = write.offset;
    pieces.push_back(write.from);
    end = write.offset + write.from.size();
    wants_sync = wants_sync || write.durability == Durability::kFua;
  }
  if (!pieces.empty()) TRY(store_.write_pieces_at(first, pieces));
  return wants_sync ? store_.sync() : Result<void>{};
}

}  // namespace powercut
