#include "base/bytes.h"

#include <algorithm>

namespace powercut {

bool all_zero(Bytes bytes) noexcept {
  // Compared with itself one byte on: memcmp is vectorised in every libc.
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

std::string_view text_in_field(Bytes field) noexcept {
  const auto end = std::ranges::find(field, std::uint8_t{0});
  return {reinterpret_cast<const char*>(field.data()),
          static_cast<std::size_t>(end - field.begin())};
}

}  // namespace powercut
