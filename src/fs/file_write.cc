// Writes: staged outside all locks, then mapped and put into place in one transaction.
#include <algorithm>
#include <optional>

#include "fs/file_common.h"

namespace powercut::fs {
namespace {

// No more free blocks than that are kept for one file that grows.
constexpr std::uint64_t kWindowBytesMax = std::uint64_t{32} << 20;

// One block of a write: the user's bytes, at their place, between zeroes.
struct Staged {
  FileBlock file;
  std::uint32_t from = 0, to = 0;  // the user's bytes in the block
  Content content;
  BufferRef buffer;      // where it goes, once that is known
  bool is_kept = false;  // the rest of the block stays: it has content already
};

std::vector<Staged> stage(const Core& core, std::uint64_t offset, Bytes from) {
  const std::uint32_t block_bytes = core.block_bytes();
  std::vector<Staged> staged;
  staged.reserve(from.size() / block_bytes + 2);
  while (!from.empty()) {
    const auto begin = static_cast<std::uint32_t>(offset % block_bytes);
    const std::size_t count = std::min<std::size_t>(from.size(), block_bytes - begin);
    Staged block{FileBlock(offset / block_bytes),
                 begin,
                 begin + static_cast<std::uint32_t>(count),
                 Content(),
                 nullptr,
                 false};
    block.content =
        count == block_bytes ? Content::unset(block_bytes) : Content::zeroes(block_bytes);
    copy_bytes(from.first(count), block.content.mutable_bytes().subspan(begin));
    staged.push_back(std::move(block));
    offset += count;
    from = from.subspan(count);
  }
  return staged;
}

// The same bytes at another place.
std::vector<Staged> stage_again(const Core& core, std::uint64_t offset,
                                const std::vector<Staged>& staged) {
  std::vector<std::uint8_t> bytes;
  for (const Staged& block : staged) {
    const Bytes part = block.content.bytes().subspan(block.from, block.to - block.from);
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
  return stage(core, offset, bytes);
}

// One piece of a write, made of what is staged for it.
class WritePiece {
 public:
  WritePiece(Core& core, std::vector<Staged> staged) : core_(core), staged_(std::move(staged)) {}

  // Returns how many bytes were written: all, but for damage met on the way.
  Result<std::size_t> write(Node& node) REQUIRES(node.lock);

 private:
  std::uint64_t offset() const {
    return staged_.front().file.value() * core_.block_bytes() + staged_.front().from;
  }
  // A part of the range, as it is mapped.
  struct Segment {
    MappedRun::Kind kind;
    FileBlock file;
    std::uint32_t count = 0;
  };
  Result<void> look(Node& node) REQUIRES(node.lock);
  Result<void> look_at_run(const MappedRun& run, std::uint32_t count);
  Credits credits(const Node& node) const REQUIRES(node.lock);
  std::uint32_t window_blocks(const Node& node, FileBlock end) const REQUIRES(node.lock);
  // What is mapped of the range, from its beginning on, ends there.
  Result<void> map(Handle& handle, Node& node, FileBlock& mapped) REQUIRES(node.lock);
  Result<void> map_hole(Handle& handle, Node& node, const Segment& hole, FileBlock& mapped)
      REQUIRES(node.lock);
  Result<void> set_buffers(FileBlock file, BlockNo device, std::uint32_t count);
  void put(Handle& handle, FileBlock mapped);

  Core& core_;
  std::vector<Staged> staged_;
  std::vector<Segment> segments_;
  std::uint64_t holes_ = 0;  // blocks to be allocated
  std::uint64_t runs_ = 0;   // extents that may be added
  TailToZero tail_;
  SpaceClaim claim_;
};

// Where blocks of the range go whose place is known.
Result<void> WritePiece::set_buffers(FileBlock file, BlockNo device, std::uint32_t count) {
  const std::uint64_t first = file - staged_.front().file;
  for (std::uint32_t i = 0; i < count; ++i) {
    Staged& block = staged_[first + i];
    block.buffer =
        TRY(block.is_kept ? core_.buffers->get(device + i) : core_.buffers->get_unread(device + i));
  }
  return {};
}

Result<void> WritePiece::look_at_run(const MappedRun& run, std::uint32_t count) {
  switch (run.kind) {
    case MappedRun::Kind::kHole:
      holes_ += count;
      runs_ += count;
      break;
    case MappedRun::Kind::kUnwritten:
      runs_ += 2;
      TRY(set_buffers(run.file, run.device, count));
      break;
    case MappedRun::Kind::kWritten: {
      const std::uint64_t first = run.file - staged_.front().file;
      for (std::uint32_t i = 0; i < count; ++i) {
        Staged& block = staged_[first + i];
        block.is_kept = block.to - block.from < core_.block_bytes();
      }
      TRY(set_buffers(run.file, run.device, count));
      break;
    }
  }
  segments_.push_back({run.kind, run.file, count});
  return {};
}

Result<void> WritePiece::look(Node& node) {
  TRY(check_content_writable(node));
  if (offset() < node.inode.size) TRY(check_content_replaceable(node));
  const FileBlock end = staged_.back().file + 1;
  for (FileBlock block = staged_.front().file; block < end;) {
    const MappedRun run = TRY(find_run(core_, node, block));
    const auto count = static_cast<std::uint32_t>(std::min(run.count, end - block));
    TRY(look_at_run(run, count));
    block = block + count;
  }
  const std::uint64_t size = node.inode.size;
  if (offset() > size) {
    const std::uint64_t block_end = blocks_up(core_, size) * core_.block_bytes();
    tail_ = TRY(look_at_tail(core_, node, size, std::min(block_end, offset())));
  }
  if (runs_ == 0) return {};
  const BlockGoal goal = TRY(goal_of(core_, node, staged_.front().file));
  if (holes_ > 0) TRY(core_.groups->prepare(goal.block, static_cast<std::uint32_t>(holes_)));
  claim_ = TRY(core_.groups->claim(holes_ + tree_blocks_max(core_, node, runs_)));
  return {};
}

Credits data_credits(const Core& core, std::uint64_t blocks, std::uint64_t holes) {
  const std::uint64_t groups = std::min<std::uint64_t>(holes, core.shape.group_count());
  // The inode, the tail, the data, the bitmaps and descriptors of the groups it is allocated in.
  return Credits(static_cast<std::uint32_t>(2 + blocks + 2 * groups));
}

Credits WritePiece::credits(const Node& node) const {
  const Credits data = data_credits(core_, staged_.size(), holes_);
  return runs_ == 0 ? data : data + map_credits(core_, node, runs_).value();
}

// As much again as the file has, if it is its end that grows.
std::uint32_t WritePiece::window_blocks(const Node& node, FileBlock end) const {
  if (end.value() < blocks_up(core_, node.inode.size)) return 0;
  const std::uint64_t there = node.inode.has(InodeFlag::kHugeFile)
                                  ? node.inode.sectors
                                  : node.inode.sectors / (core_.block_bytes() / 512);
  const std::uint64_t most =
      std::min(kWindowBytesMax / core_.block_bytes(), core_.groups->available_blocks() / 16);
  return static_cast<std::uint32_t>(std::min(there, most));
}

Result<void> WritePiece::map_hole(Handle& handle, Node& node, const Segment& hole,
                                  FileBlock& mapped) {
  const FileBlock end = hole.file + hole.count;
  while (mapped < end) {
    const BlockGoal goal = TRY(goal_of(core_, node, mapped));
    const BlockWish wish{.goal = goal.block,
                         .want = static_cast<std::uint32_t>(end - mapped),
                         .continues = goal.continues,
                         .claim = &claim_,
                         .window = &node.window,
                         .window_blocks = window_blocks(node, end)};
    const BlockRun run = TRY(core_.groups->allocate(handle, wish));
    auto outcome = set_buffers(mapped, run.first, run.count);
    if (outcome) outcome = add_run(core_, handle, node, mapped, run, false, &claim_);
    if (!outcome) {
      ignore_error(core_.groups->release(handle, run), "it was just allocated");
      return outcome;
    }
    mapped = mapped + run.count;
  }
  return {};
}

Result<void> WritePiece::map(Handle& handle, Node& node, FileBlock& mapped) {
  for (const Segment& segment : segments_) {
    if (segment.kind == MappedRun::Kind::kHole) {
      TRY(map_hole(handle, node, segment, mapped));
      continue;
    }
    if (segment.kind == MappedRun::Kind::kUnwritten) {
      TRY(set_written(core_, handle, node, segment.file, segment.count, &claim_));
    }
    mapped = segment.file + segment.count;
  }
  return {};
}

void WritePiece::put(Handle& handle, FileBlock mapped) {
  for (Staged& block : staged_) {
    if (block.file >= mapped) return;
    if (!block.is_kept) {
      handle.replace(block.buffer, std::move(block.content));
      continue;
    }
    const Bytes bytes = block.content.bytes().subspan(block.from, block.to - block.from);
    handle.change(block.buffer,
                  [&](MutableBytes content) { copy_bytes(bytes, content.subspan(block.from)); });
  }
}

Result<std::size_t> WritePiece::write(Node& node) {
  TRY(look(node));
  Handle handle = TRY(core_.start(credits(node)));
  const std::uint64_t begin = offset();
  const std::uint64_t end = staged_.back().file.value() * core_.block_bytes() + staged_.back().to;
  FileBlock mapped = staged_.front().file;
  const auto outcome = map(handle, node, mapped);
  if (!outcome && mapped == staged_.front().file) {
    // Nothing of the range changed; the inode's counters may stand in memory as they are.
    return Failure{outcome.error()};
  }
  zero_tail(handle, tail_);
  put(handle, mapped);
  const std::uint64_t written_end = std::min(end, mapped.value() * core_.block_bytes());
  node.inode.size = std::max(node.inode.size, written_end);
  store_changed(core_, handle, node);
  return static_cast<std::size_t>(written_end - begin);
}

Result<void> check_end(const Core& core, std::uint64_t offset, std::size_t count) {
  const std::uint64_t most = file_bytes_max(core);
  if (offset <= most && count <= most - offset) return {};
  return fail(Errc::kLimit, "file: larger than a file can be", offset);
}

}  // namespace

std::uint64_t atomic_write_bytes(const Core& core) {
  if (core.journal == nullptr) return 0;
  // As WritePiece::credits() for a deep tree in which each block is a run of its own.
  const std::uint64_t most = core.journal->credits_max().value();
  const std::uint64_t half = (core.block_bytes() - 16) / 12 / 2;
  const auto cost = [&](std::uint64_t blocks) {
    const std::uint64_t added = 2 + kExtentDepthMax + 2 * (2 * blocks / half);
    const std::uint64_t groups = core.shape.group_count();
    return data_credits(core, blocks + 1, blocks + 1).value() + kExtentDepthMax + 1 + added +
           2 * std::min(added, groups);
  };
  std::uint64_t low = 1, high = most;  // blocks; low is taken as affordable
  while (low + 1 < high) {
    const std::uint64_t middle = (low + high) / 2;
    (cost(middle) <= most ? low : high) = middle;
  }
  return low * core.block_bytes();
}

Result<std::size_t> write_file(Core& core, Node& node, std::uint64_t offset, Bytes from) {
  TRY(check_end(core, offset, from.size()));
  const std::uint64_t bound = atomic_write_bytes(core);
  if (bound == 0) return fail(Errc::kReadOnly, "file system: mounted read-only");
  std::size_t done = 0;
  while (done < from.size()) {
    const auto some = static_cast<std::size_t>(std::min<std::uint64_t>(from.size() - done, bound));
    WritePiece piece(core, stage(core, offset + done, from.subspan(done, some)));
    ExclusiveLock lock(node.lock);
    const auto count = piece.write(node);
    if (!count && done > 0) break;
    done += TRY(count);
    if (*count < some) break;
  }
  return done;
}

Result<Appended> append_file(Core& core, Node& node, Bytes from) {
  const std::uint64_t bound = atomic_write_bytes(core);
  if (bound == 0) return fail(Errc::kReadOnly, "file system: mounted read-only");
  Appended appended;
  while (appended.count < from.size()) {
    std::uint64_t size = 0;
    {
      SharedLock lock(node.lock);
      size = node.inode.size;
    }
    const auto some =
        static_cast<std::size_t>(std::min<std::uint64_t>(from.size() - appended.count, bound));
    std::vector<Staged> staged = stage(core, size, from.subspan(appended.count, some));
    ExclusiveLock lock(node.lock);
    if (node.inode.size != size) {  // somebody was faster
      size = node.inode.size;
      staged = stage_again(core, size, staged);
    }
    TRY(check_end(core, size, some));
    const auto count = WritePiece(core, std::move(staged)).write(node);
    if (!count && appended.count > 0) break;
    if (appended.count == 0) appended.offset = size;
    appended.count += TRY(count);
    if (*count < some) break;
  }
  return appended;
}

}  // namespace powercut::fs
