// Writes jbd2 journals for tests: whole ones on a device, or the stream of log writes that a file
// system would send.  The same specification gives both.
//
// Words
//   spec    what the journal is (JournalSpec) and what a transaction holds (TransactionSpec)
//   write   one log block with its bytes (BuiltWrite), in the order in which Linux submits them:
//           revoke blocks, then each descriptor with its data blocks, then the commit block
//
// The builder keeps all writes that it made; a test may change any of them (damage, reseal) before
// it puts them on a device.  What a recovery must make of undamaged writes: expected_home().
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "block/block_device.h"
#include "format/jbd2.h"
#include "recovery/journal_map.h"

namespace powercut {

struct JournalSpec {
  std::uint32_t block_bytes = 4096;
  ChecksumKind checksum = ChecksumKind::kV3;
  bool is_64bit = true;
  bool is_async = false;                         // kAsyncCommit: commit blocks are not flushed for
  std::uint32_t log_block_count = 128;           // the superblock included
  LogBlock first{1};                             // the ring begins here
  LogBlock start{1};                             // the first transaction begins here
  Tid sequence{1};                               // its tid
  std::uint64_t commit_seconds = 1'700'000'000;  // its time; each later one is a second later
  JournalUuid uuid = {0x70, 0x6f, 0x77, 0x65, 0x72, 0x63, 0x75, 0x74, 1, 2, 3, 4, 5, 6, 7, 8};
  // The last blocks of the journal are a fast-commit area of so many blocks; 0: no such area.
  std::uint32_t fast_commit_block_count = 0;
};

struct DataSpec {
  BlockNo home;
  std::vector<std::uint8_t> content;  // as it is at home: one block; escaping is the builder's
};

struct TransactionSpec {
  std::vector<DataSpec> blocks = {};
  std::vector<BlockNo> revokes = {};
  bool has_commit = true;
  std::uint32_t tags_per_descriptor = 0;  // 0: as many as fit
  // Nothing: a second after the one before.
  std::optional<std::uint64_t> commit_seconds = std::nullopt;
  std::optional<Tid> tid = std::nullopt;  // nothing: the next one
};

struct BuiltWrite {
  enum class Kind : std::uint8_t { kSuperblock, kRevoke, kDescriptor, kData, kCommit };
  LogBlock log;
  std::vector<std::uint8_t> bytes;  // one log block, as it lies in the log
  Kind kind = Kind::kData;
  Tid tid;
  BlockNo home;             // kData
  bool is_escaped = false;  // kData
  // How Linux submits it.  A commit block: both, unless the journal is async.
  bool is_preflush = false, is_fua = false;
};

class JournalBuilder {
 public:
  explicit JournalBuilder(const JournalSpec& spec);

  const JournalSpec& spec() const { return spec_; }
  const JournalFormat& format() const { return format_; }
  // Where the next transaction begins, and its tid.
  LogBlock head() const { return head_; }
  Tid next_tid() const { return next_tid_; }

  // Adds a transaction and returns its writes.  It must fit into what is left of the ring (CHECK),
  // and every content must be one block (CHECK).
  std::vector<BuiltWrite> add_transaction(const TransactionSpec& transaction);

  // All log writes so far, in order, without the superblock.
  const std::vector<BuiltWrite>& writes() const { return writes_; }
  std::vector<BuiltWrite>& writes() { return writes_; }
  // The `index`th write of that kind in that transaction; it must be there (CHECK).
  BuiltWrite& write_of(Tid tid, BuiltWrite::Kind kind, std::size_t index = 0);
  // Flips the lowest bit of byte `offset` of that write.
  void damage(Tid tid, BuiltWrite::Kind kind, std::size_t index = 0, std::size_t offset = 100);
  // Makes the checksum of a changed descriptor, revoke or commit block right again (kV2, kV3).
  void reseal(BuiltWrite& write) const;

  // The superblock: points at the first transaction, or at nothing if there is none.
  JournalSuperblock superblock() const;
  BuiltWrite superblock_write() const;

  // Puts the superblock and all writes where `map` says.  Errors: the device's.
  Result<void> write_to(BlockDevice& device, const JournalMap& map) const;

  // What each home block holds after a recovery, by block number; a block that is only revoked is
  // absent.  Of the transactions up to the first that has no commit block, has not the tid that is
  // due, or comes after `up_to`.  Knows nothing of damage.
  using HomeBlocks = std::map<std::uint64_t, std::vector<std::uint8_t>>;
  HomeBlocks expected_home(std::optional<Tid> up_to = std::nullopt) const;

 private:
  struct Built {
    TransactionSpec spec;
    Tid tid;
  };
  BuiltWrite next_write(BuiltWrite::Kind kind, Tid tid);
  void add_revokes(const TransactionSpec& transaction, Tid tid, std::vector<BuiltWrite>& into);
  void add_blocks(const TransactionSpec& transaction, Tid tid, std::vector<BuiltWrite>& into);
  void add_commit(const TransactionSpec& transaction, Tid tid, std::vector<BuiltWrite>& into);

  JournalSpec spec_;
  JournalFormat format_;
  LogBlock ring_end_;
  LogBlock head_;
  Tid next_tid_;
  std::uint64_t next_seconds_;
  std::uint32_t used_ = 0;  // blocks of the ring
  std::vector<BuiltWrite> writes_;
  std::vector<Built> transactions_;
};

// One block of content that depends on `seed` and begins with no magic.
std::vector<std::uint8_t> patterned_block(std::uint32_t block_bytes, std::uint64_t seed);
// The same, but it begins with the journal's magic, so that it must be escaped in the log.
std::vector<std::uint8_t> magic_block(std::uint32_t block_bytes, std::uint64_t seed);

// A journal in one run of `count` blocks from `at` on.
JournalMap map_in_one_run(BlockNo at, std::uint32_t count, std::uint32_t block_bytes,
                          std::uint64_t device_blocks);

}  // namespace powercut
