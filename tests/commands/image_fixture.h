// The source tree as an image, for the tests of `powercut image`.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "tests/commands/image_source.h"
#include "tests/commands/program.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"

namespace powercut::testing {

namespace fs = std::filesystem;
using Json = nlohmann::json;

inline void put(const fs::path& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

class ImageCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* tool : {"mke2fs", "debugfs", "dumpe2fs"}) SKIP_WITHOUT_TOOL(tool);
  }
  fs::path source() const { return folder_.path() / "source"; }
  fs::path scratch(const std::string& name) const { return folder_.path() / name; }

  // The source tree as an image, with attributes that debugfs sets.
  E2fsImage& packed(const std::string& mke2fs = "-b 1024") {
    if (!fs::exists(source())) make_source(source());
    image_.emplace(ImageOptions{.mke2fs = mke2fs, .size = "32M", .tree = source().string()});
    EXPECT_TRUE(image_->is_made()) << image_->log();
    put(scratch("acl"), sample_acl());
    image_->debugfs("ea_set /random user.note \"some text\"\nea_set -f " + scratch("acl").string() +
                        " /random system.posix_acl_access\n",
                    true);
    return *image_;
  }

  TemporaryFolder folder_;
  std::optional<E2fsImage> image_;
};

}  // namespace powercut::testing
