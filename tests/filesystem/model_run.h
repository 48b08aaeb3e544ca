// A file system on a simulated disk and its model, which are given the same operations, and what is
// asked of the two:
//   1. an operation is done or refused as the model says; one that is refused changed nothing
//   2. what is unmounted, and what recovery makes of a power cut, e2fsck -fn finds nothing in
//   3. after a power cut the tree is as it was after one of the operations (a prefix of them), not
//      before what was acknowledged, and never inside an atomic section; e2fsck -fy finds the same,
//      and so does a recovery that was cut itself
//
// Words
//   moment    the model after an operation
//   cut       the power goes: writes that were not flushed are there, or not, or in parts
//   damage    whatever does not agree: an exception (Differs), which RapidCheck takes for a failure
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/wall_clock.h"
#include "block/simulated_disk.h"
#include "fs/file.h"
#include "fs/mount.h"
#include "fs/operations.h"
#include "journal/section.h"
#include "tests/filesystem/cutting_device.h"
#include "tests/filesystem/model.h"
#include "tests/filesystem/operation.h"

namespace powercut::fs {

struct Differs : std::runtime_error {
  using std::runtime_error::runtime_error;
};
void expect(bool holds, const std::string& words);

// A form of file systems.
struct Form {
  const char* name;
  const char* mke2fs;
  const char* size;
  std::uint32_t atomic_bytes = 4096;  // of the disk
  std::uint64_t size_max = 150'000;   // of a file that is written, bytes
  std::uint64_t leaves_free = 0;      // blocks, when a run begins; 0: all
  bool single_wait = false;           // of the journal
};
// Made by mke2fs, once for a program.
const std::vector<std::uint8_t>& image_of(const Form& form);
// After e2fsck -fy, which recovers; that it mends anything is damage.
std::vector<std::uint8_t> fscked(const std::vector<std::uint8_t>& image);

struct RunOptions {
  std::uint64_t seed = 1;  // of contents, and of what cuts leave
  std::size_t nodes_max = 24;
  bool loses_flushes = false;  // a disk that lies, which is to be found
};

struct RunCounters {
  std::uint64_t operations = 0, changes = 0, refused = 0, without_space = 0, sections = 0;
  std::uint64_t cuts = 0, moments = 0, fscks = 0;
  void add(const RunCounters& other);
};

class ModelRun {
 public:
  ModelRun(const Form& form, const RunOptions& options);
  ~ModelRun();
  void carry_out(const Operation& operation);
  // Unmounts, and compares all.
  void end();
  // Unmounts, and mounts on a disk with faults: operations may fail with kIo from then on, and
  // from a failed write on with kAborted.
  void remount_with(const FaultPlan& faults);

  // Whether a fault has stopped the journal: nothing is done any more.
  bool has_stopped() const;
  // False: a fault refused the mount.
  bool is_mounted() const { return machine_->mounted != nullptr; }
  std::uint64_t struck_count() const { return machine_->disk.struck_count(); }
  // What the disk has, of all that was written; and what a power cut now would leave.
  std::vector<std::uint8_t> image() const;
  std::vector<std::uint8_t> cut_image();
  // As it was unmounted last.
  const std::vector<std::uint8_t>& unmounted() const { return unmounted_; }
  // The index of the moment that an image of this run recovers to, by us.
  std::size_t recovered_moment(const std::vector<std::uint8_t>& left);
  // Whether a tree is one of the moments that it may be, and which.
  std::optional<std::size_t> find_moment(const TreeWords& words, Detail detail) const;
  void expect_moment(const TreeWords& words, Detail detail, const std::string& who) const;
  const Model& model() const { return model_; }
  Core& core() { return machine_->mounted->core(); }
  void sync();
  const RunCounters& counters() const { return counters_; }

