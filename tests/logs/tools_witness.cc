// e2fsprogs as witnesses.
#include <array>

#include "format/ext4_disk.h"
#include "tests/logs/witness.h"
#include "tests/support/e2fs_image.h"

namespace powercut::testing {
namespace {

constexpr std::array kToolFields = {
    OWN_FIELD("s_wtime", write_time),
    OWN_FIELD("s_wtime_hi", write_time_high),
    OWN_FIELD("s_kbytes_written", kilobytes_written),
    OWN_FIELD("s_checksum", checksum),
    OWN_FIELD("s_lastcheck", check_time),  // debugfs sets it to no time at all
};

class ToolWitness : public Witness {
 public:
  ToolWitness(std::string name, std::string command)
      : name_(std::move(name)), command_(std::move(command)) {}
  std::string name() const override { return name_; }
  RecoverAs rules() const override { return RecoverAs::kE2fsck; }
  std::span<const OwnField> own_fields() const override { return kToolFields; }

  std::set<std::string> names_of(const Damage& damage) const override {
    if (damage.rule == RecoveryRule::kDataChecksum) {
      return {"data block " + std::to_string(damage.home.value())};
    }
    return {};
  }

  Testimony recover(const LogImage& log) override {
    const std::string path = (folder_.path() / "image").string();
    write_whole(path, log.bytes);
    const ShellOutcome outcome = run_shell(command_ + " '" + path + "'");
    Testimony testimony;
    testimony.said = outcome.output + "(status " + std::to_string(outcome.status) + ")";
    testimony.image = MappedFile(path);
    testimony.is_refused = reports_damage(outcome.output);
    collect_names(outcome.output, "Invalid checksum recovering data block ", "data block",
                  testimony.names);
    collect_names(outcome.output, "Journal transaction ", "transaction", testimony.names);
    return testimony;
  }

 private:
  virtual bool reports_damage(const std::string& output) const = 0;
  TemporaryFolder folder_;
  std::string name_, command_;
};

class DebugfsWitness final : public ToolWitness {
 public:
  DebugfsWitness() : ToolWitness("debugfs", "debugfs -w -R jr") {}
  bool is_mute_about(RecoveryRule rule) const override {
    return rule == RecoveryRule::kCommitChecksum;
  }

 private:
  bool reports_damage(const std::string& output) const override {
    return output.find("while recovering journal") != std::string::npos;
  }
};

class E2fsckWitness final : public ToolWitness {
 public:
  E2fsckWitness() : ToolWitness("e2fsck", "e2fsck -y -E journal_only") {}
  std::set<std::string> names_of(const Damage& damage) const override {
    if (damage.rule == RecoveryRule::kCommitChecksum) {
      return {"transaction " + std::to_string(damage.tid.value())};
    }
    return ToolWitness::names_of(damage);
  }

 private:
  bool reports_damage(const std::string& output) const override {
    return output.find("corrupt") != std::string::npos ||
           output.find("hecksum") != std::string::npos ||
           output.find("while recovering journal") != std::string::npos;
  }
};

}  // namespace

std::unique_ptr<Witness> make_debugfs_witness() {
  return std::make_unique<DebugfsWitness>();
}
std::unique_ptr<Witness> make_e2fsck_witness() {
  return std::make_unique<E2fsckWitness>();
}

void collect_names(const std::string& text, const std::string& before, const std::string& label,
                   std::set<std::string>& into) {
  for (auto at = text.find(before); at != std::string::npos; at = text.find(before, at + 1)) {
    const auto begin = at + before.size();
    const auto end = text.find_first_not_of("0123456789", begin);
    into.insert(label + " " + text.substr(begin, end - begin));
  }
}

}  // namespace powercut::testing
