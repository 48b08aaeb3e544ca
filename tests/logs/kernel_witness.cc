// The running kernel as a witness: it mounts the image through a loop device and unmounts it.
#include <array>
#include <sstream>

#include <sys/utsname.h>

#include "format/ext4_disk.h"
#include "tests/logs/witness.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/loop_mount.h"

namespace powercut::testing {
namespace {

// A mount counts what is free anew from the group descriptors, and notes that and when it was.
constexpr std::array kMountFields = {
    OWN_FIELD("s_free_blocks_count_lo", free_blocks_low),
    OWN_FIELD("s_free_inodes_count", free_inodes),
    OWN_FIELD("s_wtime", write_time),
    OWN_FIELD("s_wtime_hi", write_time_high),
    OWN_FIELD("s_kbytes_written", kilobytes_written),
    OWN_FIELD("s_checksum", checksum),
};
// One for writing also these.
constexpr std::array kReadWriteFields = {
    kMountFields[0],
    kMountFields[1],
    kMountFields[2],
    kMountFields[3],
    kMountFields[4],
    kMountFields[5],
    OWN_FIELD("s_mtime", mount_time),
    OWN_FIELD("s_mtime_hi", mount_time_high),
    OWN_FIELD("s_mnt_count", mount_count),
};

struct KernelVersion {
  std::string release;
  int major = 0, minor = 0;
  static KernelVersion running() {
    utsname names = {};
    ::uname(&names);
    KernelVersion version;
    version.release = names.release;
    char dot = 0;
    std::istringstream(names.release) >> version.major >> dot >> version.minor;
    return version;
  }
  bool is_from(int first_major, int first_minor) const {
    return major > first_major || (major == first_major && minor >= first_minor);
  }
};

class KernelWitness final : public Witness {
 public:
  explicit KernelWitness(MountKind kind) : kind_(kind) {}
  std::string name() const override {
    return kind_ == MountKind::kReadOnly ? "mount -o ro" : "mount -o rw";
  }
  RecoverAs rules() const override { return recover_as_of_release(version_.release); }
  std::span<const OwnField> own_fields() const override {
    if (kind_ == MountKind::kReadOnly) return kMountFields;
    return kReadWriteFields;
  }
  bool is_mount() const override { return true; }
  bool is_second() const override { return kind_ == MountKind::kReadWrite; }

  std::set<std::string> names_of(const Damage& damage) const override {
    if (damage.rule == RecoveryRule::kCommitChecksum ||
        damage.rule == RecoveryRule::kDescriptorChecksum) {
      return {"transaction " + std::to_string(damage.tid.value())};
    }
    if (damage.rule != RecoveryRule::kDataChecksum) return {};
    std::set<std::string> names = {"data block " + std::to_string(damage.home.value())};
    if (version_.is_from(6, 7)) {
      names.insert("journal block " + std::to_string(damage.log_block.value()));
    }
    return names;
  }

  Testimony recover(const LogImage& log) override {
    const auto path = folder_.path() / "image";
    write_whole(path.string(), log.bytes);
    Testimony testimony;
    {
      LoopMount mount(path, folder_.path() / "mount",
                      kind_ == MountKind::kReadOnly ? "ro" : "noinit_itable");
      testimony.is_refused = !mount.is_mounted();
      testimony.said = mount.log() + "\n";
      testimony.said += mount.kernel_words();
      if (mount.is_mounted() && !mount.unmount()) testimony.said += mount.log() + "\n";
    }
    const std::string& said = testimony.said;
    testimony.image = MappedFile(path.string());
    collect_names(said, "recovering data block ", "data block", testimony.names);
    collect_names(said, " in journal block ", "journal block", testimony.names);
    collect_names(said, "checksum found in transaction ", "transaction", testimony.names);
    collect_names(said, "JBD2: journal transaction ", "transaction", testimony.names);
    return testimony;
  }

 private:
  TemporaryFolder folder_;
  MountKind kind_;
  KernelVersion version_ = KernelVersion::running();
};

}  // namespace

std::unique_ptr<Witness> make_kernel_witness(MountKind kind) {
  return std::make_unique<KernelWitness>(kind);
}

}  // namespace powercut::testing
