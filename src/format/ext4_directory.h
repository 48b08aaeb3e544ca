// What directories of all kinds share: records, and the length of one as stored.
#pragma once

#include "format/ext4.h"

namespace powercut {

// Bytes of a record; `block_bytes` if the stored word stands for a whole block of 64 KiB.
std::uint32_t record_length(std::uint16_t stored, std::uint32_t block_bytes);
// The other way; `length` is a multiple of 4, at most `block_bytes`.
std::uint16_t stored_record_length(std::uint32_t length, std::uint32_t block_bytes);

// The records that fill `region`: a linear block without its tail, or one part of a directory in an
// inode (inline_data).  Errors: kCorrupt, as DirectoryBlock; `where` is `place`.
Result<std::vector<DirectoryRecord>> parse_records(Bytes region, std::uint64_t place,
                                                   const Superblock& superblock);
// Records that do not fill it exactly are a mistake of the caller.
void encode_records(const std::vector<DirectoryRecord>& records, MutableBytes region,
                    const Superblock& superblock);

}  // namespace powercut
