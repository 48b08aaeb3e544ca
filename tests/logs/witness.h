// Who else recovers a log: programs and a kernel that share no code with us.  Each is given an
// image, recovers it in its own way, and testifies.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>

#include "recovery/recovery.h"
#include "tests/logs/log_image.h"

namespace powercut::testing {

struct Testimony {
  // Damage was reported (e2fsck, debugfs), or the mount was refused.
  bool is_refused = false;
  MappedFile image;  // afterwards; good until the witness is given another
  std::string said;  // its words
  // What it names as damaged: "data block 2900", "journal block 7", "transaction 12".
  std::set<std::string> names;
};

// A field of the primary superblock that a witness changes beyond what a recovery is.
struct OwnField {
  const char* name;  // the kernel's
  std::size_t offset, bytes;
};
#define OWN_FIELD(kernel_name, field)                           \
  ::powercut::testing::OwnField {                               \
    kernel_name, offsetof(::powercut::disk::SuperBlock, field), \
        sizeof(::powercut::disk::SuperBlock::field)             \
  }

class Witness {
 public:
  virtual ~Witness() = default;
  virtual std::string name() const = 0;
  // By whose rules we recover to be compared with it.
  virtual RecoverAs rules() const = 0;
  virtual Testimony recover(const LogImage& log) = 0;
  virtual std::span<const OwnField> own_fields() const = 0;
  // What it would name of this damage; empty where it says only that there is some.
  virtual std::set<std::string> names_of(const Damage& damage) const = 0;
  // Whether it says nothing of such damage, not even that there is some.
  virtual bool is_mute_about(RecoveryRule) const { return false; }
  // A kernel: it does not end with the recovery.
  virtual bool is_mount() const { return false; }
  // So near to another witness that it hears only some of the logs.
  virtual bool is_second() const { return false; }
};

// `debugfs -w -R jr`, `e2fsck -y -E journal_only`, and a mount by the running kernel.
std::unique_ptr<Witness> make_debugfs_witness();
std::unique_ptr<Witness> make_e2fsck_witness();
enum class MountKind : std::uint8_t { kReadOnly, kReadWrite };
std::unique_ptr<Witness> make_kernel_witness(MountKind kind);

// The numbers that follow `before` in `text`, each as LABEL NUMBER.
void collect_names(const std::string& text, const std::string& before, const std::string& label,
                   std::set<std::string>& into);

}  // namespace powercut::testing
