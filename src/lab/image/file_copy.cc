#include "lab/image/file_copy.h"

#include <algorithm>

namespace powercut::lab {

Result<std::optional<Error>> FileCopy::copy(InodeNo number, const Inode& inode, TreeFile& into) {
  into_ = &into;
  size_ = inode.size;
  piece_at_ = piece_used_ = 0;
  unread_.reset();
  if (inode.has(InodeFlag::kInlineData)) {
    const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(size_, kPieceBytes));
    const auto count = volume_.read_file(number, inode, 0, MutableBytes(piece_).first(most));
    if (!count) note_unread(count.error());
    piece_used_ = count ? *count : 0;
    TRY(flush());
    return unread_;
  }
  Result<void> written;
  const auto run = [&](const FileRun& found) {
    written = take_run(found);
    return written.has_value();
  };
  const auto walked = volume_.for_each_run(number, inode, run);
  if (!written) return Failure{written.error()};
  if (!walked) note_unread(walked.error());
  TRY(flush());
  return unread_;
}

void FileCopy::note_unread(const Error& error) {
  if (!unread_) unread_ = error;
}

// Blocks behind the file's end are room that was taken in advance.
Result<void> FileCopy::take_run(const FileRun& run) {
  if (run.is_unwritten) return {};
  const std::uint64_t block_bytes = volume_.superblock().block_bytes();
  const std::uint64_t begin = run.file.value() * block_bytes;
  const std::uint64_t end = std::min(size_, begin + run.count * block_bytes);
  const std::uint64_t device_begin = run.device.value() * block_bytes;
  for (std::uint64_t at = begin; at < end;) {
    const bool goes_on = piece_used_ != 0 && at == piece_at_ + piece_used_;
    const std::size_t room = goes_on ? kPieceBytes - piece_used_ : kPieceBytes;
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(end - at, room));
    TRY(take(at, device_begin + (at - begin), length));
    at += length;
  }
  return {};
}

// Reads what goes on from the gathered piece and fits into it, or begins a new one.  Where it
// cannot be read at once it is read block by block, so that only bad blocks are missing.
Result<void> FileCopy::take(std::uint64_t file_at, std::uint64_t device_at, std::size_t length) {
  if (piece_used_ == 0 || file_at != piece_at_ + piece_used_) {
    TRY(flush());
    piece_at_ = file_at;
  }
  if (read(device_at, MutableBytes(piece_).subspan(piece_used_, length))) {
    piece_used_ += length;
    if (piece_used_ == kPieceBytes) return flush();
    return {};
  }
  const std::size_t block_bytes = volume_.superblock().block_bytes();
  for (std::size_t done = 0; done < length;) {
    const std::size_t part = std::min(block_bytes, length - done);
    if (piece_used_ == 0) piece_at_ = file_at + done;
    const bool is_read =
        part < length && read(device_at + done, MutableBytes(piece_).subspan(piece_used_, part));
    if (is_read) {
      piece_used_ += part;
    } else {
      TRY(flush());
    }
    done += part;
  }
  if (piece_used_ == kPieceBytes) return flush();
  return {};
}

bool FileCopy::read(std::uint64_t device_at, MutableBytes into) {
  const auto outcome = volume_.view().read(device_at, into);
  if (!outcome) note_unread(outcome.error());
  return outcome.has_value();
}

Result<void> FileCopy::flush() {
  if (piece_used_ == 0) return {};
  TRY(before_write_(piece_used_));
  TRY(into_->write_at(piece_at_, Bytes(piece_).first(piece_used_)));
  piece_used_ = 0;
  return {};
}

Result<void> stream_file(const Volume& volume, InodeNo number, const Inode& inode,
                         const std::function<bool(Bytes)>& write) {
  if (inode.is(InodeType::kDirectory)) {
    return fail(Errc::kInvalid, "inode: a directory has no content of its own", number.value());
  }
  if (!inode.is(InodeType::kRegular)) {
    return fail(Errc::kInvalid, "inode: not a regular file", number.value());
  }
  std::vector<std::uint8_t> piece(FileCopy::kPieceBytes);
  for (std::uint64_t at = 0; at < inode.size;) {
    const std::size_t count = TRY(volume.read_file(number, inode, at, piece));
    if (count == 0 || !write(Bytes(piece).first(count))) return {};
    at += count;
  }
  return {};
}

}  // namespace powercut::lab
