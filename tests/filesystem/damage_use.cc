// Operations of all kinds on damaged files and directories.
#include "fs/operations.h"
#include "fs/path.h"
#include "tests/filesystem/damage_scene.h"

namespace powercut::fs {
namespace {

constexpr std::array kTargets = {"/t/plain", "/t/deep",   "/t/linear", "/t/htree",
                                 "/t/attrs", "/t/symbol", "/t/fast",   "/t/more"};

std::string target(Prng& random) {
  return kTargets[random.below(kTargets.size())];
}

std::string name(Prng& random) {
  const std::uint64_t number = random.below(60);
  return (random.chance(2, 3) ? "n" : "new") + std::to_string(number) +
         std::string(number % 40, 'x');
}

NodeRef find(DamageWatch& watch, const std::string& path) {
  const auto node = find_path(watch.core(), path, LastSymlink::kKeep);
  return watch.took("lookup", node) ? *node : nullptr;
}

void read_it(DamageWatch& watch, Prng& random) {
  Core& core = watch.core();
  const NodeRef node = find(watch, target(random));
  if (node == nullptr) return;
  std::vector<std::uint8_t> bytes(1 + random.below(100'000));
  watch.took("read", read_file(core, *node, random.below(200'000), bytes));
  watch.took("seek data", seek_data(core, *node, random.below(100'000)));
  watch.took("seek hole", seek_hole(core, *node, random.below(100'000)));
  watch.took("readlink", read_symlink(core, *node));
  std::uint64_t listed = 0;
  watch.took("list",
             read_directory(core, *node, 0, [&](const ListedName&) { return ++listed < 2000; }));
  static_cast<void>(status_of(core, *node));
}

void write_it(DamageWatch& watch, Prng& random) {
  Core& core = watch.core();
  const NodeRef node = find(watch, target(random));
  if (node == nullptr) return;
  const auto bytes = pattern(1 + random.below(20'000), random.next());
  const std::uint64_t offset = random.below(300'000);
  const Range range{offset, 1 + random.below(60'000)};
  switch (random.below(6)) {
    case 0: watch.took("write", write_file(core, *node, offset, bytes)); break;
    case 1: watch.took("append", append_file(core, *node, bytes)); break;
    case 2: watch.took("truncate", truncate_file(core, node, random.below(200'000))); break;
    case 3: watch.took("punch", punch_range(core, *node, range)); break;
    case 4: watch.took("zero", zero_range(core, *node, range, random.chance(1, 2))); break;
    default: watch.took("allocate", allocate_range(core, *node, range, random.chance(1, 2)));
  }
  if (random.chance(1, 8)) watch.took("fsync", sync_file(core, *node, random.chance(1, 2)));
}

void describe_it(DamageWatch& watch, Prng& random) {
  Core& core = watch.core();
  const NodeRef node = find(watch, target(random));
  if (node == nullptr) return;
  const std::string attribute = "user.a" + std::to_string(random.below(6));
  switch (random.below(6)) {
    case 0: watch.took("list attributes", list_xattrs(core, *node)); break;
    case 1: watch.took("attribute", get_xattr(core, *node, attribute)); break;
    case 2:
      watch.took("set attribute", set_xattr(core, *node, attribute, pattern(random.below(300), 1),
                                            SetMode::kEither));
      break;
    case 3: watch.took("remove attribute", remove_xattr(core, *node, attribute)); break;
    case 4: watch.took("chmod", change_status(core, *node, {.permissions = 0600})); break;
    default: watch.took("flags", set_flags(core, *node, flags_of(*node) ^ 0x80));
  }
}

void make_it(DamageWatch& watch, Prng& random, Node& directory) {
  Core& core = watch.core();
  const std::string made = name(random);
  switch (random.below(5)) {
    case 0: {
      const auto file = make_file(core, directory, made, {});
      if (!watch.took("create", file)) return;
      watch.took("write", write_file(core, **file, 0, pattern(random.below(9'000), 3)));
      break;
    }
    case 1: watch.took("mkdir", make_directory(core, directory, made, {})); break;
    case 2:
      watch.took("symlink",
                 make_symlink(core, directory, made, std::string(1 + random.below(200), 's'), {}));
      break;
    case 3:
      watch.took("mkfifo", make_special(core, directory, made, InodeType::kFifo, {}, {}));
      break;
    default: {
      const NodeRef linked = find(watch, target(random));
      if (linked != nullptr) watch.took("link", make_link(core, linked, directory, made));
    }
  }
}

void remove_or_move(DamageWatch& watch, Prng& random, Node& directory) {
  Core& core = watch.core();
  const std::string from = name(random);
  switch (random.below(4)) {
    case 0: watch.took("unlink", remove_file(core, directory, from)); break;
    case 1: watch.took("rmdir", remove_directory(core, directory, from)); break;
    default: {
      const NodeRef other = find(watch, random.chance(1, 2) ? "/t/linear" : "/t/htree");
      if (other == nullptr) return;
      constexpr std::array kHow = {RenameHow::kReplace, RenameHow::kNoReplace,
                                   RenameHow::kExchange};
      watch.took("rename", rename(core, {directory, from}, {*other, name(random)},
                                  kHow[random.below(kHow.size())]));
    }
  }
}

void change_names(DamageWatch& watch, Prng& random) {
  const NodeRef directory = find(watch, random.chance(1, 2) ? "/t/linear" : "/t/htree");
  if (directory == nullptr) return;
  random.chance(1, 2) ? make_it(watch, random, *directory)
                      : remove_or_move(watch, random, *directory);
}

// A target goes as a whole, also while it is open.
void remove_target(DamageWatch& watch, Prng& random) {
  Core& core = watch.core();
  const NodeRef parent = find(watch, "/t");
  if (parent == nullptr) return;
  const std::string path = target(random);
  const std::string last = path.substr(3);
  const NodeRef node = find(watch, path);
  const bool is_opened = node != nullptr && random.chance(1, 2) && open_node(*node).has_value();
  if (!watch.took("unlink a target", remove_file(core, *parent, last))) {
    watch.took("rmdir a target", remove_directory(core, *parent, last));
  }
  if (is_opened) watch.took("close", close_node(core, node));
}

}  // namespace

bool DamageWatch::refused(const char* operation, const Error& why) {
  const std::string words = std::string(operation) + ": " + error_words(why);
  constexpr std::array kNever = {Errc::kAborted, Errc::kInUse, Errc::kIo, Errc::kTimeout,
                                 Errc::kReadOnly};
  for (const Errc code : kNever) expect(why.code != code, words);
  if (!is_damage(why)) return false;
  ++refused_;
  expect(*why.what != '\0', "an error without words");
  const std::uint64_t noted = core_.damage->summary().count;
  expect(noted > noted_, "damage that was not noted: " + words);
  noted_ = noted;
  return false;
}

void use_targets(DamageWatch& watch, Prng& random, int operations) {
  for (int i = 0; i < operations; ++i) {
    const std::uint64_t kind = random.below(16);
    if (kind < 3) {
      read_it(watch, random);
    } else if (kind < 8) {
      write_it(watch, random);
    } else if (kind < 10) {
      describe_it(watch, random);
    } else if (kind < 15) {
      change_names(watch, random);
    } else {
      remove_target(watch, random);
    }
  }
}

}  // namespace powercut::fs
