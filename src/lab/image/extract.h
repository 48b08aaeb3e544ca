// Writes a tree of an image out to a directory of this machine.
//
// What comes out is what was read: content with its holes, modes, times, symlinks, hard links,
// devices, extended attributes, ACLs, owners; as much of it as this machine and the options allow.
//
// Invariants
//   1. Nothing outside the destination is touched, whatever the image says and whoever changes the
//      destination meanwhile (tree_writer.h).
//   2. A name that is there is whole, but for a file of which it was told that parts could not be
//      read: these are holes.
//   3. What only root may give away (owners, set-user-id bits, capabilities, devices) is made only
//      with `keeps_owners`.
//   4. Memory: a piece of data, the names of the directories on the way (tree_walk.h), the first
//      name of each inode with several, until all of them were met, and the names of directories.
// Threads: one at a time.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "lab/image/image_path.h"
#include "reader/volume.h"

namespace powercut::lab {

struct ExtractOptions {
  bool keeps_owners = false;
  bool keeps_xattrs = true;
  // Bytes of data that may be written; holes cost nothing.  Nothing: as many as the file system
  // has, which only blocks that belong to several files exceed.
  std::optional<std::uint64_t> bytes_max = std::nullopt;
};

struct ExtractCounts {
  std::uint64_t directories = 0;  // the destination is one if it stands for a directory
  std::uint64_t files = 0, symlinks = 0, hard_links = 0, specials = 0;
  std::uint64_t data_bytes = 0;       // written
  std::uint64_t damaged = 0;          // names, or parts of them, that could not be read
  std::uint64_t failed = 0;           // names that could not be written
  std::uint64_t devices_skipped = 0;  // need privileges
  std::uint64_t refused = 0;          // attributes that this machine did not take
  std::uint64_t privileges_left = 0;  // set-user-id bits and capabilities, left out on purpose
};

struct ExtractTrouble {
  enum class Kind : std::uint8_t {
    kImage,        // could not be read
    kDestination,  // could not be written
    kSkipped,      // a device, without privileges
    kAttribute,    // not taken by this machine
  };
  Kind kind = Kind::kImage;
  std::string path;       // in the image
  std::string attribute;  // kAttribute
  Error error;
};

class ExtractObserver {
 public:
  virtual ~ExtractObserver() = default;
  // After each name, and after each piece of data.
  virtual void progress(const ExtractCounts& counts) = 0;
  virtual void trouble(const ExtractTrouble& trouble) = 0;
  // Asked as often; true ends it.
  virtual bool is_stopped() = 0;
};

enum class ExtractEnd : std::uint8_t {
  kComplete,           // everything was met; what of it failed was told
  kStopped,            // by the observer: what is there is whole, the rest is missing
  kDestinationFailed,  // no space, a broken disk
  kTooMuchData,        // `bytes_max`
};

struct ExtractOutcome {
  ExtractEnd end = ExtractEnd::kComplete;
  ExtractCounts counts;
  Error error;  // kDestinationFailed, kTooMuchData
};

// Writes what is below `from` into `destination`, which must be absent or an empty directory; it
// gets the attributes of `from`.  What is no directory itself is written into it under its name
// (without one, as "inode-N").  `path` is how it is called in troubles.
// Errors: as TreeWriter::open; all else is in the outcome.
Result<ExtractOutcome> extract(const Volume& volume, const PathTarget& from,
                               const std::string& path, const std::filesystem::path& destination,
                               const ExtractOptions& options, ExtractObserver& observer);

}  // namespace powercut::lab
