#include "format/partition_table.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/stored_int.h"

namespace powercut {
namespace {

std::vector<std::uint8_t> mbr_with(std::uint8_t status, std::uint8_t type) {
  std::vector<std::uint8_t> sector(kMbrBytes);
  sector[446 + 16] = status;
  sector[446 + 16 + 4] = type;
  store(MutableBytes(sector), 446 + 16 + 8, Le32(2048));
  store(MutableBytes(sector), 446 + 16 + 12, Le32(4096));
  store(MutableBytes(sector), 510, Le16(0xAA55));
  return sector;
}

TEST(Mbr, FourEntries) {
  const auto entries = parse_mbr(mbr_with(0x80, 0x83));
  ASSERT_TRUE(entries);
  EXPECT_EQ((*entries)[0].type, 0);
  EXPECT_EQ((*entries)[1].type, 0x83);
  EXPECT_EQ((*entries)[1].first_sector, 2048u);
  EXPECT_EQ((*entries)[1].sector_count, 4096u);
  EXPECT_FALSE((*entries)[1].is_extended());
}

TEST(Mbr, WhatIsNone) {
  EXPECT_FALSE(parse_mbr(mbr_with(0x12, 0x83)));  // a boot sector: no entries there
  auto no_signature = mbr_with(0, 0x83);
  no_signature[510] = 0;
  EXPECT_FALSE(parse_mbr(no_signature));
  EXPECT_FALSE(parse_mbr(Bytes(mbr_with(0, 0x83)).first(511)));
}

TEST(Mbr, TypesHaveNames) {
  EXPECT_EQ(mbr_type_name(0x83), "Linux");
  EXPECT_EQ(mbr_type_name(0x1B), "type 0x1b");
}

// The first two sectors' worth of a table that the kernel and sfdisk accept; see
// lab/image/partitions_test.cc for whole disks.
std::vector<std::uint8_t> header_bytes() {
  std::vector<std::uint8_t> sector(512);
  std::memcpy(sector.data(), "EFI PART", 8);
  store(MutableBytes(sector), 8, Le32(0x10000));
  store(MutableBytes(sector), 12, Le32(92));
  store(MutableBytes(sector), 72, Le64(2));
  store(MutableBytes(sector), 80, Le32(128));
  store(MutableBytes(sector), 84, Le32(128));
  // crc32 of 16 KiB of zeroes, and of this header (both by zlib).
  store(MutableBytes(sector), 88, Le32(0xAB54D286));
  store(MutableBytes(sector), 16, Le32(0x169C2047));
  return sector;
}

TEST(Gpt, TheHeaderIsCheckedFieldByField) {
  const auto good = parse_gpt_header(header_bytes());
  ASSERT_TRUE(good) << good.error().what;
  EXPECT_EQ(good->first_entry_sector, 2u);
  EXPECT_EQ(good->table_bytes(), 16384u);
  struct Case {
    std::size_t offset;
    Errc code;
  };
  for (const Case& each : {Case{0, Errc::kNotFound}, Case{13, Errc::kCorrupt},
                           Case{72, Errc::kChecksum}, Case{16, Errc::kChecksum}}) {
    auto bytes = header_bytes();
    bytes[each.offset] ^= 0x40;
    const auto bad = parse_gpt_header(bytes);
    ASSERT_FALSE(bad) << each.offset;
    EXPECT_EQ(bad.error().code, each.code) << each.offset;
  }
  EXPECT_FALSE(parse_gpt_header(Bytes(header_bytes()).first(91)));
}

TEST(Gpt, EntriesInUse) {
  GptHeader header{2, 4, 128, 0};
  std::vector<std::uint8_t> table(4 * 128);
  const Guid linux_type = {0xAF, 0x3D, 0xC6, 0x0F, 0x83, 0x84, 0x72, 0x47,
                           0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47, 0x7D, 0xE4};
  const auto put = [&](std::size_t index, std::uint64_t first, std::uint64_t last) {
    std::memcpy(&table[index * 128], linux_type.data(), linux_type.size());
    store(MutableBytes(table), index * 128 + 32, Le64(first));
    store(MutableBytes(table), index * 128 + 40, Le64(last));
  };
  put(1, 2048, 4095);
  put(2, 9, 8);  // ends before it begins
  const std::uint16_t name[] = {'a', 0x1B, 0xE4, 0xD800, 0x20AC};
  for (std::size_t i = 0; i < std::size(name); ++i) {
    store(MutableBytes(table), 128 + 56 + 2 * i, Le16(name[i]));
  }
  header.entries_checksum = 0x184320C6;
  const auto entries = parse_gpt_entries(table, header);
  ASSERT_TRUE(entries) << entries.error().what;
  ASSERT_EQ(entries->size(), 1u);
  EXPECT_EQ((*entries)[0].number, 2u);
  EXPECT_EQ((*entries)[0].last_sector, 4095u);
  EXPECT_EQ((*entries)[0].name, "a?\xC3\xA4?\xE2\x82\xAC");
  EXPECT_EQ(gpt_type_name((*entries)[0].type), "Linux filesystem");
  table[0] ^= 1;
  EXPECT_EQ(parse_gpt_entries(table, header).error().code, Errc::kChecksum);
  EXPECT_EQ(parse_gpt_entries(Bytes(table).first(100), header).error().code, Errc::kCorrupt);
}

TEST(Gpt, AnUnknownTypeIsItsGuid) {
  const Guid type = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  EXPECT_EQ(gpt_type_name(type), "03020100-0504-0706-0809-0a0b0c0d0e0f");
}

}  // namespace
}  // namespace powercut
