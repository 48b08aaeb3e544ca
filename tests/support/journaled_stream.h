// A stream of requests as a journalling file system would send them, made by hand: an image that
// mke2fs made, transactions of a JournalBuilder, and the flushes between.  What comes out is a
// Recording, for tests of what follows streams.
//
// Header only: the library of tests/support knows nothing of lab/.
#pragma once

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include "block/memory_device.h"
#include "lab/record/recording_file.h"
#include "reader/volume.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/journal_builder.h"

namespace powercut::testing {

// Collects events; every write is submitted and completed at once unless said otherwise.
class StreamBuilder {
 public:
  explicit StreamBuilder(const std::vector<std::uint8_t>& image) {
    recording_.disk_bytes = image.size();
    lab::RecordedEvent base;
    base.kind = lab::EventKind::kBase;
    base.length = image.size();
    base.data = keep(image);
    recording_.events.push_back(base);
  }

  std::uint64_t submit(lab::RequestKind kind, std::uint64_t offset, std::uint64_t length,
                       Bytes data = {}, Durability durability = Durability::kCached) {
    lab::RecordedEvent event;
    event.kind = lab::EventKind::kSubmitted;
    event.request = kind;
    event.durability = durability;
    event.sequence = ++sequence_;
    event.when = Nanoseconds(++now_);
    event.offset = offset;
    event.length = length;
    event.data = keep({data.begin(), data.end()});
    recording_.events.push_back(event);
    return sequence_;
  }
  void complete(std::uint64_t sequence) {
    lab::RecordedEvent event;
    event.kind = lab::EventKind::kCompleted;
    event.sequence = sequence;
    event.when = Nanoseconds(++now_);
    recording_.events.push_back(event);
  }
  std::uint64_t write(std::uint64_t offset, Bytes data,
                      Durability durability = Durability::kCached) {
    const std::uint64_t sequence =
        submit(lab::RequestKind::kWrite, offset, data.size(), data, durability);
    complete(sequence);
    return sequence;
  }
  std::uint64_t flush() {
    const std::uint64_t sequence = submit(lab::RequestKind::kFlush, 0, 0);
    complete(sequence);
    return sequence;
  }
  std::uint64_t sequence() const { return sequence_; }
  const lab::Recording& recording() const { return recording_; }
  lab::Recording take() { return std::move(recording_); }

 private:
  Bytes keep(const std::vector<std::uint8_t>& bytes) {
    recording_.frames.push_back(bytes);
    return recording_.frames.back();
  }

  lab::Recording recording_;
  std::uint64_t sequence_ = 0;
  std::int64_t now_ = 0;
};

// An ext4 image of 12 MiB with blocks of 4 KiB, a journal of 4 MiB and one file, /file, of 32
// blocks; made once.  Empty without mke2fs.
inline const std::vector<std::uint8_t>& small_image() {
  static const std::vector<std::uint8_t> kImage = [] {
    const TemporaryFolder tree;
    {
      std::vector<std::uint8_t> content(std::size_t{32} * 4096);
      for (std::size_t i = 0; i < content.size(); ++i) {
        content[i] = static_cast<std::uint8_t>(i / 4096 + 1);
      }
      const auto path = (tree.path() / "file").string();
      std::FILE* const file = std::fopen(path.c_str(), "wb");
      CHECK(file != nullptr, "a file of our own");
      CHECK(std::fwrite(content.data(), 1, content.size(), file) == content.size(), "written");
      CHECK(std::fclose(file) == 0, "closed");
    }
    const E2fsImage image(
        {.mke2fs = "-b 4096 -J size=4", .size = "12M", .tree = tree.path().string()});
    return image.is_made() ? image.bytes() : std::vector<std::uint8_t>();
  }();
  return kImage;
}

// The stream of a mounted file system.  It begins unannounced: see announce().
class JournaledStream {
 public:
  explicit JournaledStream(JournalSpec spec = {})
      : image_(small_image()),
        map_(locate_journal(Volume::open(image_).value()).value()),
        builder_(fitted(spec)),
        stream_(prepared()) {
    const Volume volume = Volume::open(image_).value();
    const InodeNo number = volume.find("/file").value();
    CHECK(volume.for_each_run(number, volume.inode(number).value(),
                              [this](const FileRun& run) {
                                for (std::uint64_t i = 0; i < run.count; ++i) {
                                  file_blocks_.push_back(run.device + i);
                                }
                                return true;
                              }),
          "the file can be read");
    const GroupDescriptor group = volume.group(0).value();
    bitmap_ = group.block_bitmap;
    const Superblock& super = volume.superblock();
    const std::uint32_t index = number.value() - 1;
    inode_block_ = group.inode_table + index / super.inodes_per_block();
    // i_block, the header of the root, ee_len of its first extent.
    length_offset_ =
        std::size_t{index % super.inodes_per_block()} * super.inode_bytes + 0x28 + 12 + 4;
  }

