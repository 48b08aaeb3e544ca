#include "format/partition_table.h"

#include <algorithm>

#include "base/fuzzing.h"
#include "base/stored_int.h"

namespace powercut {
namespace {

// As it lies on disk.
struct StoredMbrEntry {
  std::uint8_t status;
  std::array<std::uint8_t, 3> first_chs;
  std::uint8_t type;
  std::array<std::uint8_t, 3> last_chs;
  Le32 first_sector;
  Le32 sector_count;
};
static_assert(sizeof(StoredMbrEntry) == 16 && alignof(StoredMbrEntry) == 1);

constexpr std::size_t kMbrEntriesAt = 446;
constexpr std::size_t kMbrSignatureAt = 510;
constexpr std::uint16_t kMbrSignature = 0xAA55;

struct StoredGptHeader {
  std::array<std::uint8_t, 8> signature;  // "EFI PART"
  Le32 revision;
  Le32 header_bytes;
  Le32 checksum;  // of header_bytes bytes, this field zero
  Le32 reserved;
  Le64 own_sector;
  Le64 other_sector;
  Le64 first_usable;
  Le64 last_usable;
  Guid disk;
  Le64 first_entry_sector;
  Le32 entry_count;
  Le32 entry_bytes;
  Le32 entries_checksum;
};
static_assert(sizeof(StoredGptHeader) == 92 && alignof(StoredGptHeader) == 1);
STORED_AT(StoredGptHeader, checksum, 16);
STORED_AT(StoredGptHeader, first_entry_sector, 72);
STORED_AT(StoredGptHeader, entries_checksum, 88);

struct StoredGptEntry {
  Guid type;
  Guid unique;
  Le64 first_sector;
  Le64 last_sector;
  Le64 attributes;
  std::array<Le16, 36> name;
};
static_assert(sizeof(StoredGptEntry) == 128 && alignof(StoredGptEntry) == 1);

constexpr std::array<std::uint8_t, 8> kGptSignature = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};
constexpr std::uint64_t kTableMax = std::uint64_t{1} << 20;

// The CRC-32 of Ethernet and zip: reflected, inverted at both ends.  Tables are small and rare.
std::uint32_t crc32(Bytes bytes) {
  std::uint32_t sum = ~std::uint32_t{0};
  for (const std::uint8_t byte : bytes) {
    sum ^= byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) != 0 ? 0xEDB88320u : 0);
  }
  return ~sum;
}

void append_utf8(std::string& text, std::uint16_t unit) {
  const bool is_character = unit >= 0x20 && unit != 0x7F && (unit < 0xD800 || unit > 0xDFFF);
  if (!is_character) {
    text += '?';
  } else if (unit < 0x80) {
    text += static_cast<char>(unit);
  } else if (unit < 0x800) {
    text += static_cast<char>(0xC0 | (unit >> 6));
    text += static_cast<char>(0x80 | (unit & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | (unit >> 12));
    text += static_cast<char>(0x80 | ((unit >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (unit & 0x3F));
  }
}

std::string hex(std::uint8_t byte) {
  static constexpr char kDigits[] = "0123456789abcdef";
  return {kDigits[byte >> 4], kDigits[byte & 15]};
}

// The first three parts of a GUID are stored as little-endian numbers, the others as bytes.
std::string guid_text(const Guid& guid) {
  static constexpr std::array<std::size_t, 16> kOrder = {3, 2, 1,  0,  5,  4,  7,  6,
                                                         8, 9, 10, 11, 12, 13, 14, 15};
  std::string text;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += hex(guid[kOrder[i]]);
  }
  return text;
}

}  // namespace

std::optional<std::array<MbrEntry, 4>> parse_mbr(Bytes sector) {
  const auto signature = load<Le16>(sector, kMbrSignatureAt);
  if (!signature || signature->value() != kMbrSignature) return std::nullopt;
  std::array<MbrEntry, 4> entries;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto stored = load<StoredMbrEntry>(sector, kMbrEntriesAt + i * sizeof(StoredMbrEntry));
    if (!stored || (stored->status != 0 && stored->status != 0x80)) return std::nullopt;
    entries[i] = {stored->type, stored->first_sector, stored->sector_count};
  }
  return entries;
}

