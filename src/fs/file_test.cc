#include "fs/file.h"

#include <gtest/gtest.h>

#include "fs/extent_map.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

class Kinds : public ::testing::TestWithParam<const char*> {};

TEST_P(Kinds, WhatIsWrittenIsThere) {
  SKIP_WITHOUT_TOOL("mke2fs");
  TestMount disk(GetParam());
  disk.mount();
  const NodeRef node = disk.make_file("a");
  const auto bytes = pattern(300'001, 1);
  const auto written = write_file(disk.core(), *node, 0, bytes);
  ASSERT_TRUE(written) << error_words(written.error());
  EXPECT_EQ(*written, bytes.size());
  std::vector<std::uint8_t> back(bytes.size() + 10);
  const auto count = read_file(disk.core(), *node, 0, back);
  ASSERT_TRUE(count) << error_words(count.error());
  EXPECT_EQ(*count, bytes.size());
  back.resize(bytes.size());
  EXPECT_EQ(back, bytes);
  disk.unmount();
  EXPECT_TRUE(is_clean(disk.device.bytes()));
  EXPECT_EQ(content_of(disk.device.bytes(), "/a"), bytes);
}

INSTANTIATE_TEST_SUITE_P(Of, Kinds,
                         ::testing::Values("", "-b 1024", "-b 2048", "-b 4096",
                                           "-O orphan_file,metadata_csum_seed", "-O ^metadata_csum",
                                           "-O ^metadata_csum,uninit_bg", "-O ^64bit",
                                           "-O ^flex_bg -b 1024", "-I 128"));

}  // namespace
}  // namespace powercut::fs