  StreamBuilder& stream() { return stream_; }
  JournalBuilder& builder() { return builder_; }
  const JournalMap& map() const { return map_; }
  BlockNo file_block(std::size_t index) const { return file_blocks_.at(index); }
  BlockNo bitmap() const { return bitmap_; }
  lab::Recording take() { return stream_.take(); }
  std::vector<std::uint8_t> content(std::uint64_t seed) const {
    return patterned_block(map_.block_bytes(), seed);
  }
  // The bitmap of group 0 as mke2fs made it, with these blocks freed.
  std::vector<std::uint8_t> bitmap_without(const std::vector<BlockNo>& freed) const {
    std::vector<std::uint8_t> bits(map_.block_bytes());
    CHECK(image_.read(bitmap_.value() * bits.size(), bits), "the image can be read");
    for (const BlockNo block : freed) {
      bits[block.value() / 8] =
          static_cast<std::uint8_t>(bits[block.value() / 8] & ~(1u << (block.value() % 8)));
    }
    return bits;
  }

  // The block of the inode table that holds /file's inode, and its bytes with the file's last
  // extent longer by so many blocks, as the file system has no checksum of that: for who reads
  // extents.
  BlockNo inode_block() const { return inode_block_; }
  std::vector<std::uint8_t> longer_file(std::uint16_t blocks) const {
    std::vector<std::uint8_t> bytes(map_.block_bytes());
    CHECK(image_.read(inode_block_.value() * bytes.size(), bytes), "the image can be read");
    const auto length = load<Le16>(bytes, length_offset_);
    store(bytes, length_offset_, Le16(static_cast<std::uint16_t>(length->value() + blocks)));
    return bytes;
  }

  // What a mount does: needs_recovery, and a superblock of the journal that points at `start`.
  void announce() {
    announce_file_system(true);
    write_tail(builder_.spec().start, builder_.spec().sequence);
    stream_.flush();
  }
  std::uint64_t announce_file_system(bool needs_recovery) {
    std::vector<std::uint8_t> block(kSuperblockBytes);
    CHECK(image_.read(kSuperblockOffset, block), "the image can be read");
    Superblock superblock = Superblock::parse(block, image_.size_bytes()).value();
    const auto flag = static_cast<std::uint32_t>(Ext4Incompat::kRecover);
    superblock.incompat = needs_recovery ? superblock.incompat | flag : superblock.incompat & ~flag;
    superblock.encode(block);
    return stream_.write(kSuperblockOffset, block);
  }
  // A journal superblock with that tail (LogBlock(0): empty), not flushed.
  std::uint64_t write_tail(LogBlock start, Tid sequence) {
    BuiltWrite write = builder_.superblock_write();
    JournalSuperblock superblock = builder_.superblock();
    superblock.start = start;
    superblock.sequence = sequence;
    superblock.encode(write.bytes);
    return write_log(write);
  }
  std::uint64_t write_log(const BuiltWrite& write) {
    return stream_.write(map_.device_block(write.log).value() * map_.block_bytes(), write.bytes);
  }
  std::uint64_t write_home(BlockNo block, Bytes content) {
    return stream_.write(block.value() * map_.block_bytes(), content);
  }
  // A whole transaction with its flushes; the request of its commit block.
  std::uint64_t commit(const TransactionSpec& transaction) {
    std::uint64_t sequence = 0;
    for (const BuiltWrite& write : builder_.add_transaction(transaction)) {
      if (write.is_preflush) stream_.flush();
      sequence = write_log(write);
      if (write.is_fua) stream_.flush();
    }
    return sequence;
  }

 private:
  JournalSpec fitted(JournalSpec spec) const {
    spec.block_bytes = map_.block_bytes();
    spec.log_block_count = map_.block_count();
    return spec;
  }
  // The image with the features of the spec in its journal, which is empty.
  std::vector<std::uint8_t> prepared() {
    std::vector<std::uint8_t> bytes(image_.bytes().begin(), image_.bytes().end());
    BuiltWrite write = builder_.superblock_write();
    JournalSuperblock superblock = builder_.superblock();
    superblock.start = LogBlock(0);
    superblock.encode(write.bytes);
    const std::uint64_t at = map_.device_block(LogBlock(0)).value() * map_.block_bytes();
    copy_bytes(write.bytes, MutableBytes(bytes).subspan(at));
    return bytes;
  }

  MemoryDevice image_;
  JournalMap map_;
  JournalBuilder builder_;
  StreamBuilder stream_;
  std::vector<BlockNo> file_blocks_;
  BlockNo bitmap_, inode_block_;
  std::size_t length_offset_ = 0;
};

}  // namespace powercut::testing