std::string mbr_type_name(std::uint8_t type) {
  switch (type) {
    case 0x83: return "Linux";
    case 0x82: return "Linux swap";
    case 0x8E: return "Linux LVM";
    case 0xFD: return "Linux RAID";
    case 0x07: return "NTFS or exFAT";
    case 0x0B:
    case 0x0C: return "FAT32";
    case 0x06:
    case 0x0E: return "FAT16";
    case 0xEF: return "EFI system";
    case 0xEE: return "GPT";
    case 0x05:
    case 0x0F:
    case 0x85: return "extended";
    default: return "type 0x" + hex(type);
  }
}

Result<GptHeader> parse_gpt_header(Bytes sector) {
  const auto stored = TRY(load<StoredGptHeader>(sector, 0));
  if (stored.signature != kGptSignature) return fail(Errc::kNotFound, "GPT: no signature");
  const std::uint32_t header_bytes = stored.header_bytes;
  if (header_bytes < sizeof(StoredGptHeader) || header_bytes > sector.size()) {
    return fail(Errc::kCorrupt, "GPT: the length of its header", header_bytes);
  }
  std::vector<std::uint8_t> summed(sector.begin(), sector.begin() + header_bytes);
  store(MutableBytes(summed), offsetof(StoredGptHeader, checksum), Le32{});
  if (!is_fuzzing() && crc32(summed) != stored.checksum.value()) {
    return fail(Errc::kChecksum, "GPT: header", stored.checksum);
  }
  const GptHeader header{stored.first_entry_sector, stored.entry_count, stored.entry_bytes,
                         stored.entries_checksum};
  if (header.entry_bytes < sizeof(StoredGptEntry) || header.entry_bytes % 8 != 0) {
    return fail(Errc::kCorrupt, "GPT: the length of an entry", header.entry_bytes);
  }
  if (header.table_bytes() > kTableMax) {
    return fail(Errc::kLimit, "GPT: more entries than 1 MiB holds", header.entry_count);
  }
  return header;
}

Result<std::vector<GptEntry>> parse_gpt_entries(Bytes table, const GptHeader& header) {
  if (table.size() != header.table_bytes()) {
    return fail(Errc::kCorrupt, "GPT: another length than its header says", table.size());
  }
  if (!is_fuzzing() && crc32(table) != header.entries_checksum) {
    return fail(Errc::kChecksum, "GPT: entries", header.entries_checksum);
  }
  std::vector<GptEntry> entries;
  for (std::uint32_t i = 0; i < header.entry_count; ++i) {
    const auto stored = TRY(load<StoredGptEntry>(table, std::size_t{i} * header.entry_bytes));
    if (all_zero(stored.type) || stored.last_sector < stored.first_sector) continue;
    GptEntry& entry = entries.emplace_back();
    entry = {i + 1, stored.type, stored.first_sector, stored.last_sector, {}};
    for (const Le16 unit : stored.name) {
      if (unit.value() == 0) break;
      append_utf8(entry.name, unit);
    }
  }
  return entries;
}

std::string gpt_type_name(const Guid& type) {
  struct Known {
    std::string_view guid, name;
  };
  static constexpr Known kKnown[] = {
      {"0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux filesystem"},
      {"4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "Linux root (x86-64)"},
      {"b921b045-1df0-41c3-af44-4c6f280d3fae", "Linux root (arm64)"},
      {"933ac7e1-2eb4-4f13-b844-0e14e2aef915", "Linux home"},
      {"bc13c2ff-59e6-4262-a352-b275fd6f7172", "Linux extended boot"},
      {"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "Linux swap"},
      {"e6d6d379-f507-44c2-a23c-238f2a3df928", "Linux LVM"},
      {"a19d880f-05fc-4d3b-a006-743f0f84911e", "Linux RAID"},
      {"c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system"},
      {"21686148-6449-6e6f-744e-656564454649", "BIOS boot"},
      {"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Microsoft basic data"},
  };
  const std::string text = guid_text(type);
  const auto* const known = std::ranges::find(kKnown, std::string_view(text), &Known::guid);
  return known == std::end(kKnown) ? text : std::string(known->name);
}

}  // namespace powercut
