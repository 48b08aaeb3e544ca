#include "fs/directory_block.h"

#include "base/crc32c.h"
#include "base/fuzzing.h"
#include "format/ext4_directory.h"
#include "format/ext4_disk.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kFrontBytes = sizeof(disk::DirEntry);
constexpr std::uint32_t kTailBytes = sizeof(disk::DirTail);

Failure damaged(BlockNo place) {
  return fail(Errc::kCorrupt, "directory block: length or inode of an entry", place.value());
}

disk::DirEntry front_at(Bytes block, std::uint32_t at) {
  disk::DirEntry front;
  std::memcpy(&front, block.data() + at, sizeof(front));
  return front;
}

void set_front(MutableBytes block, const DirectoryForm& form, std::uint32_t at,
               std::uint32_t record_bytes, const NewName& name) {
  disk::DirEntry front;
  front.inode = name.inode.value();
  front.record_bytes = stored_record_length(record_bytes, form.block_bytes());
  front.name_bytes = static_cast<std::uint8_t>(name.name.size());
  front.file_type = form.shape->has(Ext4Incompat::kFileType) ? name.file_type : std::uint8_t{0};
  store(block, at, front);
}

void set_record_bytes(MutableBytes block, const DirectoryForm& form, std::uint32_t at,
                      std::uint32_t record_bytes) {
  disk::DirEntry front = front_at(block, at);
  front.record_bytes = stored_record_length(record_bytes, form.block_bytes());
  store(block, at, front);
}

std::uint32_t record_bytes_at(Bytes block, const DirectoryForm& form, std::uint32_t at) {
  return record_length(front_at(block, at).record_bytes, form.block_bytes());
}

void put_name(MutableBytes block, std::uint32_t at, std::string_view name) {
  std::memcpy(block.data() + at + kFrontBytes, name.data(), name.size());
  const std::uint32_t end = at + kFrontBytes + static_cast<std::uint32_t>(name.size());
  std::memset(block.data() + end, 0, at + record_bytes_for(name.size()) - end);
}

void seal(MutableBytes block, const DirectoryForm& form) {
  if (!form.shape->has_metadata_checksums()) return;
  disk::DirTail tail{};
  tail.record_bytes = static_cast<std::uint16_t>(kTailBytes);
  tail.file_type = disk::kDirectoryTailType;
  tail.checksum = crc32c(form.owner.seed, Bytes(block).first(form.records_end()));
  store(block, form.records_end(), tail);
}

bool is_legal(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

}  // namespace

std::uint32_t DirectoryForm::records_end() const {
  return shape->block_bytes() - (shape->has_metadata_checksums() ? kTailBytes : 0);
}

std::uint32_t record_bytes_for(std::size_t name_bytes) {
  return static_cast<std::uint32_t>((kFrontBytes + name_bytes + 3) / 4 * 4);
}

std::uint32_t RecordAt::room() const {
  return inode.value() == 0 ? bytes : bytes - record_bytes_for(name.size());
}

bool Records::next(RecordAt& record) {
  if (is_damaged_ || at_ >= bytes_.size()) return false;
  is_damaged_ = true;
  const auto left = static_cast<std::uint32_t>(bytes_.size()) - at_;
  if (left < kFrontBytes) return false;
  const disk::DirEntry front = front_at(bytes_, at_);
  const std::uint32_t bytes = record_length(front.record_bytes, form_.block_bytes());
  if (bytes < kFrontBytes || bytes % 4 != 0 || bytes > left ||
      front.name_bytes > bytes - kFrontBytes) {
    return false;
  }
  if (front.inode > form_.shape->inode_count) return false;
  if (front.inode.value() != 0 && front.name_bytes == 0) return false;
  is_damaged_ = false;
  record.at = at_;
  record.before = before_;
  record.bytes = bytes;
  record.inode = InodeNo(front.inode);
  record.file_type = form_.shape->has(Ext4Incompat::kFileType) ? front.file_type : std::uint8_t{0};
  record.name = {reinterpret_cast<const char*>(bytes_.data()) + at_ + kFrontBytes,
                 front.name_bytes};
  before_ = at_;
  at_ += bytes;
  return true;
}

