// A file system whose metadata is damaged below its mount.
//
// Words
//   bystander   a file that the damage does not touch: neither what describes it nor a block of its
//   target      a file or directory that may be damaged: all of "/t"
//   place       a piece of the image that describes targets: an inode, a block of a tree, ...
//   told        damage that a checksum gives away; without checksums only what makes no sense
//               can be
//
// What must hold, whatever the damage
//   1. An operation is carried out, or refused with words; none ends the program or goes on for
//      ever.
//   2. Damage that was met is noted, and the file system marked as in need of a check, durably.
//   3. Bystanders keep their bytes: before e2fsck, and after it mended the rest.
//   4. What was synced while there was damage is there, if the damage is told.
// What breaks it is an exception (Differs, model_run.h).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/filesystem/model_run.h"
#include "tests/support/mounted_image.h"

namespace powercut::fs {

struct DamageForm {
  const char* name;
  const char* mke2fs;
  const char* size;
  bool has_checksums;
  std::size_t form_number;
};

enum class Part : std::uint8_t {
  kSuperblock,
  kDescriptors,
  kBlockBitmap,
  kInodeBitmap,
  kInode,
  kExtentRoot,   // inside an inode
  kExtentBlock,  // an index block or a leaf
  kDirectory,    // a linear block
  kHtreeRoot,
  kHtreeLeaf,
  kAttributes,
  kSymlink,
  kOrphanFile,
};
inline constexpr std::size_t kPartCount = static_cast<std::size_t>(Part::kOrphanFile) + 1;
// What a mount reads and keeps is damaged before it.
inline bool is_read_at_mount(Part part) {
  return part == Part::kSuperblock || part == Part::kDescriptors || part == Part::kOrphanFile;
}

struct Place {
  Part part{};
  std::uint64_t at = 0;  // bytes in the image
  std::uint32_t bytes = 0;
};

class DamageScene {
 public:
  explicit DamageScene(const DamageForm& form);

  const DamageForm& form() const { return form_; }
  const std::vector<std::uint8_t>& image() const { return image_; }
  std::uint32_t block_bytes() const { return shape_.block_bytes(); }
  const Superblock& shape() const { return shape_; }
  std::vector<Place> places(Part part) const;
  const std::vector<Place>& all_places() const { return places_; }
  // A block of a target's data, and one that nobody has.
  std::uint64_t target_block() const { return target_block_; }
  std::uint32_t target_inode() const { return target_inode_; }
  std::uint64_t free_block() const { return free_block_; }
  std::uint64_t journal_block() const { return journal_block_; }

  // Whether the bytes of that place, changed so, lead to a bystander: then it is none any more.
  bool leads_to_bystander(const Place& place, Bytes before, Bytes after) const;
  // The judge of 3.  Errors are words; empty: they are whole.
  std::string broken_bystander(Bytes image) const;

 private:
  void fill();
  void find_places();
  void find_places_of(const Volume& volume, const std::string& path);
  void keep_safe(const Volume& volume, InodeNo number);
  void add_group_places(const Volume& volume);
  bool is_safe_block(std::uint64_t first, std::uint64_t count) const;
  bool leads_out_of_tree(Bytes before, Bytes after) const;

  const DamageForm form_;
  std::vector<std::uint8_t> image_;
  Superblock shape_;
  std::map<std::string, std::vector<std::uint8_t>> bystanders_;
  std::vector<bool> safe_blocks_;
  std::vector<bool> safe_inodes_;
  std::vector<Place> places_;
  std::uint64_t target_block_ = 0, free_block_ = 0, journal_block_ = 0;
  std::uint32_t target_inode_ = 0;
};

// Puts damage into the bytes of a place.
using Damager = std::function<void(MutableBytes, Prng&)>;
struct DamageCase {
  Part part{};
  std::size_t place = 0;  // which of the part's
  Damager damage;
  std::uint64_t seed = 1;
  bool is_judged_by_e2fsck = true;
};
struct DamageOutcome {
  bool was_refused_at_mount = false;
  std::uint64_t refused = 0, carried_out = 0, noted = 0;
};
DamageOutcome run_damaged(const DamageScene& scene, const DamageCase& damage);

// What operations came to.
class DamageWatch {
 public:
  explicit DamageWatch(Mounted& mounted) : core_(mounted.core()) {}
  template <class T>
  bool took(const char* operation, const Result<T>& outcome) {
    return outcome ? (++carried_out_, true) : refused(operation, outcome.error());
  }
  std::uint64_t refused_count() const { return refused_; }
  std::uint64_t carried_out() const { return carried_out_; }
  Core& core() { return core_; }

 private:
  bool refused(const char* operation, const Error& why);
  Core& core_;
  std::uint64_t refused_ = 0, carried_out_ = 0, noted_ = 0;
};
// Operations of all kinds on the targets.
void use_targets(DamageWatch& watch, Prng& random, int operations);

}  // namespace powercut::fs
