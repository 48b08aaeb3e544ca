// The load `mixed`: names that come, go, change places and get second names; files that are
// written, cut, punched and allocated.
#include <utility>

#include "lab/sources/guest/load_kinds.h"

namespace powercut::lab {
namespace {

constexpr std::uint32_t kUnitsMost = 24;  // of one write

// One name, the file that it holds, and that file's second name.
struct Slot {
  std::string name;
  std::optional<LoadFile> file;
  bool has_link = false;       // NAME.link is there
  bool is_known_link = false;  // NAME.link was spoken of
  bool is_durable = false;     // the name is, as it is
  std::string link() const { return name + ".link"; }
};

class MixedLoad {
 public:
  explicit MixedLoad(LoadPlace& place)
      : place_(place),
        prng_(place.prng()),
        units_max_(place.shared().options.file_kib * 1024 / kUnitBytes) {
    for (unsigned i = 0; i < place.shared().options.file_count; ++i) {
      slots_.emplace_back().name = "x" + std::to_string(i);
    }
  }

  Result<std::string> run() {
    while (place_.goes_on()) {
      TRY(step(slots_[prng_.below(slots_.size())]));
      if (place_.wants_sync()) TRY(sync());
    }
    for (Slot& slot : slots_) {
      if (!slot.file) continue;
      std::string wrong = TRY(slot.file->check());
      if (!wrong.empty()) return wrong;
    }
    return std::string();
  }

 private:
  Result<void> step(Slot& slot) {
    if (!slot.file) return create(slot);
    LoadFile& file = *slot.file;
    const std::uint32_t units = file.unit_count();
    switch (prng_.below(16)) {
      case 0: return truncate(file, static_cast<std::uint32_t>(prng_.below(units + 1)));
      case 1: return truncate(file, static_cast<std::uint32_t>(prng_.below(units_max_ + 1)));
      case 2:
      case 3: return punch(file);
      case 4: return allocate(file);
      case 5: return slot.has_link ? unlink_link(slot) : link(slot);
      case 6: return slot.has_link ? unlink_link(slot) : remove(slot);
      case 7: return exchange(slot);
      case 8:
      case 9: return extend(file);
      default: return overwrite(file);
    }
  }

  Result<void> create(Slot& slot) {
    slot.file.emplace(TRY(LoadFile::create(place_, slot.name, {.is_overwritten = true})));
    slot.is_durable = false;
    return slot.file->write_units(
        0, random_range(prng_, units_max_, kUnitsMost).end % (units_max_ / 2) + 1);
  }

  Result<void> overwrite(LoadFile& file) {
    if (file.unit_count() == 0) return extend(file);
    const UnitRange range = random_range(prng_, file.unit_count(), kUnitsMost);
    return file.write_units(range.first, range.end);
  }

  Result<void> extend(LoadFile& file) {
    const std::uint32_t room = units_max_ - file.unit_count();
    if (room == 0) return truncate(file, units_max_ / 2);
    const std::uint32_t units = random_range(prng_, room, kUnitsMost).end % kUnitsMost + 1;
    return file.write_units(file.unit_count(), file.unit_count() + std::min(units, room));
  }

  static Result<void> truncate(LoadFile& file, std::uint32_t units) { return file.truncate(units); }

  Result<void> punch(LoadFile& file) {
    if (file.unit_count() == 0) return {};
    const UnitRange range = random_range(prng_, file.unit_count(), kUnitsMost);
    return file.punch(range.first, range.end);
  }

  // Room without a change of what is read.
  Result<void> allocate(LoadFile& file) {
    const UnitRange range = random_range(prng_, units_max_, kUnitsMost);
    return place_.system().allocate(file.fd(), std::uint64_t{range.first} * kUnitBytes,
                                    std::uint64_t{range.end - range.first} * kUnitBytes,
                                    file.name());
  }

  Result<void> link(Slot& slot) {
    const std::uint32_t number = slot.file->number();
    slot.is_known_link = true;
    TRY(place_.mark({place_.name_may_be(slot.link(), number),
                     HeldClause{number, slot.is_durable ? 1u : 0u, 2}}));
    TRY(place_.system().link(place_.fd(), slot.name, slot.link()));
    slot.has_link = true;
    return {};
  }

