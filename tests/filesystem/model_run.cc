#include "tests/filesystem/model_run.h"

#include <algorithm>
#include <map>

#include "tests/support/e2fs_image.h"
#include "tests/support/files.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {
namespace {

std::string words_of_error(const std::optional<Error>& error) {
  return error ? error_words(*error) : "done";
}

}  // namespace

void expect(bool holds, const std::string& words) {
  if (!holds) throw Differs(words);
}

const std::vector<std::uint8_t>& image_of(const Form& form) {
  static std::map<std::string, std::vector<std::uint8_t>> images;
  auto& image = images[form.name];
  if (image.empty()) image = TestMount::image_of(form.mke2fs, form.size);
  return image;
}

std::vector<std::uint8_t> fscked(const std::vector<std::uint8_t>& image) {
  testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "image").string();
  testing::write_file(path, image);
  const auto outcome = testing::run_shell(*testing::find_tool("e2fsck") + " -fy " + path);
  // What is said of any file system with an orphan file that was not unmounted: that it is there,
  // and of its blocks after e2fsck has deleted the orphans that are in them.
  std::string words = outcome.output;
  for (const std::string lawful :
       {"orphan file is clean.\nClear? yes", "block 0 is not clean.\nClear? yes"}) {
    const auto at = words.find(lawful);
    if (at != std::string::npos) words.erase(at, lawful.size());
  }
  const bool mends = outcome.status > 1 || words.find("? yes") != std::string::npos;
  expect(!mends, "e2fsck -fy: " + outcome.output);
  return testing::read_file(path);
}

void RunCounters::add(const RunCounters& other) {
  operations += other.operations;
  changes += other.changes;
  refused += other.refused;
  without_space += other.without_space;
  sections += other.sections;
  cuts += other.cuts;
  moments += other.moments;
  fscks += other.fscks;
}

ModelRun::ModelRun(const Form& form, const RunOptions& options)
    : form_(form),
      options_(options),
      random_(Prng(options.seed).child("run")),
      wall_clock_(kTestTime) {
  now_ = std::chrono::duration_cast<std::chrono::seconds>(kTestTime).count();
  history_.push_back({model_, 0, false});
  boot(image_of(form), {});
  if (form.leaves_free != 0) fill(form.leaves_free);
}

ModelRun::~ModelRun() {
  drop_all();
}

MountOptions ModelRun::mount_options() const {
  MountOptions options = testing::options_without_service();
  options.nodes_max = options_.nodes_max;
  options.journal.single_wait = form_.single_wait;
  options.journal.section_age_max = std::chrono::hours(1);
  return options;
}

void ModelRun::drop_all() {
  open_.clear();
  section_.reset();
  machine_.reset();
}

void ModelRun::boot(std::vector<std::uint8_t> image, const FaultPlan& faults) {
  drop_all();
  SimulatedDisk::Options disk;
  disk.atomic_bytes = form_.atomic_bytes;
  disk.seed = random_.next();
  disk.faults = faults;
  machine_ = std::make_unique<Machine>(std::move(image), disk, random_.next());
  if (options_.loses_flushes) machine_->cutter.lose_flushes();
  auto mounted = Mounted::open(machine_->cutter, clock_, wall_clock_, mount_options());
  if (!mounted && may_fail_) return;
  expect(mounted.has_value(), "mount: " + (mounted ? "" : error_words(mounted.error())));
  machine_->mounted = std::move(*mounted);
}

bool ModelRun::has_stopped() const {
  return machine_->mounted == nullptr || machine_->mounted->core().journal->stopped().has_value();
}

// One file takes the rest, and is in nobody's hands.
void ModelRun::fill(std::uint64_t blocks_left) {
  ModelInode filler;
  filler.permissions = 0600;
  filler.modified = filler.changed = now_;
  const NodeRef root = *core().nodes->get(kRootInode);
  const auto made = make_file(core(), *root, "filler", {.permissions = 0600});
  expect(made.has_value(), "the filler");
  const std::uint64_t block = core().block_bytes();
  std::uint64_t at = 0;
  while (core().groups->available_blocks() > blocks_left) {
    const std::uint64_t count = (core().groups->available_blocks() - blocks_left + 7) / 8;
    const auto done = allocate_range(core(), **made, {at, count * block}, true);
    expect(done.has_value(), "the filler: " + (done ? "" : error_words(done.error())));
    at += count * block;
  }
  const std::uint32_t flags = flags_of(**made) | kImmutable;
  expect(fs::set_flags(core(), **made, flags).has_value(), "the filler's flags");
  const ModelId id = model_.add(kModelRoot, "filler", filler, 0, number_);
  model_.change(id, number_).flags = kImmutable;
  touch_names(kModelRoot);
  sync();
}

