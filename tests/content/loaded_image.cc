#include "tests/content/loaded_image.h"

#include "host/line_server.h"
#include "tests/support/loop_mount.h"

namespace powercut::content_testing {

State::State(const std::vector<std::uint8_t>& bytes, std::uint32_t block_bytes)
    : pool_(std::make_unique<lab::ContentPool>(block_bytes, std::uint64_t{1} << 30)) {
  std::vector<lab::ContentId> contents;
  for (std::size_t at = 0; at + block_bytes <= bytes.size(); at += block_bytes) {
    contents.push_back(*pool_->add(Bytes(bytes).subspan(at, block_bytes)));
  }
  image_ = std::make_unique<lab::StateImage>(*pool_, std::move(contents));
}

void State::change(lab::ContentJudge& judge, BlockNo block, lab::ContentId to) {
  const lab::ContentId from = image_->at(block);
  if (from == to) return;
  image_->set(block, to);
  judge.change(block, from, to);
}

lab::ContentId State::add(const std::vector<std::uint8_t>& block) {
  return *pool_->add(block);
}

LoadedImage::LoadedImage(const LoadedOptions& options)
    : image_({.mke2fs = options.mke2fs, .size = "24M"}) {
  if (!image_.is_made()) {
    trouble_ = image_.log();
    return;
  }
  if (options.mke2fs.find("-b 1024") != std::string::npos) block_bytes_ = 1024;
  before_ = image_.bytes();
  run(options);
}

void LoadedImage::run(const LoadedOptions& options) {
  testing::LoopMount mount(image_.path(), folder_.path() / "mnt", options.mount);
  if (!mount.is_mounted()) {
    trouble_ = mount.log();
    return;
  }
  lab::WorkloadOptions load;
  load.kind = options.kind;
  load.directory = (folder_.path() / "mnt").string();
  load.thread_count = options.threads;
  load.file_count = options.files;
  load.file_kib = options.file_kib;
  load.operation_max = options.operations;
  load.sync_percent = options.sync_percent;
  load.duration = std::chrono::hours(1);
  load.marks = (folder_.path() / "marks").string();
  const auto server =
      LineServer::open(load.marks, lab::kPromiseBytesMax, [this](std::string_view line) {
        marks_.emplace_back(line);
        return std::string("ok");
      });
  if (!server) {
    trouble_ = error_words(server.error());
    return;
  }
  const SteadyClock clock;
  const auto tally = lab::run_workload(load, clock);
  if (!tally) trouble_ = error_words(tally.error());
  if (tally) trouble_ = tally->first_wrong;
  if (!mount.unmount()) trouble_ += mount.log();
}

std::string text_of(const std::vector<lab::CheckFinding>& findings) {
  std::string text;
  for (const lab::CheckFinding& finding : findings) {
    text += finding.rule + ": " + finding.words + "\n";
  }
  return text;
}

}  // namespace powercut::content_testing
