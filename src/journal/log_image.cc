#include "journal/log_image.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/stored_int.h"
#include "base/trace.h"

namespace powercut {
namespace {

[[maybe_unused]] const MutantNames kLogMutants{"log.escape.unmarked"};

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
  Layout layout(transaction.tid, start, ring, format);
  layout.add_revokes(transaction);
  const std::span<const Transaction::Logged> logged(transaction.logged);
  const std::size_t per_descriptor = format.tags_per_descriptor();
  for (std::size_t i = 0; i < logged.size(); i += per_descriptor) {
    layout.add_piece(logged.subspan(i, std::min(per_descriptor, logged.size() - i)));
  }
  return layout.finish();
}

Content commit_block(Tid tid, Nanoseconds wall_time, const JournalFormat& format) {
  constexpr std::int64_t kPerSecond = 1'000'000'000;
  CommitBlock commit;
  commit.tid = tid;
  commit.seconds = static_cast<std::uint64_t>(wall_time.count() / kPerSecond);
  commit.nanoseconds = static_cast<std::uint32_t>(wall_time.count() % kPerSecond);
  Content block = Content::zeroes(format.block_bytes);
  encode_commit(block.mutable_bytes(), format, commit);
  return block;
}

Result<void> verify_tags(const LogImage& image, Tid tid, const JournalFormat& format) {
  for (const LogImage::Tagged& tagged : image.tagged) {
    const Bytes bytes = image.blocks[tagged.position].content.bytes();
    const std::uint32_t computed = tag_checksum(bytes, format, tid);
    if (computed == tagged.checksum) continue;
    std::array<char, 100> words{};
    std::snprintf(words.data(), words.size(), "checksum changed (tag3: 0x%08x, calc: 0x%08x)",
                  tagged.checksum, computed);
    return fail_with(Errc::kChecksum, "journal block", words.data(), tagged.home.value());
  }
  return {};
}

}  // namespace powercut
