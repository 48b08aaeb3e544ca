// What a crashed image comes to: three opinions on one image, none of which changes it.
//
//   ours     the plan of our recovery, by the rules of the kernel that is asked
//   e2fsck   e2fsck -fy on a copy: of a bad journal block it only complains, and empties the log
//   Linux    a mount by a real kernel in a virtual machine, of a copy: it refuses
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/campaign/vm_run.h"
#include "recovery/recovery.h"

namespace powercut::lab {

struct E2fsckOpinion {
  int exit_code = 0;
  std::vector<BlockNo> damaged;    // "Invalid checksum recovering data block N"
  std::vector<std::string> lines;  // what it said of the journal
};

struct KernelOpinion {
  KernelImage kernel;
  bool has_mounted = false;
  bool has_refused = false;        // neither: it could not be asked, see trouble
  std::string refusal;             // the error of mount(2)
  std::vector<BlockNo> damaged;    // blocks that it named
  std::vector<std::string> lines;  // its messages of JBD2 and EXT4-fs
  std::string trouble;
};

struct Proof {
  std::filesystem::path image;
  RecoveryPlan plan;
  std::vector<std::string> owners;  // of plan.damages, as of their transactions
  std::uint32_t block_bytes = 4096;
  std::optional<E2fsckOpinion> e2fsck;
  std::string e2fsck_trouble;  // why there is no opinion of it
  std::optional<KernelOpinion> kernel;

  // A log that ends at a damaged async commit is recovered cleanly, and yet it is damaged.
  bool is_damaged() const { return plan.end == RecoveryEnd::kRefused || !plan.damages.empty(); }
  std::vector<BlockNo> damaged_blocks() const;  // by our plan, sorted, each once
};

struct ProveOptions {
  std::filesystem::path image;
  std::optional<KernelImage> kernel;  // absent: Linux is not asked, our rules are RecoverAs::kLinux
  Accelerator accelerator = Accelerator::kAuto;
};

// Errors: kIo and what Volume and plan_recovery() say of an image that cannot be read at all;
// kNoSpace for its copies.
Result<Proof> prove(const ProveOptions& options, const LabEnvironment& environment);

// The block numbers in lines like "Invalid checksum recovering data block 72327 in log", sorted.
std::vector<BlockNo> blocks_named_in(const std::vector<std::string>& lines);

// What is kept beside an image: from which kernel it is, and what was found.
struct ImageNote {
  std::string kernel_name;  // the spec, to be given to --kernel
  std::string kernel_release;
  std::optional<Finding> finding;
};
Result<void> write_image_note(const std::filesystem::path& image, const ImageNote& note);
// Errors: kNotFound: there is none; kCorrupt.
Result<ImageNote> read_image_note(const std::filesystem::path& image);

}  // namespace powercut::lab
