#include "journal/log_image.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/crc32c.h"
#include "base/stored_int.h"
#include "base/trace.h"

namespace powercut {
namespace {

[[maybe_unused]] const MutantNames kLogMutants{"log.escape.unmarked", "log.sum.part"};

std::uint64_t pieces(std::uint64_t count, std::uint64_t per_piece) {
  return (count + per_piece - 1) / per_piece;
}

bool begins_with_magic(Bytes block) {
  const auto first = load<Be32>(block, 0);
  return first.has_value() && std::uint32_t{*first} == kJournalMagic;
}

// What is put into the log for a block, and whether its first word was taken out.
Content escaped(const Content& content, bool& is_escaped) {
  is_escaped = begins_with_magic(content.bytes());
  if (!is_escaped) return content;
  Content copy = Content::copy_of(content.bytes());
  store(copy.mutable_bytes(), 0, Be32(0));
  if (mutant("log.escape.unmarked")) is_escaped = false;
  return copy;
}

constexpr std::uint8_t kCrc32Type = 1, kCrc32Bytes = 4;

std::uint32_t sum_of(const std::vector<LogImage::Block>& blocks) {
  std::uint32_t sum = ~std::uint32_t{0};
  for (const LogImage::Block& block : blocks) {
    if (mutant("log.sum.part") && &block == &blocks.back()) break;
    sum = crc32_be(sum, block.content.bytes());
  }
  return sum;
}

Failure changed(const char* what, std::uint32_t stored, std::uint32_t computed,
                std::uint64_t where) {
  std::array<char, 100> words{};
  std::snprintf(words.data(), words.size(), "checksum changed (%s: 0x%08x, calc: 0x%08x)", what,
                stored, computed);
  return fail_with(Errc::kChecksum, "journal block", words.data(), where);
}

class Layout {
 public:
  Layout(Tid tid, LogBlock start, const LogRing& ring, const JournalFormat& format)
      : tid_(tid), ring_(ring), format_(format), at_(start) {}

  void add_revokes(const Transaction& transaction) {
    std::vector<BlockNo> revoked;
    for (const std::uint64_t block : transaction.revokes) revoked.emplace_back(block);
    std::ranges::sort(revoked);
    const std::size_t per_block = format_.revokes_per_block();
    for (std::size_t i = 0; i < revoked.size(); i += per_block) {
      const auto begin = revoked.begin() + static_cast<std::ptrdiff_t>(i);
      const auto end = begin + static_cast<std::ptrdiff_t>(std::min(per_block, revoked.size() - i));
      Content block = Content::zeroes(format_.block_bytes);
      encode_revoke(block.mutable_bytes(), format_, tid_, {begin, end});
      put(std::move(block));
    }
  }

  // One descriptor and the blocks behind it.
  void add_piece(std::span<const Transaction::Logged> piece) {
    const std::size_t descriptor = image_.blocks.size();
    put({});
    std::vector<Tag> tags(piece.size());
    for (std::size_t i = 0; i < piece.size(); ++i) {
      Content content = escaped(piece[i].content, tags[i].is_escaped);
      tags[i].block = piece[i].buffer->number();
      tags[i].checksum = tag_checksum(content.bytes(), format_, tid_);
      image_.tagged.push_back({image_.blocks.size(), tags[i].block, tags[i].checksum});
      put(std::move(content));
    }
    Content block = Content::zeroes(format_.block_bytes);
    encode_descriptor(block.mutable_bytes(), format_, tid_, tags);
    image_.blocks[descriptor].content = std::move(block);
  }

  LogImage finish() {
    image_.commit = at_;
    image_.next = next_in_ring(at_, ring_.first, ring_.end);
    if (format_.checksum == ChecksumKind::kV1) image_.sum = sum_of(image_.blocks);
    return std::move(image_);
  }

 private:
  void put(Content content) {
    image_.blocks.push_back({at_, std::move(content)});
    at_ = next_in_ring(at_, ring_.first, ring_.end);
  }

  const Tid tid_;
  const LogRing ring_;
  const JournalFormat& format_;
  LogBlock at_;
  LogImage image_;
};

}  // namespace

std::uint32_t log_blocks_needed(std::uint64_t blocks, std::uint64_t revokes,
                                const JournalFormat& format) {
  const std::uint64_t count = blocks + pieces(blocks, format.tags_per_descriptor()) +
                              pieces(revokes, format.revokes_per_block()) + 1;
  return static_cast<std::uint32_t>(count);
}

LogImage lay_out(const Transaction& transaction, LogBlock start, const LogRing& ring,
                 const JournalFormat& format) {
  CHECK(format.checksum != ChecksumKind::kV1 || transaction.revokes.empty(),
        "no checksum of v1 covers a revoke block");
  Layout layout(transaction.tid, start, ring, format);
  layout.add_revokes(transaction);
  const std::span<const Transaction::Logged> logged(transaction.logged);
  const std::size_t per_descriptor = format.tags_per_descriptor();
  for (std::size_t i = 0; i < logged.size(); i += per_descriptor) {
    layout.add_piece(logged.subspan(i, std::min(per_descriptor, logged.size() - i)));
  }
  return layout.finish();
}

Content commit_block(const LogImage& image, Tid tid, Nanoseconds wall_time,
                     const JournalFormat& format) {
  constexpr std::int64_t kPerSecond = 1'000'000'000;
  CommitBlock commit;
  commit.tid = tid;
  if (format.checksum == ChecksumKind::kV1) {
    commit.checksum_type = kCrc32Type;
    commit.checksum_size = kCrc32Bytes;
    commit.checksum = image.sum;
  }
  commit.seconds = static_cast<std::uint64_t>(wall_time.count() / kPerSecond);
  commit.nanoseconds = static_cast<std::uint32_t>(wall_time.count() % kPerSecond);
  Content block = Content::zeroes(format.block_bytes);
  encode_commit(block.mutable_bytes(), format, commit);
  return block;
}

Result<void> verify_checksums(const LogImage& image, Tid tid, const JournalFormat& format) {
  if (format.checksum == ChecksumKind::kV1) {
    const std::uint32_t computed = sum_of(image.blocks);
    if (computed == image.sum) return {};
    return changed("sum", image.sum, computed, image.commit.value());
  }
  for (const LogImage::Tagged& tagged : image.tagged) {
    const Bytes bytes = image.blocks[tagged.position].content.bytes();
    const std::uint32_t computed = tag_checksum(bytes, format, tid);
    if (computed != tagged.checksum) {
      return changed("tag3", tagged.checksum, computed, tagged.home.value());
    }
  }
  return {};
}

}  // namespace powercut