 private:
  // What runs from a boot to the next one.
  struct Machine {
    Machine(std::vector<std::uint8_t> image, const SimulatedDisk::Options& options,
            std::uint64_t seed)
        : disk(std::move(image), options), cutter(disk, seed) {}
    SimulatedDisk disk;
    CuttingDevice cutter;
    std::unique_ptr<Mounted> mounted;
  };
  struct Moment {
    Model model;
    std::uint64_t operation = 0;
    bool is_partial = false;  // may be found only until its operation is acknowledged
  };
  struct Open {
    ModelId inode;
    NodeRef node;
  };
  using Refusals = std::vector<Errc>;

  // Boots and cuts (model_run.cc).
  MountOptions mount_options() const;
  void boot(std::vector<std::uint8_t> image, const FaultPlan& faults);
  void reboot();
  void remount(const FaultPlan& faults = {});
  std::vector<std::uint8_t> recover(std::vector<std::uint8_t> left, std::uint64_t cut_at);
  void drop_all();
  void fill(std::uint64_t blocks_left);
  void peek();
  void cut(const Operation& operation);
  void expect_clean(Bytes image);
  bool may_be(const Moment& moment) const;
  void begin_section(const Operation& operation);
  void end_section();
  void sync_file(const Operation& operation);
  bool is_cut() const { return machine_->cutter.is_cut(); }

  // What came of an operation: true if the model changes, too.
  bool settle(std::optional<Error> error, const Refusals& refusals, std::uint64_t blocks = 0);
  // The model as it is now is a moment, unless a section is open.
  void push(bool is_partial = false);
  bool is_short_of_space(std::uint64_t blocks);

  // Names (run_names.cc).
  void carry_out_name(const Operation& operation);
  void make(InodeType type, const Operation& operation);
  void link(const Operation& operation);
  void remove(const Operation& operation);
  void rename(const Operation& operation, RenameHow how);
  Refusals refusals_of_rename(const std::optional<ModelPlace>& from, ModelId to,
                              const std::string& name, RenameHow how) const;
  void list(const Operation& operation);
  ModelId pick_directory(std::uint32_t number) const;
  std::optional<ModelPlace> pick_place(std::uint32_t number) const;
  std::optional<ModelPlace> pick_file_place(std::uint32_t number) const;
  static std::string name_of(std::uint32_t number);
  // Null if the power is gone.
  NodeRef node_of_directory(ModelId directory);
  NodeRef node_of(const ModelPlace& place);
  void touch(ModelId inode);
  void touch_names(ModelId directory);

  // Content (run_content.cc).
  void carry_out_content(const Operation& operation);
  void write(const Operation& operation, const Open& file, bool appends);
  void truncate(const Operation& operation, const Open& file);
  void change_range(const Operation& operation, const Open& file);
  void seek(const Open& file);
  void read(const Open& file);
  void open(const Operation& operation);
  void close(std::size_t index);
  std::optional<Open> pick_file(std::uint32_t number);
  ModelInode& change_content(ModelId inode);

  // Attributes (run_attributes.cc).
  void carry_out_attribute(const Operation& operation);
  void set_status(const Operation& operation, const ModelPlace& place, Node& node);
  void set_attribute(const Operation& operation, const ModelPlace& place, Node& node);
  void remove_attribute(const Operation& operation, const ModelPlace& place, Node& node);
  void set_acl(const Operation& operation, const ModelPlace& place, Node& node);
  void set_flags(const Operation& operation, const ModelPlace& place, Node& node);

  const Form form_;
  const RunOptions options_;
  Prng random_;
  SteadyClock clock_;
  ManualWallClock wall_clock_;
  std::unique_ptr<Machine> machine_;
  Model model_;
  std::deque<Moment> history_;      // since the last sync of all
  std::uint64_t acknowledged_ = 0;  // operations up to this one are durable
  std::uint64_t number_ = 0;        // of the operation under way
  std::int64_t now_ = 0;            // seconds
  std::optional<Section> section_;
  std::uint64_t section_left_ = 0;  // operations
  std::vector<Open> open_;
  std::vector<std::uint8_t> unmounted_;
  bool may_fail_ = false;  // there are faults
  RunCounters counters_;
};

}  // namespace powercut::fs
