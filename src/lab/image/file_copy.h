// Copies the data of one file of an image to a file of this machine, run by run; holes and
// unwritten blocks stay holes.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "host/tree_writer.h"
#include "reader/volume.h"

namespace powercut::lab {

class FileCopy {
 public:
  static constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

  // `before_write` is asked with the length of each piece before it is written; its error ends the
  // copy and comes out of it.
  using BeforeWrite = std::function<Result<void>(std::uint64_t)>;
  FileCopy(const Volume& volume, BeforeWrite before_write)
      : volume_(volume), before_write_(std::move(before_write)), piece_(kPieceBytes) {}

  // Errors: the destination's, and those of `before_write`.  What could not be read is no error of
  // the copy: it is left as a hole, and the first of these is returned.
  Result<std::optional<Error>> copy(InodeNo number, const Inode& inode, TreeFile& into);

 private:
  Result<void> take_run(const FileRun& run);
  Result<void> take(std::uint64_t file_at, std::uint64_t device_at, std::size_t length);
  bool read(std::uint64_t device_at, MutableBytes into);
  Result<void> flush();
  void note_unread(const Error& error);

  const Volume& volume_;
  const BeforeWrite before_write_;
  std::vector<std::uint8_t> piece_;  // gathered, and written at once
  std::uint64_t piece_at_ = 0;       // its place in the file
  std::size_t piece_used_ = 0;
  std::uint64_t size_ = 0;  // of the file
  TreeFile* into_ = nullptr;
  std::optional<Error> unread_;
};

// Calls write(piece) with the whole content of a file, in pieces of at most kPieceBytes; holes are
// zeroes.  A sink that returns false ends it.
// Errors: kInvalid: no regular file; as Volume::read_file: then what came before was passed on.
Result<void> stream_file(const Volume& volume, InodeNo number, const Inode& inode,
                         const std::function<bool(Bytes)>& write);

}  // namespace powercut::lab
