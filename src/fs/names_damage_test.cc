// Directories with random damage, without checksums that would tell: whatever is asked of them is
// answered or refused, and nothing ends the program.
#include <gtest/gtest.h>

#include "fs/extent_map.h"
#include "fs/operations.h"
#include "tests/support/long_form.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kBlockBytes = 1024;

struct Prepared {
  std::vector<std::uint8_t> image;
  std::vector<std::uint64_t> blocks;  // of the directory "many"
};

Prepared prepare(int names) {
  TestMount disk("-b 1024 -N 1024 -O ^metadata_csum", "8M");
  disk.mount();
  Core& core = disk.core();
  const NodeRef root = *core.nodes->get(kRootInode);
  const NodeRef many = *make_directory(core, *root, "many", {});
  const NodeRef one = *make_file(core, *root, "one", {});
  for (int i = 0; i < names; ++i) {
    const std::string name =
        "n" + std::to_string(i) + std::string(static_cast<std::size_t>(i) % 60, 'x');
    EXPECT_TRUE(make_link(core, one, *many, name));
  }
  Prepared prepared;
  {
    SharedLock lock(many->lock);
    for (std::uint64_t i = 0; i < many->inode.size / kBlockBytes; ++i) {
      prepared.blocks.push_back(find_run(core, *many, FileBlock(i))->device.value());
    }
  }
  disk.unmount();
  prepared.image = disk.crashed();
  return prepared;
}

void damage(Prepared& prepared, Prng& random) {
  const std::uint64_t flips = 1 + random.below(6);
  for (std::uint64_t i = 0; i < flips; ++i) {
    const std::uint64_t block = prepared.blocks[random.below(prepared.blocks.size())];
    // Rather at the front, where the headers are.
    const std::uint64_t at = random.below(random.chance(1, 2) ? 48 : kBlockBytes);
    prepared.image[block * kBlockBytes + at] = static_cast<std::uint8_t>(random.below(256));
  }
  if (random.chance(1, 4)) {
    const std::uint64_t from = prepared.blocks[random.below(prepared.blocks.size())];
    const std::uint64_t to = prepared.blocks[random.below(prepared.blocks.size())];
    std::memmove(&prepared.image[to * kBlockBytes], &prepared.image[from * kBlockBytes],
                 kBlockBytes);
  }
}

void use(Core& core, Prng& random) {
  const NodeRef root = *core.nodes->get(kRootInode);
  const NodeRef many = *lookup(core, *root, "many");
  const NodeRef one = *lookup(core, *root, "one");
  std::uint64_t listed = 0;
  ignore_error(read_directory(core, *many, 0, [&](const ListedName&) { return ++listed < 5000; }),
               "it is damaged");
  for (int i = 0; i < 60; ++i) {
    const auto any = [&] {
      const std::uint64_t number = random.below(200);
      return (random.chance(1, 2) ? "n" : "new") + std::to_string(number) +
             std::string(number % 60, 'x');
    };
    const std::string name = any(), other = any();
    switch (random.below(5)) {
      case 0: ignore_error(make_link(core, one, *many, name), "it is damaged"); break;
      case 1: ignore_error(remove_file(core, *many, name), "it is damaged"); break;
      case 2: ignore_error(lookup(core, *many, name), "it is damaged"); break;
      case 3:
        ignore_error(rename(core, {*many, name}, {*many, other}, RenameHow::kReplace),
                     "it is damaged");
        break;
      default:
        ignore_error(rename(core, {*many, name}, {*root, other}, RenameHow::kExchange),
                     "it is damaged");
    }
  }
  ignore_error(remove_directory(core, *root, "many"), "it is damaged");
}

void run(int names, std::uint64_t seed, int rounds) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const Prepared whole = prepare(names);
  Prng random(seed);
  for (int i = 0; i < rounds; ++i) {
    SCOPED_TRACE(i);
    Prepared damaged = whole;
    damage(damaged, random);
    TestMount disk(damaged.image);
    disk.mount();
    if (::testing::Test::HasFatalFailure()) return;
    use(disk.core(), random);
    disk.unmount();
  }
}

int rounds() {
  return testing::is_long_form() ? 3000 : 60;
}

TEST(DamagedNames, Linear) {
  run(12, 1, rounds());
}
TEST(DamagedNames, Htree) {
  run(120, 2, rounds());
}
TEST(DamagedNames, HtreeOfManyBlocks) {
  run(900, 3, rounds());
}

}  // namespace
}  // namespace powercut::fs
