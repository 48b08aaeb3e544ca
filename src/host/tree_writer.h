// A tree of files, made below one directory of this machine out of names that nobody vouches for.
//
// Words
//   destination  the directory at the top: new, or empty when it was opened
//   place        the directory in which names are made now: the destination, or one entered below
//   refusal      an attribute that this machine did not take; the name itself is there
//
// Invariants
//   1. Every call names one name in a directory that is held open, and makes it: what is there
//      already is never opened, followed or changed.
//   2. A directory is gone into right after it was made, never through a symlink.  One that is come
//      back to must be the one that was left (device and inode), else nothing is written to it.
//   3. Until it is finished, nobody but its owner can look into a file or a directory.
//   4. A set-user-id or set-group-id bit is set only where the owner was set, too.
//   5. At most kOpenMax descriptors are held, however deep the tree is.
//
// A name is 1 to 255 bytes without '/' and zero, and neither "." nor ".."; all else is kInvalid.
// Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/file_kind.h"
#include "base/units.h"
#include "host/file.h"

namespace powercut {

struct HostTime {
  std::int64_t seconds = 0;  // since 1970
  std::uint32_t nanoseconds = 0;
};

// An extended attribute as setxattr(2) takes it.
struct HostXattr {
  std::string name;
  std::vector<std::uint8_t> value;
};

// What a name has besides its content.
struct HostAttributes {
  std::uint32_t mode = 0;  // the lower 12 bits of st_mode
  struct Owner {
    std::uint32_t uid = 0, gid = 0;
  };
  std::optional<Owner> owner;  // nothing: whoever writes
  HostTime access_time, modify_time;
  std::vector<HostXattr> xattrs;
};

struct AttributeRefusal {
  std::string attribute;  // "owner", "mode", "times", or the name of an extended attribute
  Error error;
};
using AttributeRefusals = std::vector<AttributeRefusal>;

// Where a name was made, so that another one can be linked to it.
struct MadeName {
  std::uint32_t directory = 0;  // an index of the writer's
  std::string name;
  dev_t device = 0;
  ino_t inode = 0;
};

class TreeWriter;

// A file in the making.  The destructor removes its name unless it was finished.
class TreeFile {
 public:
  TreeFile(TreeFile&& other) noexcept;
  TreeFile& operator=(TreeFile&&) = delete;
  ~TreeFile();
  // Within its size; what is never written stays a hole.  Errors: kNoSpace, kIo.
  Result<void> write_at(std::uint64_t offset, Bytes from) { return file_.write_at(offset, from); }
  // The file is as it shall be; attributes that were not taken are returned.
  AttributeRefusals finish(const HostAttributes& attributes);
  const MadeName& made() const { return made_; }

 private:
  friend class TreeWriter;
  TreeFile(int directory, File file, MadeName made)
      : directory_(directory), file_(std::move(file)), made_(std::move(made)) {}
  int directory_;  // -1: moved from, or finished
  File file_;
  MadeName made_;
};

class TreeWriter {
 public:
  static constexpr std::size_t kOpenMax = 48;

  // Makes `destination`, or takes it if it is an empty directory; its parent must be there.
  // Errors: kExists: it is something else; kNotFound, kIo: its parent.
  static Result<TreeWriter> open(const std::filesystem::path& destination);

  // Makes a directory in the place and goes into it.  Errors: kExists, kNoSpace, kIo.
  Result<void> enter(const std::string& name);
  // Gives the place its attributes and goes back to the one above; of the destination, only gives
  // it its attributes.  Errors: kAborted: the directory above is not where it was.
  Result<AttributeRefusals> leave(const HostAttributes& attributes);
  // How many directories were entered and not left.
  std::size_t depth() const { return levels_.size() - 1; }

  // A new file of `size_bytes`, all holes.  It must end before the place is left.
  Result<TreeFile> make_file(const std::string& name, std::uint64_t size_bytes);
  Result<AttributeRefusals> make_symlink(const std::string& name, const std::string& target,
                                         const HostAttributes& attributes);
  // A fifo, a socket or a device (CHECK).  `major` and `minor` are for devices.  Errors: kReadOnly
  // with EPERM in `where`: devices need privileges.
  struct Special {
    FileKind kind = FileKind::kFifo;
    std::uint32_t major = 0, minor = 0;
  };
  Result<AttributeRefusals> make_special(const std::string& name, const Special& special,
                                         const HostAttributes& attributes);
  // Another name for what was made; it is not made if something else has taken its place since.
  Result<void> make_link(const std::string& name, const MadeName& first);
  // Where `name`, just made in the place, is.
  Result<MadeName> made(const std::string& name) const;

 private:
  struct Level {
    Fd directory;  // not open: too far above
    dev_t device = 0;
    ino_t inode = 0;
    std::uint32_t index = 0;  // of directories_
  };
  struct Directory {
    std::uint32_t parent = 0;  // the destination is its own
    std::string name;
  };
  explicit TreeWriter(Level destination);
  int place() const { return levels_.back().directory.get(); }
  Result<Fd> open_again(std::uint32_t directory) const;
  Result<AttributeRefusals> apply_by_name(const std::string& name, const HostAttributes& attributes,
                                          bool has_mode) const;

  std::vector<Level> levels_;           // the destination first, the place last
  std::vector<Directory> directories_;  // every one that was entered
};

// Whether what went wrong concerns all that is still to be written: no space, a broken disk.
bool ends_all_writing(const Error& error);

}  // namespace powercut
