// Partition tables, MBR and GPT, as checked values: where the partitions of a disk begin and how
// long they are.  No I/O here; docs and names are those of the UEFI specification, section 5.
//
// Words
//   sector       the unit of all numbers in a table: 512 bytes with an MBR, with a GPT what the
//                disk has (512 or 4096)
//   protective   an MBR that says "the whole disk is one thing": a GPT follows in sector 1
//   extended     an MBR partition that holds logical ones, each behind a table of its own
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace powercut {

inline constexpr std::size_t kMbrBytes = 512;

struct MbrEntry {
  std::uint8_t type = 0;  // 0: not in use
  std::uint32_t first_sector = 0, sector_count = 0;
  bool is_extended() const { return type == 0x05 || type == 0x0F || type == 0x85; }
  bool is_protective() const { return type == 0xEE; }
};
// The four entries.  Nothing if this is no MBR: no signature, or an entry whose status byte is
// neither 0 nor 0x80 (the boot code of a file system ends in the same signature).
std::optional<std::array<MbrEntry, 4>> parse_mbr(Bytes sector);
// "Linux", "swap", "NTFS or exFAT", or "type 0x1b".
std::string mbr_type_name(std::uint8_t type);

using Guid = std::array<std::uint8_t, 16>;  // as stored

struct GptHeader {
  std::uint64_t first_entry_sector = 0;
  std::uint32_t entry_count = 0, entry_bytes = 0;
  std::uint32_t entries_checksum = 0;
  std::uint64_t table_bytes() const { return std::uint64_t{entry_count} * entry_bytes; }
};
// `sector` is the whole sector that holds the header.
// Errors: kNotFound: no signature; kCorrupt: a length that makes no sense; kChecksum; kLimit: a
// table of more than 1 MiB.
Result<GptHeader> parse_gpt_header(Bytes sector);

struct GptEntry {
  std::uint32_t number = 0;  // from 1, counting entries not in use
  Guid type{};
  std::uint64_t first_sector = 0, last_sector = 0;  // both inside; first <= last
  std::string name;                                 // UTF-8; what is no character is "?"
};
// The entries in use, of the whole table that `header` describes; those that end before they begin
// are left out.  Errors: kCorrupt: another length; kChecksum.
Result<std::vector<GptEntry>> parse_gpt_entries(Bytes table, const GptHeader& header);
// "Linux filesystem", "EFI system", or the GUID.
std::string gpt_type_name(const Guid& type);

}  // namespace powercut