std::vector<std::uint8_t> ModelRun::image() const {
  std::vector<std::uint8_t> bytes(machine_->disk.size_bytes());
  expect(machine_->disk.content().read(0, bytes).has_value(), "reading the disk's content");
  return bytes;
}

std::vector<std::uint8_t> ModelRun::cut_image() {
  return machine_->disk.crash(random_);
}

void ModelRun::expect_clean(Bytes image) {
  ++counters_.fscks;
  const auto outcome = fsck_of(image);
  expect(outcome.status == 0, "e2fsck -fn: " + outcome.output);
}

bool ModelRun::may_be(const Moment& moment) const {
  return moment.is_partial ? moment.operation > acknowledged_ : moment.operation >= acknowledged_;
}

std::optional<std::size_t> ModelRun::find_moment(const TreeWords& words, Detail detail) const {
  for (std::size_t i = history_.size(); i-- > 0;) {
    if (may_be(history_[i]) && history_[i].model.words(detail) == words) return i;
  }
  return std::nullopt;
}

void ModelRun::expect_moment(const TreeWords& words, Detail detail, const std::string& who) const {
  if (find_moment(words, detail)) return;
  std::string nearest, place;
  for (const Moment& moment : history_) {
    const std::string there = difference(moment.model.words(detail), words);
    if (!place.empty() && there.size() > nearest.size()) continue;
    nearest = there;
    place = "operation " + std::to_string(moment.operation) + (moment.is_partial ? " (part)" : "");
  }
  throw Differs(who + " finds no state that may be, after operations " +
                std::to_string(history_.front().operation) + " to " + std::to_string(number_) +
                " of which " + std::to_string(acknowledged_) +
                " is acknowledged; the nearest is that after " + place + ":\n" + nearest);
}

// What a mount and an unmount leave; the power goes at one of the first requests, if any, and it is
// begun again.
std::vector<std::uint8_t> ModelRun::recover(std::vector<std::uint8_t> left, std::uint64_t cut_at) {
  SimulatedDisk disk(std::move(left), {.atomic_bytes = form_.atomic_bytes});
  CuttingDevice cutter(disk, random_.next());
  if (cut_at != 0) cutter.cut_after(cut_at);
  {
    auto mounted = Mounted::open(cutter, clock_, wall_clock_, mount_options());
    const auto closed = mounted ? (*mounted)->close() : Result<void>(Failure{mounted.error()});
    if (cutter.is_cut()) return recover(cutter.image(), 0);
    expect(closed.has_value(), "recovery: " + (closed ? "" : error_words(closed.error())));
  }
  std::vector<std::uint8_t> recovered(disk.size_bytes());
  expect(disk.content().read(0, recovered).has_value(), "reading the disk's content");
  return recovered;
}

std::size_t ModelRun::recovered_moment(const std::vector<std::uint8_t>& left) {
  constexpr std::uint64_t kRequests = 20;  // of a recovery, about
  ++counters_.moments;
  const std::vector<std::uint8_t> recovered = recover(left, 0);
  expect_clean(recovered);
  const TreeWords words = words_of_image(recovered);
  expect_moment(words, Detail::kAll, "recovery");
  if (random_.chance(1, 4)) {
    const TreeWords again = words_of_image(recover(left, 1 + random_.below(kRequests)));
    expect(again == words, "a recovery that was cut finds other things than one that was not:\n" +
                               difference(words, again));
  }
  if (random_.chance(1, 5)) {
    ++counters_.fscks;
    const TreeWords by_fsck = words_of_image(fscked(left));
    expect(by_fsck == words, "e2fsck recovers to another tree:\n" + difference(words, by_fsck));
  }
  return *find_moment(words, Detail::kAll);
}

void ModelRun::peek() {
  recovered_moment(cut_image());
}

void ModelRun::cut(const Operation& operation) {
  if (machine_->cutter.is_armed()) return;
  constexpr std::uint32_t kRequestsMax = 150;
  machine_->cutter.cut_after(operation.numbers[0] % 3 == 0 ? 0
                                                           : operation.numbers[1] % kRequestsMax);
}

// Goes on with what the cut left.
void ModelRun::reboot() {
  ++counters_.cuts;
  std::vector<std::uint8_t> left = machine_->cutter.image();
  section_.reset();
  const std::size_t moment = recovered_moment(left);
  model_ = history_[moment].model;
  history_ = {{model_, number_, false}};
  acknowledged_ = 0;
  boot(std::move(left), {});
}

