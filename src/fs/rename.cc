// Names that move.
//
// A directory that gets another parent changes the shape of the tree: NodeTable::rename_lock is
// held then, so that the way up that is looked at stays as it is.
#include "base/trace.h"
#include "fs/credits.h"
#include "fs/deletion.h"
#include "fs/inode_rules.h"
#include "fs/node_lookup.h"
#include "fs/operations.h"

namespace powercut::fs {
namespace {

[[maybe_unused]] const MutantNames kRenameMutants{"fs.rename.split"};

// The nodes of one rename.  `target` is the source where there is none, so that all can be locked.
struct Parties {
  Node& from_directory;
  Node& to_directory;
  NodeRef source_ref, target_ref;  // the second is null if the name is free
  Node& source;
  Node& target;

  bool has_target() const { return target_ref != nullptr; }
  bool is_across() const { return &from_directory != &to_directory; }
};

struct Places {
  NamePlace from, to;
  std::optional<NamePlace> source_parent, target_parent;  // ".." of directories that move
};

bool is_directory(const Node& node) {
  SharedLock lock(node.lock);
  return node.inode.is(InodeType::kDirectory);
}

// Whether `below` lies in `above`, or is it.  The tree does not change meanwhile (rename_lock).
Result<bool> lies_in(Core& core, Node& below, const Node& above) {
  InodeNo at = below.number;
  for (std::uint32_t steps = 0; steps <= core.shape.inode_count; ++steps) {
    if (at == above.number) return true;
    if (at == kRootInode) return false;
    const NodeRef node = TRY(core.nodes->get(at));
    SharedLock lock(node->lock);
    at = TRY(find_name(core, *node, "..")).inode;
  }
  return noted<bool>(
      core, fail(Errc::kCorrupt, "directory: its parents lead back to it", below.number.value()));
}

Result<void> check_not_into_itself(Core& core, const Parties& parties, RenameHow how) {
  if (!parties.is_across()) return {};
  if (is_directory(parties.source) && TRY(lies_in(core, parties.to_directory, parties.source))) {
    return fail(Errc::kInvalid, "rename: a directory into itself", parties.source.number.value());
  }
  if (!parties.has_target() || !is_directory(parties.target) ||
      !TRY(lies_in(core, parties.from_directory, parties.target))) {
    return {};
  }
  return how == RenameHow::kExchange
             ? fail(Errc::kInvalid, "rename: a directory into itself",
                    parties.target.number.value())
             : fail(Errc::kNotEmpty, "directory: has names", parties.target.number.value());
}

Result<void> check_movable(const Core& core, const Node& node) REQUIRES_SHARED(node.lock) {
  if (node.inode.links == 0) {
    return noted<void>(
        core, fail(Errc::kCorrupt, "inode: has a name, and no links", node.number.value()));
  }
  if ((node.inode.flags & (kImmutableFlag | kAppendFlag)) != 0) {
    return fail(Errc::kNotPermitted, "inode: immutable, or append only", node.number.value());
  }
  return {};
}

// Whether the source may take the target's name for itself.
Result<void> check_replaceable(Core& core, const Node& source, const Node& target)
    REQUIRES_SHARED(source.lock, target.lock) {
  const bool is_directory = target.inode.is(InodeType::kDirectory);
  if (is_directory && !source.inode.is(InodeType::kDirectory)) {
    return fail(Errc::kIsDirectory, "rename: over a directory", target.number.value());
  }
  if (!is_directory && source.inode.is(InodeType::kDirectory)) {
    return fail(Errc::kNotDirectory, "rename: a directory over a file", target.number.value());
  }
  if (is_directory && !TRY(is_empty_directory(core, target))) {
    return fail(Errc::kNotEmpty, "directory: has names", target.number.value());
  }
  if (is_directory || target.inode.links == 1) return check_can_be_deleted(core, target);
  return {};
}

Result<std::optional<NamePlace>> place_of_parent(Core& core, const Node& node)
    REQUIRES_SHARED(node.lock) {
  std::optional<NamePlace> place;
  if (!node.inode.is(InodeType::kDirectory)) return place;
  place = TRY(look_for_name(core, node, ".."));
  if (!place->found) {
    return noted(core, Result<std::optional<NamePlace>>(
                           fail(Errc::kCorrupt, "directory: has no ..", node.number.value())));
  }
  return place;
}

// The changes, one function each way.  REQUIRES of each: the locks of all four nodes.
class Move {
 public:
  Move(Core& core, const Parties& parties, RenameHow how)
      : core_(core),
        parties_(parties),
        from_(parties.from_directory),
        to_(parties.to_directory),
        source_(parties.source),
        target_(parties.target),
        is_exchange_(how == RenameHow::kExchange) {}

