#include "base/bytes.h"

namespace powercut {

bool all_zero(Bytes bytes) noexcept {
  // Compared with itself one byte on: memcmp is vectorised in every libc.
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace powercut
