#include "host/mounts.h"

#include <cerrno>
#include <thread>

#include <sched.h>
#include <sys/mount.h>

#include "host/file.h"

namespace powercut {
namespace {

constexpr auto kBusyPause = std::chrono::milliseconds(10);

}  // namespace

Result<void> enter_own_mounts() {
  if (::unshare(CLONE_NEWNS) != 0) {
    return os_failure("cannot have mounts of our own", "", errno);
  }
  // MS_SLAVE: what comes from outside still does, what we do stays here.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return os_failure("cannot keep our mounts to ourselves", "/", errno);
  }
  return {};
}

Result<void> mount_file_system(const MountRequest& request) {
  const char* const options = request.options.empty() ? nullptr : request.options.c_str();
  if (::mount(request.source.c_str(), request.place.c_str(), request.type.c_str(), request.flags,
              options) == 0) {
    return {};
  }
  return os_failure("cannot mount", request.place, errno);
}

Result<void> unmount(const std::string& place, const Clock& clock, Nanoseconds limit) {
  const Nanoseconds end = clock.now() + limit;
  for (;;) {
    if (::umount2(place.c_str(), UMOUNT_NOFOLLOW) == 0) return {};
    if (errno != EBUSY) return os_failure("cannot unmount", place, errno);
    if (clock.now() >= end) break;
    std::this_thread::sleep_for(kBusyPause);
  }
  ::umount2(place.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH);
  return fail_with(Errc::kInUse, "cannot unmount: somebody still uses it", place);
}

}  // namespace powercut
