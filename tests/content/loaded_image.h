// An image on which the running kernel ran a workload, and the marks of that workload.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lab/check/content_judge.h"
#include "lab/sources/guest/workload.h"
#include "tests/support/e2fs_image.h"

namespace powercut::content_testing {

struct LoadedOptions {
  std::string kind = "write";
  std::string mount = "data=journal";
  std::string mke2fs = "-b 4096 -J size=4";
  unsigned threads = 2, files = 2;
  std::uint32_t file_kib = 64;
  std::uint64_t operations = 120;
  unsigned sync_percent = 20;
};

// A state of an image, with contents of its own.
class State {
 public:
  State(const std::vector<std::uint8_t>& bytes, std::uint32_t block_bytes);
  lab::ContentPool& pool() { return *pool_; }
  lab::StateImage& image() { return *image_; }
  const lab::StateImage& image() const { return *image_; }
  // Changes the block, and tells the judge.
  void change(lab::ContentJudge& judge, BlockNo block, lab::ContentId to);
  lab::ContentId add(const std::vector<std::uint8_t>& block);

 private:
  std::unique_ptr<lab::ContentPool> pool_;
  std::unique_ptr<lab::StateImage> image_;
};

// Needs root and loop devices (SKIP_WITHOUT_LOOP_MOUNTS) and e2fsprogs; what else fails is said in
// trouble().
class LoadedImage {
 public:
  explicit LoadedImage(const LoadedOptions& options);
  const std::string& trouble() const { return trouble_; }
  const std::vector<std::string>& marks() const { return marks_; }
  const std::vector<std::uint8_t>& bytes_before() const { return before_; }
  std::vector<std::uint8_t> bytes() const { return image_.bytes(); }
  const testing::E2fsImage& image() const { return image_; }
  std::uint32_t block_bytes() const { return block_bytes_; }

 private:
  void run(const LoadedOptions& options);
  testing::E2fsImage image_;
  testing::TemporaryFolder folder_;
  std::vector<std::uint8_t> before_;
  std::vector<std::string> marks_;
  std::uint32_t block_bytes_ = 4096;
  std::string trouble_;
};

// "RULE: WORDS", a line each.
std::string text_of(const std::vector<lab::CheckFinding>& findings);

}  // namespace powercut::content_testing
