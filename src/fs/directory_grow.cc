// Adding names: into room that is there, or with new blocks: a linear directory gets one more, or
// becomes an htree; a leaf is split by the order of its hashes.
#include <algorithm>

#include "fs/directory.h"
#include "fs/extent_map.h"
#include "fs/groups.h"

namespace powercut::fs {
namespace {

constexpr std::uint32_t kTwoLeaves = 2;

bool becomes_htree(const Core& core, const Node& directory) REQUIRES_SHARED(directory.lock) {
  return core.shape.has(Ext4Compat::kDirIndex) && block_count_of(core, directory) == 1 &&
         !directory.inode.has(InodeFlag::kIndexed);
}

// New blocks at the end of a directory, with what the extent tree takes for them.
Credits credits_of_blocks(const Core& core, const Node& directory, std::uint32_t blocks)
    REQUIRES_SHARED(directory.lock) {
  // Each is taken from a group, and written.
  const std::uint32_t own = blocks * (Groups::kAllocateCredits + 1);
  return Credits(own + map_credits(core, directory, blocks).value());
}

Result<SpaceClaim> claim_blocks(const Core& core, const Node& directory, std::uint32_t blocks)
    REQUIRES_SHARED(directory.lock) {
  const FileBlock end(block_count_of(core, directory));
  const MappedRun behind = TRY(find_run(core, directory, end));
  if (behind.kind != MappedRun::Kind::kHole || behind.count < blocks) {
    return fail(Errc::kCorrupt, "directory: blocks behind its end", directory.number.value());
  }
  const BlockGoal goal = TRY(goal_of(core, directory, end));
  TRY(core.groups->prepare(goal.block, blocks));
  return core.groups->claim(blocks + tree_blocks_max(core, directory, blocks));
}

Result<GrownBlock> take_block(Core& core, Handle& handle, Node& directory, FileBlock file,
                              SpaceClaim& claim) REQUIRES(directory.lock) {
  const BlockGoal goal = TRY(goal_of(core, directory, file));
  const BlockRun run = TRY(core.groups->allocate(
      handle, BlockWish{.goal = goal.block, .continues = goal.continues, .claim = &claim}));
  Result<BufferRef> buffer = core.buffers->get_unread(run.first);
  Result<void> mapped;
  if (buffer) mapped = add_run(core, handle, directory, file, run, false, &claim);
  if (!buffer || !mapped) {
    ignore_error(core.groups->release(handle, run), "taken just now from the same group");
    return Failure{buffer ? mapped.error() : buffer.error()};
  }
  return GrownBlock{file, std::move(*buffer)};
}

// New blocks at the end of the directory's file, whose content is still to be given.  Its size does
// not count them yet.  After an error all is as it was.
Result<std::vector<GrownBlock>> take_blocks(Core& core, Handle& handle, Node& directory,
                                            std::uint32_t count, SpaceClaim& claim)
    REQUIRES(directory.lock) {
  const std::uint64_t end = block_count_of(core, directory);
  std::vector<GrownBlock> blocks;
  for (std::uint32_t i = 0; i < count; ++i) {
    Result<GrownBlock> block = take_block(core, handle, directory, FileBlock(end + i), claim);
    if (!block) {
      ignore_error(remove_runs(core, handle, directory, FileBlock(end), FileBlock(end + i)),
                   "mapped just now, and nothing of it is known to anybody");
      return Failure{block.error()};
    }
    blocks.push_back(std::move(*block));
  }
  return blocks;
}

struct HashedName {
  std::uint32_t hash = 0;
  NewName name;
};

// What is in a block, by hash, but for "." and "..".  The names lie in `block`.
std::vector<HashedName> names_by_hash(Bytes block, const DirectoryForm& form,
                                      DirectoryHash hash_version) {
  std::vector<HashedName> names;
  Records records(block, form);
  RecordAt record;
  while (records.next(record)) {
    if (record.inode.value() == 0 || record.name == "." || record.name == "..") continue;
    const auto hash = hash_name(record.name, hash_version, form.shape->hash_seed);
    CHECK(hash.has_value(), "a hash that was known when the index was looked through");
    names.push_back({hash->major, {record.name, record.inode, record.file_type}});
  }
  std::ranges::stable_sort(names, {}, &HashedName::hash);
  return names;
}

// Where the upper half begins, by bytes: so that the name that did not fit will fit into either.
std::size_t middle_of(const std::vector<HashedName>& names, std::uint32_t half_bytes) {
  std::size_t middle = names.size();
  std::uint32_t moved = 0;
  while (middle > 1) {
    const std::uint32_t bytes = record_bytes_for(names[middle - 1].name.name.size());
    if (moved + bytes / 2 > half_bytes) break;
    moved += bytes;
    --middle;
  }
  return std::min(middle, names.size() - 1);
}

struct Halves {
  std::vector<NewName> lower, upper;
  std::uint32_t upper_hash = 0;  // as its slot says it
};

Halves halves_of(const std::vector<HashedName>& names, const DirectoryForm& form) {
  CHECK(names.size() >= kTwoLeaves, "a block without room has several names");
  Halves halves;
  const std::size_t middle = middle_of(names, form.records_end() / 2);
  for (std::size_t i = 0; i < names.size(); ++i) {
    (i < middle ? halves.lower : halves.upper).push_back(names[i].name);
  }
  const bool goes_on = names[middle].hash == names[middle - 1].hash;
  halves.upper_hash = names[middle].hash | (goes_on ? kContinues : 0);
  return halves;
}

void write_leaf(Handle& handle, const DirectoryForm& form, const BufferRef& buffer,
                const std::vector<NewName>& names) {
  Content content = Content::unset(form.block_bytes());
  pack_block(content.mutable_bytes(), form, names);
  handle.replace(buffer, std::move(content));
}

// Moves the records of a block together, in their order, and puts the name behind them.
void pack_with(Handle& handle, const DirectoryForm& form, const BufferRef& buffer,
               const NewName& name) {
  const Content content = buffer->snapshot();
  std::vector<NewName> names;
  Records records(content.bytes(), form);
  RecordAt record;
  while (records.next(record)) {
    if (record.inode.value() != 0) names.push_back({record.name, record.inode, record.file_type});
  }
  names.push_back(name);
  write_leaf(handle, form, buffer, names);
}

// Puts the name into the half of its hash: the lower one also if the upper begins within its hash.
void put_in_half(Halves& halves, std::uint32_t hash, const NewName& name) {
  (hash >= halves.upper_hash ? halves.upper : halves.lower).push_back(name);
}

void split_leaf(Core& core, Handle& handle, const DirectoryForm& form, NamePlace& place,
                const NewName& name, std::vector<GrownBlock>& grown) {
  IndexPath& path = *place.index;
  const GrownBlock added = grown.back();
  grown.pop_back();
  const Content content = place.room_buffer->snapshot();
  Halves halves = halves_of(names_by_hash(content.bytes(), form, path.hash_version), form);
  put_in_half(halves, path.hash.major, name);
  insert_slot(core, handle, form, path, {halves.upper_hash, added.file}, grown);
  write_leaf(handle, form, added.buffer, halves.upper);
  write_leaf(handle, form, place.room_buffer, halves.lower);
}

// The first block becomes the root, and its names go into two leaves.
void make_htree(Core& core, Handle& handle, const DirectoryForm& form, const HtreeRoot& dots,
                const NamePlace& place, const NewName& name,
                const std::vector<GrownBlock>& leaves) {
  const auto hash_version = known_hash(dots.hash_version, core.shape);
  CHECK(hash_version.has_value(), "a hash that was known when this began");
  const Content content = place.room_buffer->snapshot();
  Halves halves = halves_of(names_by_hash(content.bytes(), form, *hash_version), form);
  const auto hash = hash_name(name.name, *hash_version, core.shape.hash_seed);
  CHECK(hash.has_value(), "a hash that was known when this began");
  put_in_half(halves, hash->major, name);
  write_leaf(handle, form, leaves[0].buffer, halves.lower);
  write_leaf(handle, form, leaves[1].buffer, halves.upper);
  HtreeRoot root = dots;
  root.entries = {{0, leaves[0].file}, {halves.upper_hash, leaves[1].file}};
  Content first = Content::zeroes(core.block_bytes());
  root.encode(first.mutable_bytes(), form.owner, core.shape);
  handle.replace(place.room_buffer, std::move(first));
}

// "." and ".." of a linear directory, as the root of an htree would have them.
Result<HtreeRoot> dots_of(Core& core, const Node& directory, const BufferRef& first)
    REQUIRES_SHARED(directory.lock) {
  const DirectoryForm form = form_of(core, directory);
  const Content content = first->snapshot();
  Records records(content.bytes(), form);
  RecordAt dot, dotdot;
  const bool are_there = records.next(dot) && records.next(dotdot) && dot.name == "." &&
                         dotdot.name == ".." && dot.inode == directory.number &&
                         dotdot.inode.value() != 0;
  if (!are_there) {
    return fail(Errc::kCorrupt, "directory: does not begin with . and ..",
                directory.number.value());
  }
  HtreeRoot root;
  root.self = dot.inode;
  root.parent = dotdot.inode;
  root.hash_version = core.shape.hash_version;
  TRY(known_hash(root.hash_version, core.shape));
  return root;
}

// Whether a leaf that is to be split holds what the index says: what is written must not be worse
// than what was found.
Result<void> check_leaf(const NamePlace& place, const DirectoryForm& form) {
  const IndexPath& path = *place.index;
  const BlockNo block = place.room_buffer->number();
  const Content content = place.room_buffer->snapshot();
  const auto names = names_by_hash(content.bytes(), form, path.hash_version);
  if (names.size() < kTwoLeaves) {
    return fail(Errc::kCorrupt, "directory block: full, with less than two names", block.value());
  }
  if (names.front().hash < path.leaf_from || names.back().hash > path.leaf_to) {
    return fail(Errc::kCorrupt, "directory block: a name out of its hashes", block.value());
  }
  return {};
}

Result<void> check_two_names(const NamePlace& place, const DirectoryForm& form,
                             std::uint8_t hash_version) {
  const DirectoryHash hash = TRY(known_hash(hash_version, *form.shape));
  const Content content = place.room_buffer->snapshot();
  if (names_by_hash(content.bytes(), form, hash).size() >= kTwoLeaves) return {};
  return fail(Errc::kCorrupt, "directory block: full, with less than two names",
              place.room_buffer->number().value());
}

Result<void> check_root(Core& core, const NamePlace& place, const DirectoryForm& form) {
  const BufferRef& root = place.index->frames.front().buffer;
  const Content content = root->snapshot();
  TRY(HtreeRoot::parse(content.bytes(), root->number(), form.owner, core.shape));
  return {};
}

void grow_size(Core& core, Node& directory, std::uint32_t blocks) REQUIRES(directory.lock) {
  directory.inode.size += std::uint64_t{blocks} * core.block_bytes();
}

Result<void> prepare(Core& core, const Node& directory, NamePlace& place)
    REQUIRES_SHARED(directory.lock) {
  place.new_blocks = 0;
  if (place.room_at) return {};
  if (!place.index && becomes_htree(core, directory)) {
    place.room_buffer = TRY(read_directory_block(core, directory, FileBlock(0)));
  }
  if (place.has_room_packed) return {};
  if (place.index) {
    const DirectoryForm form = form_of(core, directory);
    TRY(check_root(core, place, form));
    TRY(set_leaf_range(core, directory, *place.index));
    TRY(check_leaf(place, form));
    place.new_blocks = 1 + TRY(index_blocks_needed(core, *place.index));
  } else if (becomes_htree(core, directory)) {
    const HtreeRoot dots = TRY(dots_of(core, directory, place.room_buffer));
    TRY(check_two_names(place, form_of(core, directory), dots.hash_version));
    place.new_blocks = kTwoLeaves;
  } else {
    place.new_blocks = 1;
  }
  place.claim = TRY(claim_blocks(core, directory, place.new_blocks));
  return {};
}

}  // namespace

Result<void> prepare_add(Core& core, const Node& directory, NamePlace& place) {
  return noted(core, prepare(core, directory, place));
}

Credits add_name_credits(const Core& core, const Node& directory, const NamePlace& place) {
  if (place.new_blocks == 0) return kPlaceCredits;
  // The leaf that is split (or the block that becomes the root), and the index above it.
  const std::size_t frames = place.index ? place.index->frames.size() : 0;
  return Credits(credits_of_blocks(core, directory, place.new_blocks).value() +
                 static_cast<std::uint32_t>(frames) + 1);
}

Result<void> add_name(Core& core, Handle& handle, Node& directory, NamePlace& place, InodeNo inode,
                      std::uint8_t file_type) {
  const DirectoryForm form = form_of(core, directory);
  const NewName name{place.name, inode, file_type};
  if (place.room_at) {
    handle.change(place.room_buffer,
                  [&](MutableBytes block) { put_record(block, form, *place.room_at, name); });
    return {};
  }
  if (place.has_room_packed) {
    pack_with(handle, form, place.room_buffer, name);
    return {};
  }
  CHECK(place.new_blocks > 0, "prepare_add() comes first");
  const bool is_becoming = becomes_htree(core, directory);
  std::optional<HtreeRoot> dots;
  if (is_becoming) dots = TRY(dots_of(core, directory, place.room_buffer));
  auto grown = TRY(take_blocks(core, handle, directory, place.new_blocks, place.claim));
  if (place.index) {
    split_leaf(core, handle, form, place, name, grown);
  } else if (is_becoming) {
    make_htree(core, handle, form, *dots, place, name, grown);
    directory.inode.flags |= static_cast<std::uint32_t>(InodeFlag::kIndexed);
  } else {
    write_leaf(handle, form, grown[0].buffer, {name});
  }
  grow_size(core, directory, place.new_blocks);
  return {};
}

Credits begin_directory_credits(const Core& core, const Node& directory) {
  return credits_of_blocks(core, directory, 1);
}

Result<SpaceClaim> claim_first_block(const Core& core, const Node& parent) {
  TRY(core.groups->prepare(core.groups->goal_near(parent.number), 1, parent.number));
  return core.groups->claim(1);
}

Result<void> begin_directory(Core& core, Handle& handle, Node& directory, InodeNo parent,
                             SpaceClaim& claim) {
  const DirectoryForm form = form_of(core, directory);
  const auto grown = TRY(take_blocks(core, handle, directory, 1, claim));
  write_leaf(handle, form, grown[0].buffer,
             {{".", directory.number, kDirectoryFileType}, {"..", parent, kDirectoryFileType}});
  grow_size(core, directory, 1);
  return {};
}

}  // namespace powercut::fs
