// Spans of bytes, and the one way to read a stored structure out of them: by copy, with its bounds
// checked.  Stored structures have alignment 1 and no padding (see stored_int.h), so the copy is
// the structure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/result.h"

namespace powercut {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

template <class T>
concept Stored = std::is_trivially_copyable_v<T> && alignof(T) == 1;

// Copies a stored T out of `block` at `offset` (bytes).
// Errors: kCorrupt if it would end past the block.
template <Stored T>
Result<T> load(Bytes block, std::size_t offset) {
  if (offset > block.size() || block.size() - offset < sizeof(T)) {
    return fail(Errc::kCorrupt, "stored structure past the end of its block", offset);
  }
  T value;
  std::memcpy(&value, block.data() + offset, sizeof(T));
  return value;
}

// Copies `value` into `block` at `offset`; that it fits is the caller's to know.
template <Stored T>
void store(MutableBytes block, std::size_t offset, const T& value) {
  CHECK(offset <= block.size() && block.size() - offset >= sizeof(T),
        "store past the end of a block");
  std::memcpy(block.data() + offset, &value, sizeof(T));
}

template <Stored T>
Bytes bytes_of(const T& value) {
  return Bytes{reinterpret_cast<const std::uint8_t*>(&value), sizeof(T)};
}

// Copies `from` to where `into` begins; that it fits is the caller's to know.  (std::ranges::copy
// from const to other bytes goes byte by byte in libstdc++ 12.)
inline void copy_bytes(Bytes from, MutableBytes into) {
  CHECK(from.size() <= into.size(), "a copy of bytes past the end");
  if (!from.empty()) std::memcpy(into.data(), from.data(), from.size());
}

bool all_zero(Bytes bytes) noexcept;

// The text of a field of fixed length: up to its first zero byte, or all of it.
std::string_view text_in_field(Bytes field) noexcept;

}  // namespace powercut
