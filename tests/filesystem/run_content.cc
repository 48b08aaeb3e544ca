// Random runs: the content of files.
#include <algorithm>

#include "tests/filesystem/model_run.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

constexpr std::size_t kOpenMax = 4;

template <class T>
std::optional<Error> error_in(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error());
}

// Small ones mostly: what goes wrong goes wrong at edges.
std::uint64_t length_of(std::uint32_t number, std::uint64_t most) {
  const std::uint64_t rest = number / 4;
  return 1 + rest % (number % 4 == 0 ? most : std::min<std::uint64_t>(most, 5000));
}

void clear(std::vector<std::uint8_t>& content, Range range) {
  const std::uint64_t end = std::min<std::uint64_t>(range.end(), content.size());
  for (std::uint64_t at = range.offset; at < end; ++at) content[at] = 0;
}

}  // namespace

std::optional<ModelRun::Open> ModelRun::pick_file(std::uint32_t number) {
  if (!open_.empty() && number % 5 == 0) return open_[number / 5 % open_.size()];
  const auto place = pick_file_place(number / 5);
  if (!place) return std::nullopt;
  NodeRef node = node_of(*place);
  if (node == nullptr) return std::nullopt;
  return Open{place->inode, std::move(node)};
}

ModelInode& ModelRun::change_content(ModelId id) {
  ModelInode& inode = model_.change(id, number_);
  inode.data_at = number_;
  inode.modified = inode.changed = now_;
  return inode;
}

void ModelRun::carry_out_content(const Operation& operation) {
  if (operation.verb == Verb::kOpen) return open(operation);
  if (operation.verb == Verb::kClose) {
    if (!open_.empty()) close(operation.numbers[0] % open_.size());
    return;
  }
  const auto file = pick_file(operation.numbers[0]);
  if (!file) return;
  switch (operation.verb) {
    case Verb::kWrite: return write(operation, *file, false);
    case Verb::kAppend: return write(operation, *file, true);
    case Verb::kTruncate: return truncate(operation, *file);
    case Verb::kSeek: return seek(*file);
    case Verb::kRead: return read(*file);
    default: return change_range(operation, *file);
  }
}

void ModelRun::open(const Operation& operation) {
  if (open_.size() >= kOpenMax) close(0);
  if (is_cut()) return;
  const auto place = pick_file_place(operation.numbers[0]);
  if (!place) return;
  NodeRef node = node_of(*place);
  if (node == nullptr) return;
  expect(open_node(*node).has_value(), "open of what is there");
  open_.push_back({place->inode, std::move(node)});
}

void ModelRun::close(std::size_t index) {
  const Open closing = open_[index];
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
  const auto closed = close_node(core(), closing.node);
  // In a section the deletion may be refused: it stays an orphan.
  if (closed || is_cut() || may_fail_ || section_) return;
  expect(false, "close: " + error_words(closed.error()));
}

void ModelRun::write(const Operation& operation, const Open& file, bool appends) {
  const std::uint64_t size = model_[file.inode].content.size();
  const std::uint64_t most =
      std::min<std::uint64_t>(atomic_write_bytes(core()), form_.size_max / 3);
  const std::uint64_t length = length_of(operation.numbers[1], most);
  std::uint64_t offset = operation.numbers[2] % form_.size_max;
  if (operation.numbers[3] % 3 != 0) offset = operation.numbers[2] % (size + 1);
  if (appends) offset = size;
  const auto bytes = pattern(length, options_.seed ^ operation.numbers[3]);
  Refusals refusals;
  const ModelInode& inode = model_[file.inode];
  const bool is_fixed =
      inode.has_flag(kImmutable) || (inode.has_flag(kAppendOnly) && offset < inode.content.size());
  if (is_fixed) refusals.push_back(Errc::kNotPermitted);
  std::optional<Error> error;
  if (appends) {
    const auto appended = append_file(core(), *file.node, bytes);
    error = error_in(appended);
    expect(error || (appended->offset == offset && appended->count == length), "a short append");
  } else {
    const auto written = write_file(core(), *file.node, offset, bytes);
    error = error_in(written);
    expect(error || *written == length, "a short write");
  }
  const std::uint64_t blocks = length / core().block_bytes() + 2;
  if (!settle(error, refusals, blocks)) return;
  std::vector<std::uint8_t>& content = change_content(file.inode).content;
  content.resize(std::max<std::size_t>(content.size(), offset + length));
  std::ranges::copy(bytes, content.begin() + static_cast<std::ptrdiff_t>(offset));
  push();
}

