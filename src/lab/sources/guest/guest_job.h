// What a guest is asked to do: written by the host into the initramfs, read by our init.
//
// Words
//   job       one boot's work: modules, settings, a mount, commands, power off
//   command   one program with its arguments; it runs in kWorkDirectory on the mounted file system
//
// The file
//   First line kJobHeader, then one `key=value` a line, in any order except that `argument` lines
//   belong to the `command` line above them.  In a value, backslash and newline are written `\\`
//   and `\n`; a NUL has no form.  An unknown key is refused, so that a host and a guest of two
//   versions find out.
//
// Bounds: kJobBytesMax for the file, kJobItemsMax for modules, settings, commands, and arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace powercut::lab {

inline constexpr std::string_view kJobHeader = "powercut guest job 1";
inline constexpr std::size_t kJobBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kJobItemsMax = 4096;
inline constexpr const char* kJobPath = "/powercut/job";         // in the initramfs
inline constexpr const char* kMountPoint = "/mnt";               // in the guest
inline constexpr const char* kWorkDirectory = "/mnt/work";       // in the guest
inline constexpr std::string_view kProtocolWord = "powercut: ";  // begins each of init's lines
inline constexpr std::string_view kRelayWord = "load: ";  // begins each line of a command's output

enum class JobKind : std::uint8_t {
  kBootOnly,   // say `booted`, power off: is there a machine at all
  kMountOnly,  // mount, list the root folder, unmount, power off: does a kernel take this image
  kLoad,       // mount, run the commands, unmount, power off
};

// One file under /proc/sys, as "vm/dirty_expire_centisecs", and what is written to it.
struct KernelSetting {
  std::string name;
  std::string value;
  friend bool operator==(const KernelSetting&, const KernelSetting&) = default;
};

struct GuestJob {
  JobKind kind = JobKind::kLoad;
  std::string device = "/dev/vda";
  std::string mount_options = "data=journal";
  std::vector<std::string> modules;  // paths in the guest, in the order of loading
  std::vector<KernelSetting> settings;
  bool has_marks = false;                          // there is a port for marks (mark_client.h)
  std::vector<std::vector<std::string>> commands;  // run one after another; the first failure ends
  Nanoseconds device_limit = std::chrono::seconds(20);   // for the device to appear
  Nanoseconds command_limit = std::chrono::minutes(10);  // for all commands together
  Nanoseconds grace = std::chrono::seconds(2);           // between SIGTERM and SIGKILL
  friend bool operator==(const GuestJob&, const GuestJob&) = default;
};

// Errors: kInvalid: a NUL or an empty command; a setting's name outside [a-z0-9_/]; kLimit.
Result<std::string> format_job(const GuestJob& job);
// Errors: kCorrupt: header, form or number; kUnsupported: a key of another version; kLimit.
// Durations have a resolution of one millisecond and are at most a day.
Result<GuestJob> parse_job(std::string_view text);

}  // namespace powercut::lab