void ModelRun::remount(const FaultPlan& faults) {
  if (section_) end_section();
  while (!open_.empty() && !is_cut()) close(0);
  if (is_cut()) return;
  const auto closed = machine_->mounted->close();
  if (is_cut()) return;
  if (may_fail_ && !closed) return;
  expect(closed.has_value(), "unmount: " + (closed ? "" : error_words(closed.error())));
  std::vector<std::uint8_t> left = image();
  expect_clean(left);
  const TreeWords words = words_of_image(left);
  expect(words == model_.words(), "after the unmount:\n" + difference(model_.words(), words));
  history_ = {{model_, number_, false}};
  acknowledged_ = number_;
  unmounted_ = left;
  boot(std::move(left), faults);
}

void ModelRun::remount_with(const FaultPlan& faults) {
  may_fail_ = true;
  remount(faults);
}

void ModelRun::end() {
  remount();
  if (is_cut()) reboot();
}

void ModelRun::sync() {
  const auto done = machine_->mounted->sync();
  if (is_cut()) return;
  if (section_) {
    expect(!done && done.error().code == Errc::kInvalid, "a sync in a section");
    return;
  }
  if (!done && may_fail_) return;
  expect(done.has_value(), "sync: " + (done ? "" : error_words(done.error())));
  history_ = {{model_, number_, false}};
  acknowledged_ = number_;
}

void ModelRun::sync_file(const Operation& operation) {
  const auto file = pick_file(operation.numbers[0]);
  if (!file) return;
  const bool data_only = operation.numbers[1] % 2 == 0;
  const auto done = fs::sync_file(core(), *file->node, data_only);
  if (is_cut() || (!done && may_fail_)) return;
  if (section_ && !done) {
    expect(done.error().code == Errc::kInvalid, "fsync in a section");
    return;
  }
  expect(done.has_value(), "fsync: " + (done ? "" : error_words(done.error())));
  const ModelInode& inode = model_[file->inode];
  acknowledged_ = std::max(acknowledged_, data_only ? inode.data_at : inode.changed_at);
}

void ModelRun::begin_section(const Operation& operation) {
  if (section_) return;
  Journal& journal = *core().journal;
  const Credits most = journal.credits_max();
  const Credits some(most.value() / (operation.numbers[0] % 2 + 1));
  auto section = journal.begin_section(some);
  if (is_cut() || (!section && may_fail_)) return;
  expect(section.has_value(), "section: " + (section ? "" : error_words(section.error())));
  section_.emplace(std::move(*section));
  section_left_ = 2 + operation.numbers[1] % 6;
  ++counters_.sections;
}

void ModelRun::end_section() {
  const auto ended = section_->end();
  section_.reset();
  if (is_cut() || (!ended && may_fail_)) return;
  expect(ended.has_value(), "end of a section: " + (ended ? "" : error_words(ended.error())));
  push();
}

void ModelRun::push(bool is_partial) {
  ++counters_.changes;
  if (!section_) history_.push_back({model_, number_, is_partial});
}

bool ModelRun::is_short_of_space(std::uint64_t blocks) {
  constexpr std::uint64_t kWorst = 64;
  return core().groups->available_blocks() < 2 * blocks + kWorst ||
         core().groups->free_inodes() == 0;
}

bool ModelRun::settle(std::optional<Error> error, const Refusals& refusals, std::uint64_t blocks) {
  if (!error) {
    expect(refusals.empty(), "done, and was to be refused");
    return true;
  }
  ++counters_.refused;
  if (is_cut()) return false;
  if (may_fail_ && (error->code == Errc::kIo || error->code == Errc::kAborted)) return false;
  if (error->code == Errc::kNoSpace && is_short_of_space(blocks)) {
    ++counters_.without_space;
    return false;
  }
  if (error->code == Errc::kLimit && section_) return false;
  const bool is_expected = std::ranges::find(refusals, error->code) != refusals.end();
  expect(is_expected, "refused: " + words_of_error(error));
  return false;
}

void ModelRun::carry_out(const Operation& operation) {
  if (has_stopped()) return;
  ++number_;
  ++now_;
  ++counters_.operations;
  wall_clock_.advance(std::chrono::seconds(1));
  const bool was_in_section = section_.has_value();
  switch (operation.verb) {
    case Verb::kBeginSection: begin_section(operation); break;
    case Verb::kSync: sync(); break;
    case Verb::kSyncFile: sync_file(operation); break;
    case Verb::kRemount: remount(); break;
    case Verb::kPeek: peek(); break;
    case Verb::kCut: cut(operation); break;
    default:
      if (operation.verb <= Verb::kExchange || operation.verb == Verb::kList) {
        carry_out_name(operation);
      } else if (operation.verb >= Verb::kSetMode && operation.verb <= Verb::kSetFlags) {
        carry_out_attribute(operation);
      } else {
        carry_out_content(operation);
      }
  }
  if (was_in_section && section_ && !is_cut() && --section_left_ == 0) end_section();
  if (is_cut()) reboot();
}

}  // namespace powercut::fs
