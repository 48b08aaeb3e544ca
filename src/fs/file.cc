// Files read, looked through and made durable; and what changes share.  Writes are in
// file_write.cc, sizes and ranges in file_range.cc.
#include "fs/file.h"

#include <algorithm>

#include "fs/file_common.h"
#include "fs/inode_rules.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kReadBytesMax = 1u << 20;

// A part of a file as it was at one moment: blocks and holes, in order.
struct ReadPiece {
  Content content;  // none: zeroes
  std::uint32_t from = 0;
  std::size_t count = 0;
};

class ReadCollector {
 public:
  ReadCollector(Core& core, std::uint64_t offset, std::size_t count)
      : core_(core), at_(offset), end_(offset + count) {}

  Result<void> collect(const Node& node) REQUIRES_SHARED(node.lock) {
    while (at_ < end_) {
      const FileBlock block(at_ / core_.block_bytes());
      const MappedRun run = TRY(find_run(core_, node, block));
      const std::uint64_t last = (end_ - 1) / core_.block_bytes();
      const std::uint64_t count = std::min(run.count, last - block.value() + 1);
      if (run.kind != MappedRun::Kind::kWritten) {
        take(Content(), std::min(end_, (block.value() + count) * core_.block_bytes()) - at_);
        continue;
      }
      const auto buffers =
          TRY(core_.buffers->get_run(run.device, static_cast<std::uint32_t>(count)));
      for (const BufferRef& buffer : buffers) {
        const std::uint64_t in_block = core_.block_bytes() - at_ % core_.block_bytes();
        take(buffer->snapshot(), std::min(end_ - at_, in_block));
      }
    }
    return {};
  }
  const std::vector<ReadPiece>& pieces() const { return pieces_; }

 private:
  void take(Content content, std::uint64_t count) {
    const auto from = static_cast<std::uint32_t>(content ? at_ % core_.block_bytes() : 0);
    pieces_.push_back({std::move(content), from, static_cast<std::size_t>(count)});
    at_ += count;
  }

  Core& core_;
  std::uint64_t at_;
  const std::uint64_t end_;
  std::vector<ReadPiece> pieces_;
};

Result<std::size_t> read_piece(Core& core, Node& node, std::uint64_t offset, MutableBytes into) {
  std::optional<ReadCollector> collector;
  {
    SharedLock lock(node.lock);
    if (offset >= node.inode.size) return std::size_t{0};
    const std::uint64_t count = std::min<std::uint64_t>(into.size(), node.inode.size - offset);
    collector.emplace(core, offset, static_cast<std::size_t>(count));
    TRY(collector->collect(node));
  }
  std::size_t done = 0;
  for (const ReadPiece& piece : collector->pieces()) {
    if (piece.content) {
      copy_bytes(piece.content.bytes().subspan(piece.from, piece.count), into.subspan(done));
    } else {
      std::memset(into.data() + done, 0, piece.count);
    }
    done += piece.count;
  }
  return done;
}

Result<std::uint64_t> seek(Core& core, Node& node, std::uint64_t offset, bool wants_data) {
  SharedLock lock(node.lock);
  const std::uint64_t size = node.inode.size;
  if (offset >= size) return fail(Errc::kNotFound, "file: past its end", offset);
  FileBlock block(offset / core.block_bytes());
  while (block.value() * core.block_bytes() < size) {
    const MappedRun run = TRY(find_run(core, node, block));
    if ((run.kind == MappedRun::Kind::kWritten) == wants_data) {
      return std::max(offset, block.value() * core.block_bytes());
    }
    block = block + run.count;
  }
  if (wants_data) return fail(Errc::kNotFound, "file: no data behind", offset);
  return size;
}

}  // namespace

std::uint64_t file_bytes_max(const Core& core) {
  return kFileBlocksMax * core.block_bytes();
}

Result<std::size_t> read_file(Core& core, Node& node, std::uint64_t offset, MutableBytes into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const std::size_t some = std::min<std::size_t>(into.size() - done, kReadBytesMax);
    const std::size_t count = TRY(read_piece(core, node, offset + done, into.subspan(done, some)));
    done += count;
    if (count < some) break;
  }
  return done;
}

Result<std::uint64_t> seek_data(Core& core, Node& node, std::uint64_t offset) {
  return seek(core, node, offset, true);
}

Result<std::uint64_t> seek_hole(Core& core, Node& node, std::uint64_t offset) {
  return seek(core, node, offset, false);
}

Result<void> sync_file(Core& core, Node& node, bool data_only) {
  const auto tid = data_only ? node.data_tid.get() : node.changed_tid.get();
  if (!tid || core.journal == nullptr) return {};
  return core.journal->wait_durable(*tid);
}

Result<void> check_content_writable(const Node& node) {
  if (!node.inode.is(InodeType::kRegular)) {
    return fail(Errc::kInvalid, "inode: no regular file", node.number.value());
  }
  if (!node.inode.has(InodeFlag::kExtents)) {
    return fail(Errc::kUnsupported, "inode: files without extents are not written",
                node.number.value());
  }
  if (node.inode.has(InodeFlag::kInlineData)) {
    return fail(Errc::kUnsupported, "inode: files with their content inside are not written",
                node.number.value());
  }
  if (node.inode.has(InodeFlag::kEncrypted) || node.inode.has(InodeFlag::kVerity)) {
    return fail(Errc::kUnsupported, "inode: encrypted or sealed files are not written",
                node.number.value());
  }
  if ((node.inode.flags & kImmutableFlag) != 0) {
    return fail(Errc::kNotPermitted, "inode: immutable", node.number.value());
  }
  return {};
}

Result<void> check_content_replaceable(const Node& node) {
  if ((node.inode.flags & kAppendFlag) == 0) return {};
  return fail(Errc::kNotPermitted, "inode: append only", node.number.value());
}

Result<TailToZero> look_at_tail(Core& core, const Node& node, std::uint64_t from,
                                std::uint64_t to) {
  if (from >= to) return TailToZero{};
  const std::uint32_t block_bytes = core.block_bytes();
  const MappedRun run = TRY(find_run(core, node, FileBlock(from / block_bytes)));
  if (run.kind != MappedRun::Kind::kWritten) return TailToZero{};
  TailToZero tail{TRY(core.buffers->get(run.device)),
                  static_cast<std::uint32_t>(from % block_bytes),
                  static_cast<std::uint32_t>(from % block_bytes + (to - from))};
  const Content content = tail.buffer->snapshot();
  if (all_zero(content.bytes().subspan(tail.from, tail.to - tail.from))) return TailToZero{};
  return tail;
}

void zero_tail(Handle& handle, const TailToZero& tail) {
  if (tail.buffer == nullptr) return;
  handle.change(tail.buffer, [&](MutableBytes block) {
    std::memset(block.data() + tail.from, 0, tail.to - tail.from);
  });
}

void store_changed(Core& core, Handle& handle, Node& node) {
  node.inode.modify_time = node.inode.change_time = core.now();
  core.nodes->store(handle, node);
  node.data_tid.set(handle.tid());
}

}  // namespace powercut::fs
