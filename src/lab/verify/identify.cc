#include "lab/verify/identify.h"

#include <algorithm>
#include <array>

#include "base/crc32c.h"
#include "base/stored_int.h"
#include "recovery/recovery.h"

namespace powercut::lab {
namespace {

// How far back in the ring versions are looked for.
constexpr std::size_t kVersionsMax = 16;

// A block as it is in the log made what it is at home: the escape undone.
void unescape(MutableBytes block) {
  store(block, 0, Be32{kJournalMagic});
}

class Identifier {
 public:
  Identifier(Finding& finding, const BlockView& view, const JournalRing& ring)
      : finding_(finding), view_(view), ring_(ring) {}

  void run() {
    RecoveryOptions options;
    options.up_to = finding_.tid;
    options.verify_data = false;
    const auto plan = plan_recovery(view_, ring_.map(), options);
    if (plan) {
      find_owner_in(RecoveredView(view_, ring_.map(), *plan));
      find_version(*plan);
    } else {
      find_owner_in(view_);
    }
  }

 private:
  void find_owner_in(const BlockView& as_of) {
    const auto volume = Volume::open(as_of);
    if (volume) {
      finding_.owner = find_owner(*volume, finding_.home);
      return;
    }
    finding_.owner = Owner{};
    finding_.owner->note = volume.error().what;
  }

  void find_version(const RecoveryPlan& plan) {
    std::vector<std::uint8_t> bad(ring_.map().block_bytes());
    if (!ring_.read(finding_.log_block, bad)) return;
    if (finding_.is_escaped) unescape(bad);
    std::vector<std::uint8_t> other(bad.size());
    if (view_.read(finding_.home.value() * other.size(), other)) {
      consider(bad, other, KnownVersion::Place::kHome, Tid{});
    }
    std::size_t looked = 0;
    for (auto transaction = plan.transactions.rbegin();
         transaction != plan.transactions.rend() && looked < kVersionsMax; ++transaction) {
      for (const LoggedBlock& logged : transaction->blocks) {
        if (logged.home != finding_.home || logged.log == finding_.log_block) continue;
        ++looked;
        if (!ring_.read(logged.log, other)) continue;
        if (logged.is_escaped) unescape(other);
        consider(bad, other, KnownVersion::Place::kEarlierLog, transaction->tid);
      }
    }
  }

  // Keeps the version that explains most: one that the checksum matches, else the nearest.
  void consider(Bytes bad, Bytes other, KnownVersion::Place place, Tid tid) {
    KnownVersion version = compare_versions(bad, other);
    version.place = place;
    version.tid = tid;
    version.matches_checksum = checksum_of(other) == finding_.stored;
    if (!version.matches_checksum && ring_.format().checksum == ChecksumKind::kV3) {
      const auto word = explain_by_one_word(bad, other, finding_.stored ^ finding_.computed);
      if (word) version = *word;
    }
    const auto rank = [](const KnownVersion& v) {
      return std::pair{!v.matches_checksum, v.byte_count};
    };
    if (!finding_.version || rank(version) < rank(*finding_.version)) finding_.version = version;
  }

  std::uint32_t checksum_of(Bytes home_block) const {
    std::vector<std::uint8_t> logged(home_block.begin(), home_block.end());
    if (finding_.is_escaped) store(MutableBytes(logged), 0, Be32{});
    return tag_checksum(logged, ring_.format(), finding_.tid);
  }

  Finding& finding_;
  const BlockView& view_;
  const JournalRing& ring_;
};

}  // namespace

void identify(Finding& finding, const BlockView& view, const JournalRing& ring) {
  Identifier(finding, view, ring).run();
}

KnownVersion compare_versions(Bytes a, Bytes b) {
  KnownVersion version;
  const std::size_t size = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < size;) {
    if (a[i] == b[i]) {
      ++i;
      continue;
    }
    const std::size_t first = i;
    while (i < size && a[i] != b[i]) ++i;
    version.byte_count += static_cast<std::uint32_t>(i - first);
    if (version.ranges.size() < KnownVersion::kRangesMax) {
      version.ranges.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(i)});
    }
  }
  return version;
}

// With a change `d` (4 bytes) followed by n bytes, the checksum changes by zeroes(crc32c(0, d), n).
// That map is one to one, so it is run backwards: from the end of the block, 4 zero bytes at a
// time.
std::optional<KnownVersion> explain_by_one_word(Bytes block, Bytes other, std::uint32_t delta) {
  // Columns of the inverse of "4 bytes through the crc": found by solving for each unit vector.
  static const auto kInverse = [] {
    std::array<std::uint32_t, 32> forward{}, inverse{};
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
      const Le32 word = std::uint32_t{1} << bit;
      forward[bit] = crc32c(0, bytes_of(word));
      inverse[bit] = std::uint32_t{1} << bit;
    }
    for (std::uint32_t bit = 0; bit < 32; ++bit) {  // Gauss-Jordan over GF(2), column by column
      std::uint32_t pivot = bit;
      while (pivot < 31 && ((forward[pivot] >> bit) & 1) == 0) ++pivot;
      std::swap(forward[bit], forward[pivot]);
      std::swap(inverse[bit], inverse[pivot]);
      for (std::uint32_t row = 0; row < 32; ++row) {
        if (row == bit || ((forward[row] >> bit) & 1) == 0) continue;
        forward[row] ^= forward[bit];
        inverse[row] ^= inverse[bit];
      }
    }
    return inverse;
  }();
  const auto back = [&](std::uint32_t crc) {
    std::uint32_t word = 0;
    for (std::size_t bit = 0; crc != 0; ++bit, crc >>= 1) {
      if ((crc & 1) != 0) word ^= kInverse[bit];
    }
    return word;
  };
  // `word` is the change that a word at `offset` would need.  Stepping one word to the front takes
  // 4 zero bytes back out of the crc; those start from the word as a crc state.
  std::uint32_t state = delta;
  for (std::size_t offset = block.size(); offset >= sizeof(Le32);) {
    offset -= sizeof(Le32);
    const std::uint32_t change = back(state);
    const std::uint32_t present = load<Le32>(block, offset).value();
    const std::uint32_t before = load<Le32>(other, offset).value();
    if (change != 0 && (present ^ change) == before) {
      KnownVersion version;
      version.place = KnownVersion::Place::kWord;
      version.matches_checksum = true;
      const auto first = static_cast<std::uint32_t>(offset);
      for (std::uint32_t i = 0; i < sizeof(Le32); ++i) {
        if (((change >> (8 * i)) & 0xFF) != 0) ++version.byte_count;
      }
      version.ranges.push_back({first, first + static_cast<std::uint32_t>(sizeof(Le32))});
      return version;
    }
    // crc over a 4-byte word from state 0 and from state s with zero bytes are the same linear map
    // (the crc is reflected), so one inverse serves both.
    state = change;
  }
  return std::nullopt;
}

}  // namespace powercut::lab