  Result<void> check(RenameHow how)
      REQUIRES_SHARED(from_.lock, to_.lock, source_.lock, target_.lock) {
    TRY(check_movable(core_, source_));
    if (parties_.has_target()) {
      if (how == RenameHow::kNoReplace) return fail(Errc::kExists, "rename: the new name");
      TRY(check_movable(core_, target_));
      if (!is_exchange_) TRY(check_replaceable(core_, source_, target_));
    } else if (is_exchange_) {
      return fail(Errc::kNotFound, "rename: the other name");
    }
    if (!parties_.is_across()) return {};
    const bool comes = source_.inode.is(InodeType::kDirectory);
    const bool goes = parties_.has_target() && target_.inode.is(InodeType::kDirectory);
    if (comes && !goes) TRY(check_one_more_directory(core_, to_));
    if (is_exchange_ && goes && !comes) TRY(check_one_more_directory(core_, from_));
    return {};
  }

  Result<void> prepare(Places& places)
      REQUIRES_SHARED(from_.lock, to_.lock, source_.lock, target_.lock) {
    if (!parties_.has_target()) TRY(prepare_add(core_, to_, places.to));
    if (!parties_.is_across()) return {};
    places.source_parent = TRY(place_of_parent(core_, source_));
    if (is_exchange_) places.target_parent = TRY(place_of_parent(core_, target_));
    return {};
  }

  Credits credits(const Places& places) REQUIRES_SHARED(to_.lock) {
    constexpr std::uint32_t kNodes = 4, kNames = 4;  // both names, and two ".."
    const std::uint32_t add =
        parties_.has_target() ? 0 : add_name_credits(core_, to_, places.to).value();
    return Credits(add + kNodes * kStoreCredits.value() + kNames * kPlaceCredits.value() +
                   Orphans::kCredits.value());
  }

  Result<void> carry_out(Handle& handle, Places& places)
      REQUIRES(from_.lock, to_.lock, source_.lock, target_.lock) {
    const std::uint8_t type = file_type_of(core_.shape, source_.inode.type());
    if (!parties_.has_target()) {
      TRY(add_name(core_, handle, to_, places.to, source_.number, type));
      take_old(handle, places);
    } else {
      set_place(core_, handle, to_, places.to, source_.number, type);
      if (is_exchange_) {
        set_place(core_, handle, from_, places.from, target_.number,
                  file_type_of(core_.shape, target_.inode.type()));
      } else {
        take_place(core_, handle, from_, places.from);
      }
    }
    move_parents(handle, places);
    if (!is_split()) unlink_target(handle);
    store_all(handle);
    return {};
  }

  // The target's end in a transaction of its own: a mistake on purpose.
  bool is_split() const { return mutant("fs.rename.split"); }
  Result<void> carry_out_rest() REQUIRES(from_.lock, to_.lock, source_.lock, target_.lock) {
    constexpr std::uint32_t kNodes = 4;
    Handle handle =
        TRY(core_.start(Credits(kNodes * kStoreCredits.value() + Orphans::kCredits.value())));
    unlink_target(handle);
    store_all(handle);
    return {};
  }

 private:
  // A name that was added to the same directory may have moved the old one.
  void take_old(Handle& handle, Places& places) REQUIRES(from_.lock) {
    if (!parties_.is_across()) {
      auto again = look_for_name(core_, from_, places.from.name);
      CHECK(again.has_value() && again->found, "a name that was found under the same lock");
      places.from = std::move(*again);
    }
    take_place(core_, handle, from_, places.from);
  }

  void move_parents(Handle& handle, const Places& places)
      REQUIRES(from_.lock, to_.lock, source_.lock, target_.lock) {
    if (places.source_parent) {
      set_place(core_, handle, source_, *places.source_parent, to_.number, kDirectoryFileType);
      count_directory_down(from_);
      count_directory_up(to_);
    }
    if (places.target_parent) {
      set_place(core_, handle, target_, *places.target_parent, from_.number, kDirectoryFileType);
      count_directory_down(to_);
      count_directory_up(from_);
    }
  }

