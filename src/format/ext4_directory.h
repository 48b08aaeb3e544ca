// What linear and htree directory blocks share: the length of a record as stored.
#pragma once

#include "format/ext4.h"

namespace powercut {

// Bytes of a record; `block_bytes` if the stored word stands for a whole block of 64 KiB.
std::uint32_t record_length(std::uint16_t stored, std::uint32_t block_bytes);
// The other way; `length` is a multiple of 4, at most `block_bytes`.
std::uint16_t stored_record_length(std::uint32_t length, std::uint32_t block_bytes);

}  // namespace powercut
