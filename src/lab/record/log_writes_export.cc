#include <map>

#include "lab/record/log_writes.h"
#include "lab/record/log_writes_format.h"

namespace powercut::lab {
namespace {

constexpr char kEndMark[] = "dm-log-writes-end";

// A request, and its data: by pieces, or of format 1 itself.
struct Pending {
  RecordedEvent event;
  std::vector<Piece> pieces;
  std::vector<std::uint8_t> data;
  std::vector<Pending> covered;  // of a flush: what was completed before it was submitted
};

class Exporter {
 public:
  Exporter(RecordingReader& reader, File& to, const LogExportOptions& options)
      : reader_(reader), to_(to), options_(options) {
    counts_.disk_bytes = reader.facts().disk_bytes;
  }

  Result<LogCounts> run() {
    if (reader_.facts().split.is_split()) {
      return fail(Errc::kUnsupported, "recording: such a log is of one device; this is of two");
    }
    TRY(write_super());
    while (const PiecedEvent* const event = TRY(reader_.next_pieced())) TRY(take(*event));
    for (const Pending& pending : completed_) TRY(log(pending));
    // A recording of such a log has it already.
    if (last_mark_ != kEndMark) TRY(log_mark(kEndMark));
    counts_.is_cut = reader_.is_cut();
    TRY(write_super());
    TRY(to_.sync());
    if (options_.base != nullptr) TRY(options_.base->sync());
    return counts_;
  }

 private:
  Result<void> take(const PiecedEvent& event);
  Result<void> take_base(const PiecedEvent& event);
  Result<void> submit(const PiecedEvent& event);
  Result<void> complete(std::uint64_t sequence);
  Result<void> log(const Pending& pending);
  Result<void> log_mark(std::string_view text);
  Result<void> append_entry(const disk::LogWritesEntry& entry, Bytes text);
  Result<void> append_data(const Pending& pending);
  Result<void> write_super();

  RecordingReader& reader_;
  File& to_;
  const LogExportOptions& options_;
  LogCounts counts_;
  std::map<std::uint64_t, Pending> open_;  // by sequence
  std::vector<Pending> completed_;         // and not covered by a flush
  std::vector<std::uint8_t> buffer_;
  std::string last_mark_;
};

Result<void> Exporter::take(const PiecedEvent& event) {
  switch (event.event.kind) {
    case EventKind::kBase: return take_base(event);
    case EventKind::kSubmitted: return submit(event);
    case EventKind::kCompleted: return complete(event.event.sequence);
    case EventKind::kPowerCycle: return log_mark("powercut: power cycle");
    case EventKind::kMark: {
      const Bytes text = event.event.data;
      return log_mark({reinterpret_cast<const char*>(text.data()), text.size()});
    }
  }
  return fail(Errc::kInvalid, "recording: kind of event");
}

Result<void> Exporter::take_base(const PiecedEvent& event) {
  if (options_.base != nullptr) {
    return options_.base->write_at(event.event.offset, TRY(reader_.data_of(event)));
  }
  return log({event.event, event.pieces, {event.event.data.begin(), event.event.data.end()}, {}});
}

Result<void> Exporter::submit(const PiecedEvent& event) {
  Pending pending{event.event, event.pieces, {}, {}};
  pending.data.assign(event.event.data.begin(), event.event.data.end());
  pending.event.data = {};
  if (event.event.request == RequestKind::kFlush) pending.covered = std::exchange(completed_, {});
  open_[event.event.sequence] = std::move(pending);
  return {};
}

Result<void> Exporter::complete(std::uint64_t sequence) {
  auto found = open_.extract(sequence);
  if (found.empty()) return {};
  Pending& pending = found.mapped();
  if (pending.event.request == RequestKind::kFlush) {
    for (const Pending& covered : pending.covered) TRY(log(covered));
    return log(pending);
  }
  if (pending.event.durability == Durability::kFua) return log(pending);
  completed_.push_back(std::move(pending));
  return {};
}

Result<void> Exporter::log(const Pending& pending) {
  const RecordedEvent& event = pending.event;
  if (event.offset % options_.sector_bytes != 0 || event.length % options_.sector_bytes != 0) {
    return fail(Errc::kUnsupported, "a request that is no whole number of sectors", event.offset);
  }
  disk::LogWritesEntry entry;
  const bool is_flush = event.request == RequestKind::kFlush && event.kind != EventKind::kBase;
  const bool is_discard = event.request == RequestKind::kDiscard && event.kind != EventKind::kBase;
  entry.sector = is_flush ? 0 : event.offset / options_.sector_bytes;
  entry.sector_count = is_flush ? 0 : event.length / options_.sector_bytes;
  const bool is_fua = event.durability == Durability::kFua;
  entry.flags = (is_flush ? disk::kLogFlush : 0) | (is_discard ? disk::kLogDiscard : 0) |
                (is_fua ? disk::kLogFua : 0);
  ++(is_flush ? counts_.flushes : is_discard ? counts_.discards : counts_.writes);
  TRY(append_entry(entry, {}));
  return is_flush || is_discard ? Result<void>{} : append_data(pending);
}

Result<void> Exporter::log_mark(std::string_view text) {
  const std::size_t room = options_.sector_bytes - sizeof(disk::LogWritesEntry);
  if (text.size() > room) ++counts_.cut_marks;
  text = text.substr(0, room);
  disk::LogWritesEntry entry;
  entry.flags = disk::kLogMark;
  entry.data_bytes = text.size();
  ++counts_.marks;
  last_mark_ = text;
  return append_entry(entry,
                      Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

Result<void> Exporter::append_entry(const disk::LogWritesEntry& entry, Bytes text) {
  buffer_.assign(options_.sector_bytes, 0);
  store(buffer_, 0, entry);
  copy_bytes(text, MutableBytes(buffer_).subspan(sizeof(entry)));
  ++counts_.entries;
  return to_.append(buffer_);
}

// In parts of a bounded length, since a zeroing can be as long as the disk.
Result<void> Exporter::append_data(const Pending& pending) {
  constexpr std::size_t kPartBytes = std::size_t{1} << 20;
  if (!pending.data.empty()) return to_.append(pending.data);
  buffer_.clear();
  if (pending.pieces.empty()) {  // a zeroing, of format 1
    buffer_.resize(kPartBytes);
    for (std::uint64_t done = 0; done < pending.event.length; done += kPartBytes) {
      const auto count = std::min<std::uint64_t>(kPartBytes, pending.event.length - done);
      TRY(to_.append(Bytes(buffer_).first(static_cast<std::size_t>(count))));
    }
    return {};
  }
  for (const Piece& piece : pending.pieces) {
    TRY(reader_.append_bytes(piece, buffer_));
    if (buffer_.size() < kPartBytes) continue;
    TRY(to_.append(buffer_));
    buffer_.clear();
  }
  return to_.append(buffer_);
}

Result<void> Exporter::write_super() {
  disk::LogWritesSuper super;
  super.magic = disk::kLogWritesMagic;
  super.version = disk::kLogWritesVersion;
  super.entry_count = counts_.entries;
  super.sector_bytes = options_.sector_bytes;
  std::vector<std::uint8_t> sector(options_.sector_bytes);
  store(sector, 0, super);
  return to_.size_bytes() == 0 ? to_.append(sector) : to_.write_at(0, sector);
}

}  // namespace

Result<LogCounts> export_log(RecordingReader& reader, File& to, const LogExportOptions& options) {
  return Exporter(reader, to, options).run();
}

}  // namespace powercut::lab
