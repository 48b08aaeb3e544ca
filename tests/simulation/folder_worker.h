// A task that does random operations in one folder of a mounted file system, and writes down what
// the folder is to be after each: files written over, appended to, cut, extended, punched, renamed
// over each other, linked, unlinked while open, attributes, directories; syncs of all kinds.
//
// It ends when its operations are done, or with the first error that is not for want of room.
// Threads: one task of a simulation for each worker; the histories are shared, and simulated tasks
// run one at a time.
#pragma once

#include <deque>

#include "base/simulation.h"
#include "fs/file.h"
#include "fs/mount.h"
#include "fs/operations.h"
#include "tests/simulation/folder_model.h"

namespace powercut::testing {

struct FolderTally {
  std::uint64_t operations = 0, syncs = 0, without_room = 0, orphans = 0, renames_over = 0;
  void add(const FolderTally& other);
};

class FolderWorker {
 public:
  // All must outlive it.
  FolderWorker(fs::Mounted& mounted, FolderHistories& histories, std::size_t which)
      : mounted_(mounted),
        core_(mounted.core()),
        histories_(histories),
        history_(histories[which]),
        random_(Simulation::random()),
        which_(which),
        write_bytes_max_(std::min<std::size_t>(kWriteBytesMax, fs::atomic_write_bytes(core_))),
        model_(history_.steps.back().after) {}

  void run(unsigned operations);
  const FolderTally& tally() const { return tally_; }

 private:
  static constexpr std::size_t kWriteBytesMax = 6000;
  using Names = std::vector<std::string>;
  using Operation = std::function<Result<void>()>;

  void one_operation();
  // `next` is the state afterwards, `between` states on the way.  False: nothing was done.
  bool perform(const std::string& what, FolderModel next, const Operation& operation,
               const std::vector<FolderModel>& between = {});
  void take_end(const Result<void>& outcome);

  void create();
  void write_over();
  void append();
  void write_at(const std::string& path, std::size_t at, std::size_t count);
  void scatter();
  void truncate();
  void truncate_to(const std::string& path, std::size_t size);
  void make_hole(bool is_punched);
  void rename_something();
  void rename_file(const std::string& from, const std::string& to);
  void rename_directory(const std::string& from);
  void remove();
  void use_orphan();
  void make_directory();
  void remove_directory();
  void link();
  void change_attributes();
  void take_room();
  void give_room_back();
  void sync_one();
  void sync_folder();
  void sync_all();
  void sync_volume();

  Names files() const;
  Names directories() const;  // the folder itself is ""
  std::string draw(const Names& names) { return names[random_.below(names.size())]; }
  std::string draw_free_name(const std::string& directory);
  fs::NodeRef node_of(const std::string& path);
  // The directory that a path lies in, and its name there.
  fs::NodeRef parent_of(const std::string& path);
  static std::string name_of(const std::string& path);
  static std::string parent_path(const std::string& path);
  // The model with another content of that file, under all its names.
  FolderModel with(const std::string& path, const std::function<void(ModelFile&)>& change) const;
  std::vector<std::uint8_t> counted_bytes(std::size_t count) const;
  void note_change(const std::string& path, bool of_data);
  void note_names(const std::string& path);
  void answer(std::size_t step);

  fs::Mounted& mounted_;
  fs::Core& core_;
  FolderHistories& histories_;
  FolderHistory& history_;
  Prng& random_;
  const std::size_t which_;
  // What is longer than a write that is atomic may be there in part.
  const std::size_t write_bytes_max_;
  FolderModel model_;
  FolderTally tally_;
  std::deque<fs::NodeRef> orphans_;  // open, without a name
  // The newest steps that changed it: by file, by directory (path).
  std::map<std::uint64_t, std::size_t> changed_, changed_data_;
  std::map<std::string, std::size_t> changed_names_;
  std::uint64_t next_number_ = 0;
  std::uint64_t has_room_ = 0;  // the file with what take_room() took; 0: none
  bool is_over_ = false;
};

}  // namespace powercut::testing
