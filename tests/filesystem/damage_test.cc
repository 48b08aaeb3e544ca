// Damage below a running mount: a table of (part of the metadata x damage), over several forms, and
// random damage by seeds.  damage_scene.h says what must hold.
#include <gtest/gtest.h>

#include <iostream>

#include "fs/operations.h"
#include "fs/path.h"
#include "tests/filesystem/damage_scene.h"
#include "tests/filesystem/damage_table.h"
#include "tests/support/long_form.h"

namespace powercut::fs {
namespace {

constexpr std::array kDamageForms = {
    DamageForm{"Blocks1k", "-b 1024 -N 512 -g 2048 -J size=1", "8M", true, 0},
    DamageForm{"Blocks1kWithoutChecksums", "-b 1024 -N 512 -g 2048 -J size=1 -O ^metadata_csum",
               "8M", false, 1},
    DamageForm{"Blocks4kOrphanFile", "-b 4096 -N 512 -O orphan_file,metadata_csum_seed", "12M",
               true, 2},
    DamageForm{"Blocks4kWithoutChecksums", "-b 4096 -N 512 -O ^metadata_csum,^64bit,orphan_file",
               "12M", false, 3},
};

class Damage : public ::testing::TestWithParam<DamageForm> {
 protected:
  void SetUp() override { SKIP_WITHOUT_TOOL("mke2fs"); }
  static const DamageScene& scene() {
    static std::map<std::string, DamageScene> scenes;
    return scenes.try_emplace(GetParam().name, GetParam()).first->second;
  }
  // Whether it went as it must.
  void run(const DamageCase& damage, const std::string& words) {
    SCOPED_TRACE(words + ", place " + std::to_string(damage.place) + ", seed " +
                 std::to_string(damage.seed));
    try {
      const DamageOutcome outcome = run_damaged(scene(), damage);
      ++cases_;
      refused_at_mount_ += outcome.was_refused_at_mount ? 1 : 0;
      refused_ += outcome.refused;
      carried_out_ += outcome.carried_out;
      met_ += outcome.noted != 0 ? 1 : 0;
    } catch (const Differs& differs) {
      ADD_FAILURE() << differs.what();
    }
  }
  void TearDown() override {
    if (cases_ == 0) return;
    std::cout << cases_ << " damages, " << met_ << " met by operations, " << refused_at_mount_
              << " by the mount; " << refused_ << " operations refused for them, " << carried_out_
              << " carried out\n";
  }
  std::uint64_t cases_ = 0, met_ = 0, refused_at_mount_ = 0, refused_ = 0, carried_out_ = 0;
};

// The short form takes some rows for each form, other ones for each; more of them where no checksum
// tells what is wrong.
TEST_P(Damage, ByTheTable) {
  const bool is_long = testing::is_long_form();
  const std::size_t share = GetParam().has_checksums ? 8 : 3;
  std::size_t row_number = GetParam().form_number;
  std::uint64_t seed = 0;
  for (const DamageRow& row : damage_table()) {
    if (row.makes_sense_with_checksums_only && !GetParam().has_checksums) continue;
    const std::size_t places = scene().places(row.part).size();
    const bool is_taken = is_long || ++row_number % share == 0;
    for (std::size_t place = 0; place < places && is_taken; ++place) {
      ++seed;
      if (!is_long && place != row_number % places) continue;
      run({row.part, place, row.damager(scene()), seed, is_long || seed % 10 == 0}, row.words);
    }
  }
  EXPECT_GT(met_ + refused_at_mount_, cases_ / 4);
}

TEST_P(Damage, ByChance) {
  const std::uint64_t rounds = testing::is_long_form() ? 3000 : 30;
  for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
    Prng random(seed);
    const auto part = static_cast<Part>(random.below(kPartCount));
    const std::size_t places = scene().places(part).size();
    // A superblock or a descriptor that nothing tells may lead anywhere.
    if (places == 0 || (is_read_at_mount(part) && !GetParam().has_checksums)) continue;
    // Neither does a bitmap without a checksum.
    const bool is_bitmap = part == Part::kBlockBitmap || part == Part::kInodeBitmap;
    if (is_bitmap && !GetParam().has_checksums) continue;
    const bool is_judged = seed % (testing::is_long_form() ? 3 : 10) == 0;
    run({part, random.below(places), random_damager(), seed, is_judged}, "random");
  }
  EXPECT_GT(met_, 3u);
}

INSTANTIATE_TEST_SUITE_P(Forms, Damage, ::testing::ValuesIn(kDamageForms),
                         [](const auto& each) { return std::string(each.param.name); });

// The judges themselves: a byte of a bystander, and a mark that is not there.
TEST(DamageJudges, SeeAChangedByte) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const DamageScene scene(kDamageForms[0]);
  EXPECT_EQ(scene.broken_bystander(scene.image()), "");
  std::vector<std::uint8_t> image = scene.image();
  const auto bytes = pattern(150'000, 150'000);  // of "/safe/large"
  const auto at = std::search(image.begin(), image.end(), bytes.begin(), bytes.begin() + 1024);
  ASSERT_NE(at, image.end());
  *at = static_cast<std::uint8_t>(*at ^ 1);
  EXPECT_NE(scene.broken_bystander(image).find("/safe/large"), std::string::npos);
}

// Damage that reaches a bystander after all is found by a run.
TEST(DamageJudges, ARunFindsABystanderThatWasHarmed) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const DamageScene scene(kDamageForms[0]);
  const auto bytes = pattern(150'000, 150'000);
  const auto at =
      std::search(scene.image().begin(), scene.image().end(), bytes.begin(), bytes.begin() + 1024);
  const auto offset = static_cast<std::uint64_t>(at - scene.image().begin());
  const std::uint64_t from = scene.places(Part::kInode)[0].at;
  const Damager harm = [&](MutableBytes place, Prng&) { place.data()[offset - from] ^= 1; };
  ASSERT_GT(offset, from);
  EXPECT_THROW(run_damaged(scene, {Part::kInode, 0, harm, 2, false}), Differs);
}

}  // namespace
}  // namespace powercut::fs
