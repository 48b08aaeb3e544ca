#include "lab/sources/guest/init.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lab/sources/guest/command_runner.h"
#include "lab/sources/guest/guest_job.h"
#include "lab/sources/guest/mark_client.h"
#include "lab/sources/guest/mount_options.h"
#include "lab/sources/guest/voice.h"

namespace powercut::lab {
namespace {

constexpr std::size_t kLogLinesMax = 64;  // of the kernel's log, repeated on the console
constexpr std::size_t kEntriesMax = 64;   // of the root folder
constexpr int kConsoleLevel = 5;          // loglevel= of vm.cc: more urgent ones are shown
constexpr std::size_t kKernelLogBytes = std::size_t{512} << 10;
constexpr auto kUnmountLimit = std::chrono::seconds(10);
constexpr auto kMarksLimit = std::chrono::seconds(5);  // for the port's name to be known
constexpr auto kConsoleLimit = std::chrono::seconds(2);
constexpr auto kPause = std::chrono::milliseconds(10);

std::string errno_text(int os_error) {
  return std::to_string(os_error) + " " + std::strerror(os_error);
}

class Init {
 public:
  void run();

 private:
  void mount_pseudo_file_systems();
  bool read_job();
  void load_modules();
  bool wait_for_device();
  void apply_settings();
  bool mount_file_system();
  void say_kernel_log();
  void find_marks();
  void list_root();
  void run_commands();
  void settle_console() const;
  void unmount();

