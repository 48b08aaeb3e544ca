// What a recovery asks about the blocks of a log: the seam between how a log is scanned and where
// its blocks come from.  A device's log is read and computed; one whose contents are known already
// is looked up (lab/check).
//
// Words
//   facts   what a log block says and whether its checksum is right, whatever transaction is due
#pragma once

#include <optional>
#include <vector>

#include "format/jbd2.h"
#include "recovery/log_reader.h"

namespace powercut {

struct LogBlockFacts {
  std::optional<JournalHeader> header;
  ChecksumPair checksum;                        // descriptor, revoke, commit block: as jbd2.h
  std::vector<Tag> tags;                        // descriptor
  std::optional<std::vector<BlockNo>> revokes;  // revoke block; nothing: longer than the block
  CommitBlock commit;                           // commit block
  bool head_matches = false;                    // commit block: commit_head_checksum()
};

// `block` is one whole log block (CHECK).  Pure.
LogBlockFacts facts_of(Bytes block, const JournalFormat& format);

class LogSource {
 public:
  virtual ~LogSource() = default;
  virtual const JournalMap& map() const = 0;
  // Whole log blocks as they are, from `log` on.
  virtual Result<void> read(LogBlock log, MutableBytes into) = 0;

  // Called once, before what follows is asked: the format of all blocks, and where the ring ends.
  // `reads_data` is false where no data block will be asked for.
  virtual void begin(const JournalFormat& format, LogBlock ring_end, bool reads_data) = 0;
  // Valid until the next call.
  virtual Result<const LogBlockFacts*> facts(LogBlock log) = 0;
  // tag_checksum() of a data block.
  virtual Result<std::uint32_t> data_checksum(LogBlock log, Tid tid) = 0;
  // crc32_be() over any block: the checksum of kV1.
  virtual Result<std::uint32_t> crc32_over(std::uint32_t start, LogBlock log) = 0;
  // True: data blocks are best summed as the scan passes them, since they are at hand.  False: only
  // those of whole transactions, when the scan is over.
  virtual bool sums_in_passing() const = 0;
};

// The log of a device.
class DeviceLog final : public LogSource {
 public:
  // Both must outlive it.
  DeviceLog(const BlockView& device, const JournalMap& map) : reader_(device, map) {}
  const JournalMap& map() const override { return reader_.map(); }
  Result<void> read(LogBlock log, MutableBytes into) override { return reader_.read(log, into); }
  void begin(const JournalFormat& format, LogBlock ring_end, bool reads_data) override;
  Result<const LogBlockFacts*> facts(LogBlock log) override;
  Result<std::uint32_t> data_checksum(LogBlock log, Tid tid) override;
  Result<std::uint32_t> crc32_over(std::uint32_t start, LogBlock log) override;
  bool sums_in_passing() const override { return true; }

 private:
  const LogReader reader_;
  JournalFormat format_;
  std::optional<LogWindow> window_;
  LogBlockFacts facts_;
};

}  // namespace powercut
