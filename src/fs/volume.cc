#include "powercut/volume.h"

#include <algorithm>

#include "format/inode_kind.h"
#include "fs/deletion.h"
#include "fs/file.h"
#include "fs/inode_rules.h"
#include "fs/operations.h"
#include "fs/path.h"
#include "fs/volume_body.h"
#include "journal/section.h"

namespace powercut::fs {
namespace {

constexpr std::size_t kListedAtATime = 512;

Result<InodeType> special_type(FileKind kind) {
  switch (kind) {
    case FileKind::kFifo: return InodeType::kFifo;
    case FileKind::kSocket: return InodeType::kSocket;
    case FileKind::kCharacterDevice: return InodeType::kCharacterDevice;
    case FileKind::kBlockDevice: return InodeType::kBlockDevice;
    default: return fail(Errc::kInvalid, "make_node: no fifo, socket or device");
  }
}

Time time_of(const Timestamp& time) {
  return {time.seconds, time.nanoseconds};
}

std::optional<Timestamp> stamp_of(const std::optional<Time>& time) {
  if (!time) return std::nullopt;
  return Timestamp{time->seconds, time->nanoseconds};
}

FileStatus status_from(const Status& status) {
  const Inode& inode = status.inode;
  FileStatus known;
  known.inode = status.number.value();
  known.kind = file_kind_of(inode.type());
  known.mode = inode.mode & 07777;
  known.links = inode.links;
  known.uid = inode.uid;
  known.gid = inode.gid;
  known.size = inode.size;
  known.allocated = status.allocated_bytes;
  known.major = status.device.major;
  known.minor = status.device.minor;
  known.accessed = time_of(inode.access_time);
  known.modified = time_of(inode.modify_time);
  known.changed = time_of(inode.change_time);
  known.created = time_of(inode.create_time);
  return known;
}

NewInode new_inode(std::uint32_t mode) {
  return NewInode{.permissions = static_cast<std::uint16_t>(mode & 07777)};
}

Result<NodeRef> look_up(const VolumeBody& body, std::string_view path) {
  return find_path(*TRY(body.core()), path, LastSymlink::kKeep);
}

// A file, through symlinks; made if it is wanted and not there.
Result<NodeRef> find_or_make(Core& core, std::string_view path, const OpenWords& words) {
  const auto found = find_path(core, path, LastSymlink::kFollow);
  if (found) {
    if (words.creates && words.is_new) return fail_with(Errc::kExists, "file", path);
    return *found;
  }
  if (!words.creates || found.error().code != Errc::kNotFound) return Failure{found.error()};
  const ParentAndName parent = TRY(find_parent(core, path));
  const auto made = make_file(core, *parent.directory, parent.name, new_inode(words.mode));
  // Somebody else made it meanwhile.
  if (!made && made.error().code == Errc::kExists && !words.is_new) {
    return find_path(core, path, LastSymlink::kFollow);
  }
  return made;
}

}  // namespace

// ---- File

File::File(std::shared_ptr<VolumeBody> volume, std::shared_ptr<Node> node)
    : volume_(std::move(volume)), node_(std::move(node)) {}
File::File(File&&) noexcept = default;
File& File::operator=(File&& other) noexcept {
  std::swap(volume_, other.volume_);
  std::swap(node_, other.node_);
  return *this;
}
File::~File() {
  if (node_ != nullptr) volume_->close_file(node_);
}

Result<std::size_t> File::read(std::uint64_t offset, MutableBytes into) const {
  return fs::read_file(*TRY(volume_->core()), *node_, offset, into);
}

Result<void> File::write(std::uint64_t offset, Bytes bytes) {
  Core& core = *TRY(volume_->core());
  // What was written of a long write stays; the next piece says why it did not go on.
  while (!bytes.empty()) {
    const std::size_t done = TRY(fs::write_file(core, *node_, offset, bytes));
    offset += done;
    bytes = bytes.subspan(done);
  }
  return {};
}

Result<std::uint64_t> File::append(Bytes bytes) {
  Core& core = *TRY(volume_->core());
  std::optional<std::uint64_t> offset;
  while (!bytes.empty()) {
    const Appended appended = TRY(append_file(core, *node_, bytes));
    if (!offset) offset = appended.offset;
    bytes = bytes.subspan(appended.count);
  }
  return offset ? *offset : TRY(status()).size;
}

Result<void> File::truncate(std::uint64_t size) {
  return truncate_file(*TRY(volume_->core()), node_, size);
}
Result<void> File::allocate(std::uint64_t offset, std::uint64_t length, bool keeps_size) {
  return allocate_range(*TRY(volume_->core()), *node_, {offset, length}, keeps_size);
}
Result<void> File::punch(std::uint64_t offset, std::uint64_t length) {
  return punch_range(*TRY(volume_->core()), *node_, {offset, length});
}
Result<void> File::zero(std::uint64_t offset, std::uint64_t length, bool keeps_size) {
  return zero_range(*TRY(volume_->core()), *node_, {offset, length}, keeps_size);
}
Result<std::uint64_t> File::next_data(std::uint64_t offset) const {
  return seek_data(*TRY(volume_->core()), *node_, offset);
}
Result<std::uint64_t> File::next_hole(std::uint64_t offset) const {
  return seek_hole(*TRY(volume_->core()), *node_, offset);
}
Result<void> File::sync() {
  return sync_file(*TRY(volume_->core()), *node_, false);
}
Result<void> File::sync_data() {
  return sync_file(*TRY(volume_->core()), *node_, true);
}
Result<FileStatus> File::status() const {
  return status_from(status_of(*TRY(volume_->core()), *node_));
}

// ---- AtomicSection

AtomicSection::AtomicSection(std::unique_ptr<Section> section, std::shared_ptr<VolumeBody> volume)
    : section_(std::move(section)), volume_(std::move(volume)) {}
AtomicSection::AtomicSection(AtomicSection&&) noexcept = default;
AtomicSection::~AtomicSection() {
  if (section_ == nullptr) return;
  section_.reset();
  finish();
}
Result<void> AtomicSection::end() {
  const auto ended = section_->end();
  finish();
  return ended;
}
// What was removed in it may have been too large to be deleted in it.
void AtomicSection::finish() {
  const auto core = volume_->core();
  if (core) finish_deletions(**core);
}

// ---- Volume

Volume::Volume(Volume&&) noexcept = default;
Volume& Volume::operator=(Volume&&) noexcept = default;
Volume::~Volume() = default;

Result<Volume> Volume::open(const std::string& path, const VolumeOptions& options) {
  return Volume(TRY(VolumeBody::open(path, options)));
}

Result<Volume> Volume::open(BlockDevice& device, const Clock& clock, const WallClock& wall_clock,
                            const VolumeOptions& options) {
  return Volume(TRY(VolumeBody::open(device, clock, wall_clock, options)));
}

Result<void> Volume::close() {
  return body_->close();
}

Result<void> Volume::commit() {
  TRY(body_->core());
  return body_->mounted().sync();
}

Result<AtomicSection> Volume::begin_section(std::uint32_t blocks) {
  const Core& core = *TRY(body_->core());
  if (core.journal == nullptr) return fail(Errc::kReadOnly, "volume: opened read-only");
  const Credits most = core.journal->credits_max();
  const Credits reserve = blocks == 0 ? most : Credits(blocks);
  return AtomicSection(std::make_unique<Section>(TRY(core.journal->begin_section(reserve))), body_);
}

std::uint64_t Volume::write_bytes_max() const {
  const auto core = body_->core();
  return core ? atomic_write_bytes(**core) : 0;
}

Result<File> Volume::open_file(std::string_view path, const OpenWords& words) {
  Core& core = *TRY(body_->core());
  NodeRef node = TRY(find_or_make(core, path, words));
  const FileKind kind = file_kind_of(status_of(core, *node).inode.type());
  if (kind == FileKind::kDirectory) return fail_with(Errc::kIsDirectory, "open", path);
  if (kind != FileKind::kRegular) return fail_with(Errc::kInvalid, "open: no regular file", path);
  TRY(body_->open_file(node));
  File file(body_, std::move(node));
  if (words.truncates) TRY(file.truncate(0));
  return file;
}

Result<void> Volume::write_file(std::string_view path, Bytes content, std::uint32_t mode) {
  File file = TRY(open_file(path, {.creates = true, .truncates = true, .mode = mode}));
  return file.write(0, content);
}

Result<std::vector<std::uint8_t>> Volume::read_file(std::string_view path,
                                                    std::uint64_t bytes_max) {
  const File file = TRY(open_file(path));
  const std::uint64_t size = TRY(file.status()).size;
  if (size > bytes_max) return fail_with(Errc::kLimit, "file longer than asked for", path, size);
  std::vector<std::uint8_t> content(size);
  content.resize(TRY(file.read(0, content)));
  return content;
}

Result<void> Volume::make_directory(std::string_view path, std::uint32_t mode) {
  Core& core = *TRY(body_->core());
  const ParentAndName parent = TRY(find_parent(core, path));
  TRY(fs::make_directory(core, *parent.directory, parent.name, new_inode(mode)));
  return {};
}

Result<void> Volume::make_symlink(std::string_view path, std::string_view target) {
  Core& core = *TRY(body_->core());
  const ParentAndName parent = TRY(find_parent(core, path));
  TRY(fs::make_symlink(core, *parent.directory, parent.name, target, new_inode(0777)));
  return {};
}

Result<void> Volume::make_node(std::string_view path, FileKind kind, std::uint32_t mode,
                               std::uint32_t major, std::uint32_t minor) {
  Core& core = *TRY(body_->core());
  const InodeType type = TRY(special_type(kind));
  const ParentAndName parent = TRY(find_parent(core, path));
  TRY(make_special(core, *parent.directory, parent.name, type, {major, minor}, new_inode(mode)));
  return {};
}

Result<void> Volume::make_link(std::string_view existing, std::string_view path) {
  Core& core = *TRY(body_->core());
  const NodeRef node = TRY(look_up(*body_, existing));
  const ParentAndName parent = TRY(find_parent(core, path));
  return fs::make_link(core, node, *parent.directory, parent.name);
}

Result<void> Volume::remove(std::string_view path) {
  Core& core = *TRY(body_->core());
  const ParentAndName parent = TRY(find_parent(core, path));
  return remove_file(core, *parent.directory, parent.name);
}

Result<void> Volume::remove_directory(std::string_view path) {
  Core& core = *TRY(body_->core());
  const ParentAndName parent = TRY(find_parent(core, path));
  return fs::remove_directory(core, *parent.directory, parent.name);
}

Result<void> Volume::rename(std::string_view from, std::string_view to, Rename how) {
  Core& core = *TRY(body_->core());
  const ParentAndName source = TRY(find_parent(core, from));
  const ParentAndName target = TRY(find_parent(core, to));
  RenameHow inner = RenameHow::kReplace;
  if (how == Rename::kNoReplace) inner = RenameHow::kNoReplace;
  if (how == Rename::kExchange) inner = RenameHow::kExchange;
  return fs::rename(core, {*source.directory, source.name}, {*target.directory, target.name},
                    inner);
}

Result<std::string> Volume::read_symlink(std::string_view path) const {
  return fs::read_symlink(*TRY(body_->core()), *TRY(look_up(*body_, path)));
}

// The visitor is the user's: it is called with nothing locked, a batch of names at a time.
Result<void> Volume::list(std::string_view path,
                          const std::function<bool(const ListedEntry&)>& visit) const {
  Core& core = *TRY(body_->core());
  const NodeRef directory = TRY(find_path(core, path, LastSymlink::kFollow));
  std::uint64_t cookie = 0;
  for (bool is_done = false; !is_done;) {
    std::vector<ListedName> names;
    TRY(read_directory(core, *directory, cookie, [&](const ListedName& name) {
      names.push_back(name);
      return names.size() < kListedAtATime;
    }));
    is_done = names.size() < kListedAtATime;
    for (const ListedName& name : names) {
      cookie = name.next_cookie;
      if (name.name == "." || name.name == "..") continue;
      InodeType type = type_of_file_type(name.file_type);
      if (type == InodeType::kNone) {
        const auto node = core.nodes->get(name.inode);
        if (!node && node.error().code == Errc::kNotFound) continue;  // removed meanwhile
        if (!node) return Failure{node.error()};
        type = status_of(core, **node).inode.type();
      }
      if (!visit({name.name, name.inode.value(), file_kind_of(type)})) return {};
    }
  }
  return {};
}

Result<FileStatus> Volume::status(std::string_view path) const {
  return status_from(status_of(*TRY(body_->core()), *TRY(look_up(*body_, path))));
}

Result<void> Volume::set_mode(std::string_view path, std::uint32_t mode) {
  const auto permissions = static_cast<std::uint16_t>(mode & 07777);
  return change_status(*TRY(body_->core()), *TRY(look_up(*body_, path)),
                       {.permissions = permissions});
}

Result<void> Volume::set_owner(std::string_view path, std::optional<std::uint32_t> uid,
                               std::optional<std::uint32_t> gid) {
  return change_status(*TRY(body_->core()), *TRY(look_up(*body_, path)), {.uid = uid, .gid = gid});
}

Result<void> Volume::set_times(std::string_view path, std::optional<Time> accessed,
                               std::optional<Time> modified) {
  return change_status(*TRY(body_->core()), *TRY(look_up(*body_, path)),
                       {.access_time = stamp_of(accessed), .modify_time = stamp_of(modified)});
}

Result<std::vector<std::uint8_t>> Volume::attribute(std::string_view path,
                                                    std::string_view name) const {
  return get_xattr(*TRY(body_->core()), *TRY(look_up(*body_, path)), name);
}

Result<void> Volume::set_attribute(std::string_view path, std::string_view name, Bytes value) {
  return set_xattr(*TRY(body_->core()), *TRY(look_up(*body_, path)), name, value, SetMode::kEither);
}

Result<void> Volume::remove_attribute(std::string_view path, std::string_view name) {
  return remove_xattr(*TRY(body_->core()), *TRY(look_up(*body_, path)), name);
}

Result<std::vector<std::string>> Volume::attributes(std::string_view path) const {
  return list_xattrs(*TRY(body_->core()), *TRY(look_up(*body_, path)));
}

Space Volume::space() const {
  const SpaceUse use = body_->mounted().space();
  return {use.blocks, use.free_blocks, use.available_blocks,
          use.inodes, use.free_inodes, use.block_bytes};
}

}  // namespace powercut::fs