  SteadyClock clock_;
  Voice voice_;
  GuestJob job_;
};

void Init::mount_pseudo_file_systems() {
  struct Pseudo {
    const char* type;
    const char* place;
  };
  constexpr Pseudo kAll[] = {{"proc", "/proc"},
                             {"sysfs", "/sys"},
                             {"devtmpfs", "/dev"},
                             {"tmpfs", "/dev/shm"},
                             {"tmpfs", "/tmp"}};
  for (const Pseudo& one : kAll) {
    ::mkdir(one.place, 0755);
    const int result = ::mount(one.type, one.place, one.type, 0, nullptr);
    const int os_error = errno;
    if (std::strcmp(one.place, "/dev") == 0) voice_.open_kernel_log();
    // A kernel may have mounted devtmpfs by itself.
    if (result != 0 && os_error != EBUSY) {
      voice_.say(std::string("trouble: mount ") + one.place + ": " + errno_text(os_error));
    }
  }
}

bool Init::read_job() {
  const int fd = ::open(kJobPath, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    voice_.say("trouble: no job: " + errno_text(errno));
    return false;
  }
  std::string text;
  char buffer[4096];
  ssize_t count = 0;
  while (text.size() <= kJobBytesMax && (count = ::read(fd, buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  ::close(fd);
  auto job = parse_job(text);
  if (!job) {
    voice_.say("trouble: " + error_words(job.error()));
    return false;
  }
  job_ = std::move(job).value();
  return true;
}

void Init::load_modules() {
  for (const std::string& module : job_.modules) {
    const int fd = ::open(module.c_str(), O_RDONLY | O_CLOEXEC);
    const long result = fd < 0 ? -1 : ::syscall(SYS_finit_module, fd, "", 0);
    if (result != 0 && errno != EEXIST) {
      voice_.say("trouble: module " + module + ": " + errno_text(errno));
    }
    if (fd >= 0) ::close(fd);
  }
}

bool Init::wait_for_device() {
  const Nanoseconds end = clock_.now() + job_.device_limit;
  for (;;) {
    struct stat status {};
    if (::stat(job_.device.c_str(), &status) == 0 && S_ISBLK(status.st_mode)) return true;
    if (clock_.now() >= end) return false;
    std::this_thread::sleep_for(kPause);
  }
}

void Init::apply_settings() {
  for (const KernelSetting& setting : job_.settings) {
    const std::string path = "/proc/sys/" + setting.name;
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const bool is_set = fd >= 0 && ::write(fd, setting.value.data(), setting.value.size()) ==
                                       static_cast<ssize_t>(setting.value.size());
    if (!is_set) voice_.say("trouble: setting " + setting.name + ": " + errno_text(errno));
    if (fd >= 0) ::close(fd);
  }
}

bool Init::mount_file_system() {
  if (!wait_for_device()) {
    voice_.say("mount failed: " + std::to_string(ENODEV) + " no " + job_.device);
    return false;
  }
  const MountOptions options = split_mount_options(job_.mount_options);
  ::mkdir(kMountPoint, 0755);
  if (::mount(job_.device.c_str(), kMountPoint, "ext4", options.flags, options.data.c_str()) != 0) {
    const int os_error = errno;
    say_kernel_log();
    voice_.say("mount failed: " + errno_text(os_error));
    return false;
  }
  say_kernel_log();
  voice_.say("mounted");
  return true;
}

// Takes "<6>" away; whether the console has shown a message of that level already (loglevel=5).
bool take_level(std::string_view& line) {
  if (line.size() < 3 || line[0] != '<') return false;
  const std::size_t end = line.substr(0, 6).find('>');
  if (end == std::string_view::npos) return false;
  const int level = (line[end - 1] - '0') & 7;  // the lowest three bits; the rest says who spoke
  line.remove_prefix(end + 1);
  return level < kConsoleLevel;
}

// Repeats what the kernel's log says of ext4 and its journal and the console has not shown.
void Init::say_kernel_log() {
  constexpr int kReadAll = 3;  // SYSLOG_ACTION_READ_ALL
  std::string log(kKernelLogBytes, '\0');
  const int count = ::klogctl(kReadAll, log.data(), static_cast<int>(log.size()));
  if (count <= 0) return;
  std::string_view rest(log.data(), static_cast<std::size_t>(count));
  std::size_t said = 0;
  while (!rest.empty() && said < kLogLinesMax) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const bool was_shown = take_level(line);
    const bool is_wanted = line.find("EXT4-fs") != std::string_view::npos ||
                           line.find("JBD2") != std::string_view::npos;
    if (was_shown || !is_wanted) continue;
    voice_.say("log: " + std::string(line));
    ++said;
  }
}

std::string first_line_of(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char buffer[64];
  const ssize_t count = ::read(fd, buffer, sizeof buffer);
  ::close(fd);
  const std::string_view text(buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  return std::string(text.substr(0, text.find('\n')));
}

// The device of the port with our name; empty if there is none (yet).
std::string marks_device() {
  const std::string ports = "/sys/class/virtio-ports";
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(ports.c_str()), &::closedir);
  if (folder == nullptr) return {};
  for (const dirent* entry = ::readdir(folder.get()); entry != nullptr;
       entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (first_line_of(ports + "/" + name + "/name") == kMarksPort) return "/dev/" + name;
  }
  return {};
}

// Gives the port of marks the name that a load looks for.  A machine without one has none.
void Init::find_marks() {
  struct stat status {};
  if (::stat("/sys/class/virtio-ports", &status) != 0) return;
  const Nanoseconds end = clock_.now() + kMarksLimit;
  std::string device = marks_device();
  while (device.empty() && clock_.now() < end) {
    std::this_thread::sleep_for(kPause);
    device = marks_device();
  }
  ::mkdir("/dev/virtio-ports", 0755);
  if (device.empty() || ::symlink(device.c_str(), kGuestMarks) != 0) {
    voice_.say("trouble: no port for marks");
  }
}

void Init::list_root() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(kMountPoint), &::closedir);
  if (folder == nullptr) {
    voice_.say("trouble: root folder: " + errno_text(errno));
    return;
  }
  std::size_t count = 0;
  for (const dirent* entry = ::readdir(folder.get()); entry != nullptr;
       entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (count++ < kEntriesMax) voice_.say("entry: " + name);
    if (count > kJobItemsMax) break;
  }
  voice_.say("listed: " + std::to_string(count));
}

void Init::run_commands() {
  ::mkdir(kWorkDirectory, 0755);  // there already on an image that was used before
  if (job_.has_marks) find_marks();
  voice_.say("load started");
  const CommandLimits limits{.deadline = clock_.now() + job_.command_limit, .grace = job_.grace};
  CommandEnd end;
  for (const std::vector<std::string>& command : job_.commands) {
    end = run_guest_command(command, limits, clock_, voice_);
    if (end.code != 0) break;
  }
  settle_console();
  voice_.say("load ended " + std::to_string(end.code) + (end.was_stopped ? " time limit" : ""));
}

// What a load has written to the console itself may still be on its way, and without a newline:
// then the next line of the protocol would be the end of another one.
void Init::settle_console() const {
  const int console = ::open("/dev/console", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (console < 0) return;
  const Nanoseconds end = clock_.now() + kConsoleLimit;
  bool has_newline = false;
  int waiting = 0;
  do {
    if (!has_newline) has_newline = ::write(console, "\n", 1) == 1;
    if (::ioctl(console, TIOCOUTQ, &waiting) != 0) break;
    if (waiting != 0 || !has_newline) std::this_thread::sleep_for(kPause);
  } while ((waiting != 0 || !has_newline) && clock_.now() < end);
  ::close(console);
}

void Init::unmount() {
  ::sync();
  const Nanoseconds end = clock_.now() + kUnmountLimit;
  while (::umount2(kMountPoint, 0) != 0) {
    if (errno != EBUSY || clock_.now() >= end) {
      voice_.say("trouble: umount: " + errno_text(errno));
      return;
    }
    std::this_thread::sleep_for(kPause);
  }
}

void Init::run() {
  mount_pseudo_file_systems();
  voice_.say("booted");
  if (read_job() && job_.kind != JobKind::kBootOnly) {
    load_modules();
    apply_settings();
    if (mount_file_system()) {
      if (job_.kind == JobKind::kMountOnly) {
        list_root();
      } else {
        run_commands();
      }
      end_all_processes(clock_);
      settle_console();
      unmount();
    }
  }
  voice_.say("off");
}

}  // namespace

void run_init() {
  {
    Init init;
    init.run();
  }
  ::reboot(RB_POWER_OFF);
  ::reboot(RB_AUTOBOOT);  // without ACPI; QEMU runs with -no-reboot and ends
  for (;;) ::pause();
}

}  // namespace powercut::lab