  Result<void> unlink_link(Slot& slot) {
    const std::uint32_t number = slot.file->number();
    TRY(place_.mark({place_.name_may_be(slot.link(), std::nullopt),
                     HeldClause{number, slot.is_durable ? 1u : 0u, 2}}));
    TRY(place_.system().unlink(place_.fd(), slot.link()));
    slot.has_link = false;
    return {};
  }

  Result<void> remove(Slot& slot) {
    const std::uint32_t number = slot.file->number();
    TRY(place_.mark({place_.name_may_be(slot.name, std::nullopt), HeldClause{number, 0, 2}}));
    TRY(place_.system().unlink(place_.fd(), slot.name));
    drop(slot);
    return {};
  }

  void drop(Slot& slot) {
    dropped_.push_back(slot.file->gone());
    slot.file.reset();
    slot.is_durable = false;
  }

  // Renames this name over another one, whose file goes if it has one.
  Result<void> exchange(Slot& from) {
    Slot& to = slots_[prng_.below(slots_.size())];
    if (&to == &from || from.has_link || to.has_link) return overwrite(*from.file);
    const std::uint32_t number = from.file->number();
    std::vector<Clause> clauses;
    clauses.emplace_back(place_.name_may_be(to.name, number));
    clauses.emplace_back(place_.name_may_be(from.name, std::nullopt));
    // An unlinked second name may still be there, so up to two hold it.
    clauses.emplace_back(HeldClause{number, from.is_durable ? 1u : 0u, 2});
    if (to.file) clauses.emplace_back(HeldClause{to.file->number(), 0, 2});
    TRY(place_.mark(clauses));
    TRY(place_.system().rename(place_.fd(), from.name, to.name));
    if (to.file) drop(to);
    to.file.emplace(std::move(*from.file));
    to.file->set_name(to.name);
    // What was durable of it is that one name or the other holds it.
    to.is_durable = from.is_durable;
    from.file.reset();
    from.is_durable = false;
    return {};
  }

  Result<void> sync() {
    Slot& slot = slots_[prng_.below(slots_.size())];
    switch (prng_.below(4)) {
      case 0: return sync_all();
      case 1: TRY(place_.sync_names()); return promise_names();
      default: break;
    }
    if (!slot.file) return {};
    return slot.file->sync(prng_.chance(1, 2) ? SyncWay::kFsync : SyncWay::kFdatasync);
  }

  Result<void> sync_all() {
    TRY(place_.system().sync_all(place_.fd(), place_.path()));
    place_.shared().syncs.fetch_add(1, std::memory_order_relaxed);
    for (Slot& slot : slots_) {
      if (slot.file) TRY(slot.file->promise());
    }
    return promise_names();
  }

  Result<void> promise_names() {
    for (Slot& slot : slots_) {
      std::optional<std::uint32_t> number;
      if (slot.file) number = slot.file->number();
      std::vector<Clause> clauses;
      clauses.emplace_back(place_.name_is(slot.name, number));
      if (slot.is_known_link) {
        clauses.emplace_back(place_.name_is(slot.link(), slot.has_link ? number : std::nullopt));
      }
      const std::uint32_t held = slot.has_link ? 2 : 1;
      if (number) clauses.emplace_back(HeldClause{*number, held, held});
      slot.is_durable = slot.file.has_value();
      TRY(place_.mark(clauses));
    }
    const std::vector<Clause> gone(dropped_.begin(), dropped_.end());
    dropped_.clear();
    return place_.mark_all(gone);
  }

  LoadPlace& place_;
  Prng& prng_;
  const std::uint32_t units_max_;
  std::vector<Slot> slots_;
  std::vector<GoneClause> dropped_;  // unlinked or replaced, not known to be gone
};

}  // namespace

Result<std::string> run_mixed_load(LoadPlace& place) {
  return MixedLoad(place).run();
}

}  // namespace powercut::lab
