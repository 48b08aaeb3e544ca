#include "host/fuse_mount.h"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace powercut {
namespace {

constexpr const char* kDevice = "/dev/fuse";

Result<Fd> open_device() {
  Fd device(::open(kDevice, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (device.is_open()) return device;
  if (errno == ENOENT || errno == ENODEV || errno == ENXIO) {
    return fail_with(Errc::kNotFound, "no FUSE here (try: modprobe fuse)", kDevice);
  }
  return os_failure("cannot open the device of FUSE", kDevice, errno);
}

Result<void> set_option(const Fd& context, const char* name, const std::string& value) {
  if (::fsconfig(context.get(), FSCONFIG_SET_STRING, name, value.c_str(), 0) == 0) return {};
  return os_failure("cannot set an option of a FUSE mount", name, errno);
}

}  // namespace

Result<FuseMount> make_fuse_mount() {
  Fd device = TRY(open_device());
  const Fd context(::fsopen("fuse", FSOPEN_CLOEXEC));
  if (!context.is_open()) {
    if (errno != ENOSYS && errno != ENODEV) return os_failure("cannot mount FUSE", "", errno);
    return fail_with(Errc::kUnsupported, "this kernel cannot mount FUSE", "fsopen");
  }
  TRY(set_option(context, "source", "powercut"));
  TRY(set_option(context, "fd", std::to_string(device.get())));
  TRY(set_option(context, "rootmode", "40700"));  // octal: a folder
  TRY(set_option(context, "user_id", std::to_string(::geteuid())));
  TRY(set_option(context, "group_id", std::to_string(::getegid())));
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return os_failure("cannot mount FUSE", "", errno);
  }
  Fd root(::fsmount(context.get(), FSMOUNT_CLOEXEC,
                    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (!root.is_open()) return os_failure("cannot mount FUSE", "", errno);
  return FuseMount{std::move(device), std::move(root)};
}

}  // namespace powercut