  void unlink_target(Handle& handle) REQUIRES(to_.lock, target_.lock) {
    if (!parties_.has_target() || is_exchange_) return;
    if (target_.inode.is(InodeType::kDirectory)) {
      target_.inode.links = 0;
      count_directory_down(to_);
    } else {
      --target_.inode.links;
    }
    if (target_.inode.links == 0) core_.orphans->add(handle, target_);
  }

  void store_all(Handle& handle) REQUIRES(from_.lock, to_.lock, source_.lock, target_.lock) {
    names_changed(core_, from_);
    names_changed(core_, to_);
    inode_changed(core_, source_);
    inode_changed(core_, target_);
    core_.nodes->store(handle, from_);
    if (&to_ != &from_) core_.nodes->store(handle, to_);
    core_.nodes->store(handle, source_);
    if (&target_ != &source_) core_.nodes->store(handle, target_);
  }

  Core& core_;
  const Parties& parties_;
  Node& from_;
  Node& to_;
  Node& source_;
  Node& target_;
  const bool is_exchange_;
};

// False: a name stands for another inode now.  The analysis does not see that the nodes of Move
// are those that are locked here.
Result<bool> move_locked(Core& core, const Parties& parties, RenamePlace from, RenamePlace to,
                         RenameHow how) NO_THREAD_SAFETY_ANALYSIS {
  Move move(core, parties, how);
  LockFour lock(parties.from_directory, parties.to_directory, parties.source, parties.target);
  const bool takes_from_target = parties.has_target();
  TRY(check_changeable_directory(parties.from_directory, true));
  TRY(check_changeable_directory(parties.to_directory, takes_from_target));
  Places places;
  places.from = TRY(look_for_name(core, parties.from_directory, from.name));
  places.to = TRY(look_for_name(core, parties.to_directory, to.name));
  if (!stands_for(places.from, parties.source_ref.get()) ||
      !stands_for(places.to, parties.target_ref.get())) {
    return false;
  }
  if (!TRY(is_current(core, parties.source)) || !TRY(is_current(core, parties.target))) {
    return false;
  }
  TRY(move.check(how));
  TRY(move.prepare(places));
  {
    Handle handle = TRY(core.start(move.credits(places)));
    TRY(move.carry_out(handle, places));
  }
  trace_point("fs.rename.done", parties.source.number.value());
  if (move.is_split()) TRY(move.carry_out_rest());
  return true;
}

// False: a name stands for another inode now.
Result<bool> try_once(Core& core, RenamePlace from, RenamePlace to, RenameHow how,
                      NodeRef& replaced) {
  const NodeRef source = TRY(node_of_name(core, from.directory, from.name));
  Result<NodeRef> target = node_of_name(core, to.directory, to.name);
  if (!target && target.error().code != Errc::kNotFound) return Failure{target.error()};
  const NodeRef target_ref = target ? *target : nullptr;
  if (target_ref == source) {
    if (how == RenameHow::kNoReplace) return fail(Errc::kExists, "rename: the new name");
    return true;  // two names of one inode: both stay
  }
  const Parties parties{from.directory, to.directory, source,
                        target_ref,     *source,      target_ref ? *target_ref : *source};
  if (source.get() == &from.directory || target_ref.get() == &to.directory) {
    return fail(Errc::kInvalid, "rename: a directory into itself");
  }
  TRY(check_not_into_itself(core, parties, how));
  const bool is_done = TRY(move_locked(core, parties, from, to, how));
  if (is_done && how == RenameHow::kReplace) replaced = target_ref;
  return is_done;
}

Result<void> rename_in_tree(Core& core, RenamePlace from, RenamePlace to, RenameHow how,
                            NodeRef& replaced) {
  for (int i = 0; i < kTriesMax; ++i) {
    if (TRY(try_once(core, from, to, how, replaced))) return {};
  }
  return always_changing(from.directory);
}

}  // namespace

Result<void> rename(Core& core, RenamePlace from, RenamePlace to, RenameHow how) {
  if (is_dots(from.name) || is_dots(to.name)) return fail(Errc::kInvalid, "name: . or ..");
  NodeRef replaced;
  if (&from.directory == &to.directory) {
    TRY(rename_in_tree(core, from, to, how, replaced));
  } else {
    Lock lock(core.nodes->rename_lock);
    TRY(rename_in_tree(core, from, to, how, replaced));
  }
  if (replaced) {
    ignore_error(delete_now_or_later(core, replaced), "it stays an orphan, for the next mount");
  }
  return {};
}

}  // namespace powercut::fs