void ModelRun::truncate(const Operation& operation, const Open& file) {
  const ModelInode& inode = model_[file.inode];
  const std::uint64_t most =
      operation.numbers[1] % 3 == 0 ? form_.size_max : inode.content.size() + 1;
  const std::uint64_t size = operation.numbers[2] % most;
  Refusals refusals;
  if (inode.has_flag(kImmutable | kAppendOnly)) refusals.push_back(Errc::kNotPermitted);
  const auto done = truncate_file(core(), file.node, size);
  const bool changes = settle(error_in(done), refusals);
  if (!changes && !is_cut()) return;
  change_content(file.inode).content.resize(size);
  push(!changes);
}

void ModelRun::change_range(const Operation& operation, const Open& file) {
  const ModelInode& inode = model_[file.inode];
  const Range range{operation.numbers[1] %
                        (operation.numbers[3] % 3 == 0 ? form_.size_max : inode.content.size() + 1),
                    length_of(operation.numbers[2], form_.size_max / 3)};
  const bool keeps_size = operation.numbers[3] % 2 == 0;
  const bool takes_away = operation.verb != Verb::kAllocate;
  const bool gives = operation.verb != Verb::kPunch;
  Refusals refusals;
  if (inode.has_flag(kImmutable) || (takes_away && inode.has_flag(kAppendOnly))) {
    refusals.push_back(Errc::kNotPermitted);
  }
  const auto done = [&]() -> Result<void> {
    if (!gives) return punch_range(core(), *file.node, range);
    if (takes_away) return zero_range(core(), *file.node, range, keeps_size);
    return allocate_range(core(), *file.node, range, keeps_size);
  }();
  const std::uint64_t blocks = gives ? range.length / core().block_bytes() + 2 : 0;
  const bool changes = settle(error_in(done), refusals, blocks);
  if (!changes && !is_cut()) return;
  std::vector<std::uint8_t>& content = change_content(file.inode).content;
  if (takes_away) clear(content, range);
  if (!gives || keeps_size || content.size() >= range.end()) return push(!changes);
  // What several transactions did is there from its front on.
  const std::uint32_t block = core().block_bytes();
  for (std::uint64_t size = content.size() / block * block + block; size < range.end();
       size += block) {
    push(true);
    change_content(file.inode).content.resize(size);
  }
  push(true);
  change_content(file.inode).content.resize(range.end());
  push(!changes);
}

// Data is where the model is not zero; a hole reads as zeroes.
void ModelRun::seek(const Open& file) {
  const auto& bytes = model_[file.inode].content;
  for (std::uint64_t at = 0;;) {
    const auto data = seek_data(core(), *file.node, at);
    if (!data && (is_cut() || may_fail_)) return;
    expect(data || data.error().code == Errc::kNotFound, "SEEK_DATA");
    const std::uint64_t hole_end = data ? *data : bytes.size();
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at, hole_end));
    const auto to = bytes.begin() + static_cast<std::ptrdiff_t>(hole_end);
    expect(std::all_of(from, to, [](std::uint8_t byte) { return byte == 0; }), "data in a hole");
    if (!data) return;
    const auto hole = seek_hole(core(), *file.node, *data);
    if (!hole && (is_cut() || may_fail_)) return;
    expect(hole && *hole > *data, "SEEK_HOLE");
    if (*hole >= bytes.size()) return;
    at = *hole;
  }
}

void ModelRun::read(const Open& file) {
  const ModelInode& inode = model_[file.inode];
  std::vector<std::uint8_t> bytes(inode.content.size() + 5);
  const auto count = read_file(core(), *file.node, 0, bytes);
  if (!count && (is_cut() || may_fail_)) return;
  expect(count.has_value(), "read: " + (count ? "" : error_words(count.error())));
  bytes.resize(*count);
  expect(bytes == inode.content, "the content of a file");
  const Status status = status_of(core(), *file.node);
  expect(status.inode.links == model_.links(file.inode), "the links of a file");
}

}  // namespace powercut::fs
