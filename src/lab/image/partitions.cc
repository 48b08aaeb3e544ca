#include "lab/image/partitions.h"

#include <algorithm>

#include "format/partition_table.h"

namespace powercut::lab {
namespace {

constexpr std::uint32_t kLogicalMax = 60;
constexpr std::uint64_t kMbrSector = 512;

class Finder {
 public:
  explicit Finder(const BlockView& disk) : disk_(disk) {}

  Result<std::vector<Partition>> run() {
    const auto mbr = TRY(read_mbr(0));
    if (!mbr) return fail(Errc::kNotFound, "partition table: there is none");
    const bool has_gpt = std::ranges::any_of(*mbr, &MbrEntry::is_protective);
    if (has_gpt) {
      TRY(read_gpt());
    } else {
      TRY(take_mbr(*mbr));
    }
    return std::move(found_);
  }

 private:
  Result<std::optional<std::array<MbrEntry, 4>>> read_mbr(std::uint64_t sector) {
    std::vector<std::uint8_t> bytes(kMbrBytes);
    const std::uint64_t size = disk_.size_bytes();
    if (size < kMbrBytes || sector > (size - kMbrBytes) / kMbrSector) {
      return std::optional<std::array<MbrEntry, 4>>{};
    }
    TRY(disk_.read(sector * kMbrSector, bytes));
    return parse_mbr(bytes);
  }

  void add(Partition&& partition) {
    const std::uint64_t size = disk_.size_bytes();
    if (partition.offset_bytes >= size || partition.size_bytes == 0) return;
    partition.size_bytes = std::min(partition.size_bytes, size - partition.offset_bytes);
    found_.push_back(std::move(partition));
  }

  void add(std::uint32_t number, const MbrEntry& entry, std::uint64_t base) {
    add({number, (base + entry.first_sector) * kMbrSector, entry.sector_count * kMbrSector,
         mbr_type_name(entry.type), ""});
  }

  Result<void> take_mbr(const std::array<MbrEntry, 4>& mbr) {
    for (std::uint32_t i = 0; i < mbr.size(); ++i) {
      if (mbr[i].type != 0 && !mbr[i].is_extended()) add(i + 1, mbr[i], 0);
    }
    for (const MbrEntry& entry : mbr) {
      if (entry.is_extended()) TRY(take_logical(entry.first_sector));
    }
    return {};
  }

  // A chain of tables: the first entry is the partition, from its own table; the second leads to
  // the next table, from the extended partition's beginning.
  Result<void> take_logical(std::uint64_t extended) {
    std::uint64_t at = extended;
    for (std::uint32_t number = 5; number < 5 + kLogicalMax; ++number) {
      const auto table = TRY(read_mbr(at));
      if (!table) return {};
      if ((*table)[0].type != 0) add(number, (*table)[0], at);
      const MbrEntry& next = (*table)[1];
      if (!next.is_extended() || next.first_sector == 0) return {};
      at = extended + next.first_sector;
    }
    return {};
  }

  // The sectors of a GPT are the disk's, which an image does not say: both sizes are tried, the
  // first header and then its backup in the last sector.
  Result<void> read_gpt() {
    Failure first = fail(Errc::kCorrupt, "GPT: announced by the MBR, but not there");
    bool has_reason = false;
    for (const std::uint64_t sector_bytes : {std::uint64_t{512}, std::uint64_t{4096}}) {
      const std::uint64_t sectors = disk_.size_bytes() / sector_bytes;
      if (sectors < 3) continue;
      for (const std::uint64_t sector : {std::uint64_t{1}, sectors - 1}) {
        const auto taken = take_gpt(sector, sector_bytes);
        if (taken) return {};
        if (taken.error().code == Errc::kNotFound || has_reason) continue;
        first = Failure{taken.error()};
        has_reason = true;
      }
    }
    return first;
  }

  Result<void> take_gpt(std::uint64_t sector, std::uint64_t sector_bytes) {
    std::vector<std::uint8_t> bytes(sector_bytes);
    TRY(disk_.read(sector * sector_bytes, bytes));
    const GptHeader header = TRY(parse_gpt_header(bytes));
    std::vector<std::uint8_t> table(header.table_bytes());
    if (header.first_entry_sector > disk_.size_bytes() / sector_bytes) {
      return fail(Errc::kCorrupt, "GPT: entries past the disk", header.first_entry_sector);
    }
    TRY(disk_.read(header.first_entry_sector * sector_bytes, table));
    const auto entries = TRY(parse_gpt_entries(table, header));
    const std::uint64_t sectors = disk_.size_bytes() / sector_bytes;
    for (const GptEntry& entry : entries) {
      if (entry.first_sector >= sectors) continue;
      const std::uint64_t last = std::min(entry.last_sector, sectors - 1);
      add({entry.number, entry.first_sector * sector_bytes,
           (last - entry.first_sector + 1) * sector_bytes, gpt_type_name(entry.type), entry.name});
    }
    return {};
  }

  const BlockView& disk_;
  std::vector<Partition> found_;
};

}  // namespace

Result<std::vector<Partition>> find_partitions(const BlockView& disk) {
  return Finder(disk).run();
}

}  // namespace powercut::lab
