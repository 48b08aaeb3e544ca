#include "recovery/log_reader.h"

namespace powercut {

Result<void> LogReader::read(LogBlock log, MutableBytes into) const {
  CHECK(into.size() % block_bytes() == 0, "whole log blocks are read");
  while (!into.empty()) {
    const auto wanted = static_cast<std::uint32_t>(into.size() / block_bytes());
    const std::uint32_t count = std::min(wanted, map_.run_length(log));
    const std::size_t bytes = std::size_t{count} * block_bytes();
    TRY(device_.read(map_.device_block(log).value() * block_bytes(), into.first(bytes)));
    into = into.subspan(bytes);
    log = log + count;
  }
  return {};
}

LogWindow::LogWindow(const LogReader& reader, LogBlock end, bool reads_ahead)
    : reader_(reader),
      end_(end),
      bytes_(reads_ahead ? std::max(kWindowBytes, reader.block_bytes()) : reader.block_bytes()) {}

Result<void> LogWindow::fill(LogBlock first) {
  CHECK(first < end_, "a log block past the end of the window's range");
  const std::uint32_t block_bytes = reader_.block_bytes();
  const auto room = static_cast<std::uint32_t>(bytes_.size() / block_bytes);
  const std::uint32_t count = std::min(room, end_ - first);
  count_ = 0;
  first_ = first;
  const auto take = [&](std::uint32_t blocks) {
    const std::size_t bytes = std::size_t{blocks} * block_bytes;
    const auto outcome = reader_.read(first, MutableBytes(bytes_).first(bytes));
    if (outcome) count_ = blocks;
    return outcome;
  };
  if (count > 1 && take(count)) return {};
  return take(1);
}

Result<Bytes> LogWindow::block(LogBlock log) {
  const bool is_filled = log >= first_ && log - first_ < count_;
  if (!is_filled) TRY(fill(log));
  return Bytes(bytes_).subspan(std::size_t{log - first_} * reader_.block_bytes(),
                               reader_.block_bytes());
}

}  // namespace powercut