Result<void> check_names_block(Bytes block, BlockNo place, const DirectoryForm& form) {
  if (is_fuzzing() || !form.shape->has_metadata_checksums()) return {};
  const auto tail = TRY(load<disk::DirTail>(block, form.records_end()));
  if (tail.zero_inode.value() != 0 || tail.record_bytes.value() != kTailBytes ||
      tail.zero_name != 0 || tail.file_type != disk::kDirectoryTailType) {
    return fail(Errc::kChecksum, "directory block: no checksum at its end", place.value());
  }
  if (crc32c(form.owner.seed, block.first(form.records_end())) != tail.checksum.value()) {
    return fail(Errc::kChecksum, "directory block: checksum", place.value());
  }
  return {};
}

Result<BlockLook> look_in_block(Bytes block, BlockNo place, const DirectoryForm& form,
                                std::string_view name) {
  TRY(check_names_block(block, place, form));
  const std::uint32_t needed = record_bytes_for(name.size());
  BlockLook look;
  Records records(block, form);
  RecordAt record;
  std::uint32_t all_room = 0;
  while (records.next(record)) {
    if (record.inode.value() != 0 && record.name == name) {
      look.found = record;
      return look;
    }
    if (!look.room_at && record.room() >= needed) look.room_at = record.at;
    all_room += record.room();
  }
  if (records.is_damaged()) return damaged(place);
  look.has_room_packed = all_room >= needed;
  return look;
}

Result<std::vector<RecordAt>> records_of(Bytes block, BlockNo place, const DirectoryForm& form) {
  TRY(check_names_block(block, place, form));
  std::vector<RecordAt> all;
  Records records(block, form);
  RecordAt record;
  while (records.next(record)) {
    if (record.inode.value() != 0 && !is_legal(record.name)) {
      return fail(Errc::kCorrupt, "directory block: a name with '/' or a zero byte", place.value());
    }
    all.push_back(record);
  }
  if (records.is_damaged()) return damaged(place);
  return all;
}

void put_record(MutableBytes block, const DirectoryForm& form, std::uint32_t at,
                const NewName& name) {
  const disk::DirEntry front = front_at(block, at);
  const std::uint32_t whole = record_length(front.record_bytes, form.block_bytes());
  const std::uint32_t used = front.inode.value() == 0 ? 0 : record_bytes_for(front.name_bytes);
  CHECK(whole >= used + record_bytes_for(name.name.size()), "directory: no room for the name");
  if (used != 0) set_record_bytes(block, form, at, used);
  set_front(block, form, at + used, whole - used, name);
  put_name(block, at + used, name.name);
  seal(block, form);
}

void take_record(MutableBytes block, const DirectoryForm& form, std::uint32_t at,
                 std::uint32_t before) {
  const std::uint32_t bytes = record_bytes_at(block, form, at);
  if (before == at) {
    disk::DirEntry front = front_at(block, at);
    front.inode = 0;
    store(block, at, front);
  } else {
    set_record_bytes(block, form, before, at - before + bytes);
  }
  seal(block, form);
}

void set_record(MutableBytes block, const DirectoryForm& form, std::uint32_t at, InodeNo inode,
                std::uint8_t file_type) {
  disk::DirEntry front = front_at(block, at);
  front.inode = inode.value();
  if (form.shape->has(Ext4Incompat::kFileType)) front.file_type = file_type;
  store(block, at, front);
  seal(block, form);
}

void pack_block(MutableBytes block, const DirectoryForm& form, const std::vector<NewName>& names) {
  std::memset(block.data(), 0, block.size());
  const std::uint32_t end = form.records_end();
  if (names.empty()) set_front(block, form, 0, end, NewName{});
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::uint32_t own = record_bytes_for(names[i].name.size());
    CHECK(end - at >= own, "directory: names that do not fit into a block");
    const std::uint32_t bytes = i + 1 < names.size() ? own : end - at;
    set_front(block, form, at, bytes, names[i]);
    put_name(block, at, names[i].name);
    at += bytes;
  }
  seal(block, form);
}

}  // namespace powercut::fs
