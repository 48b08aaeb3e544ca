// Boots a real kernel, from the package to the power-off, on a disk that nbdkit serves.
#include <csignal>
#include <cstdio>
#include <fstream>

#include <gtest/gtest.h>

#include "host/machine.h"
#include "host/process.h"
#include "lab/sources/initramfs.h"
#include "lab/sources/vm.h"
#include "lab/sources/vm_accelerator.h"
#include "tests/support/long_form.h"

namespace powercut::lab {
namespace {

namespace fs = std::filesystem;
using Kind = GuestEventKind;

constexpr auto kToolLimit = std::chrono::seconds(60);
constexpr auto kGuestLimit = std::chrono::seconds(200);
constexpr const char* kKernel = "debian:6.1";

std::string words_of(const Error& error) {
  return std::string(error.what) + ": " + std::string(error.detail.view());
}

// Waits until a tool of ours has made `path`.
bool appears(const fs::path& path) {
  const SteadyClock clock;
  const Nanoseconds end = clock.now() + kToolLimit;
  while (!fs::exists(path) && clock.now() < end) {
    const auto pause = run_command({.arguments = {"sleep", "0.05"}}, kToolLimit);
    if (!pause) return false;
  }
  return fs::exists(path);
}

class GuestBoot : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* tool : {"qemu-system-x86_64", "nbdkit", "mke2fs", "debugfs"}) {
      if (!find_program(tool)) GTEST_SKIP() << "no " << tool << " on this machine";
    }
    const auto cache = cache_directory();
    ASSERT_TRUE(cache);
    cache_ = *cache;
    const auto kernel = obtain_kernel(*KernelSpec::parse(kKernel), {}, cache_, {});
    if (!kernel) GTEST_SKIP() << "no kernel package: " << words_of(kernel.error());
    kernel_ = *kernel;
    auto made = TempDirectory::make("boot-test");
    ASSERT_TRUE(made);
    folder_.emplace(std::move(made).value());
    image_ = folder_->path() / "image";
    std::ofstream(image_).close();
    fs::resize_file(image_, std::uintmax_t{64} << 20);
  }

  void make_file_system() {
    const auto made =
        run_command({.arguments = {"mke2fs", "-q", "-F", "-t", "ext4", "-O", "^metadata_csum_seed",
                                   "-b", "4096", image_.string()}},
                    kToolLimit);
    ASSERT_TRUE(made && made->status.is_success()) << made->output;
  }

  // Serves the image; the path of the socket.
  fs::path serve() {
    fs::path socket = folder_->path() / "socket";
    fs::remove(socket);
    auto server = Process::start(
        {.arguments = {"nbdkit", "-f", "-U", socket.string(), "file", image_.string()}});
    EXPECT_TRUE(server);
    server_.emplace(std::move(server).value());
    EXPECT_TRUE(appears(socket));
    return socket;
  }

  Result<VirtualMachine> boot(const GuestJob& job, VmOptions options = {}) {
    options.kernel = kernel_;
    options.initramfs = TRY(build_initramfs(kernel_, job, {.guest_program = POWERCUT_GUEST}));
    options.disk_socket = serve();
    options.memory_mib = 512;
    return VirtualMachine::start(std::move(options), clock_);
  }

  // Everything until the machine's end; the test fails if that does not come.
  std::vector<GuestEvent> run_to_end(VirtualMachine& machine) {
    std::vector<GuestEvent> events;
    while (machine.age() < kGuestLimit && !machine.has_ended()) {
      const auto event = machine.poll(std::chrono::seconds(1));
      if (!event) {
        ADD_FAILURE() << words_of(event.error()) << "\n" << machine.console_tail();
        break;
      }
      if (*event) events.push_back(**event);
    }
    for (;;) {  // what was read together with the end
      const auto event = machine.poll(Nanoseconds(0));
      if (!event || !*event) break;
      events.push_back(**event);
    }
    EXPECT_TRUE(machine.has_ended()) << machine.console_tail();
    machine.stop();
    server_.reset();
    return events;
  }

  // The error that ends a machine which does not boot.
  static Error run_to_error(VirtualMachine& machine) {
    for (;;) {
      const auto event = machine.poll(kGuestLimit);
      if (!event) return event.error();
      if (!*event) {
        ADD_FAILURE() << "the machine ended without an error\n" << machine.console_tail();
        return {};
      }
    }
  }

  static const GuestEvent* find(const std::vector<GuestEvent>& events, Kind kind) {
    for (const GuestEvent& event : events) {
      if (event.kind == kind) return &event;
    }
    return nullptr;
  }
  static bool has_text(const std::vector<GuestEvent>& events, Kind kind, std::string_view text) {
    for (const GuestEvent& event : events) {
      if (event.kind == kind && event.text.find(text) != std::string::npos) return true;
    }
    return false;
  }

  std::string debugfs(const std::string& command) {
    const auto outcome =
        run_command({.arguments = {"debugfs", "-R", command, image_.string()}}, kToolLimit);
    return outcome ? outcome->output : "";
  }

  SteadyClock clock_;
  fs::path cache_;
  KernelImage kernel_;
  std::optional<TempDirectory> folder_;
  fs::path image_;
  std::optional<Process> server_;
};

TEST_F(GuestBoot, RunsCommandsAndPowersOff) {
  make_file_system();
  GuestJob job;
  job.settings = {{"vm/dirty_expire_centisecs", "10"}, {"no/such_setting", "1"}};
  job.commands = {
      {"sh", "-c",
       "echo hello > f; cat /proc/sys/vm/dirty_expire_centisecs; grep /mnt /proc/mounts;"
       " sleep 1000 & sync"},
      {"hot-store", "--seconds", "2", "--files", "2", "--pages", "200", "."}};
  auto machine = boot(job);
  ASSERT_TRUE(machine) << words_of(machine.error());
  const auto events = run_to_end(*machine);
  for (const Kind kind : {Kind::kBooted, Kind::kMounted, Kind::kLoadStarted, Kind::kLoadEnded,
                          Kind::kOff, Kind::kExited}) {
    const GuestEvent* event = find(events, kind);
    ASSERT_NE(event, nullptr) << static_cast<int>(kind) << "\n" << machine->console_tail();
    EXPECT_EQ(event->code, 0);
    std::printf("  %-13s after %.2f s\n", event->text.c_str(), seconds_of(event->time));
  }
  EXPECT_TRUE(has_text(events, Kind::kTrouble, "no/such_setting"));
  EXPECT_TRUE(has_text(events, Kind::kKernelMessage, "EXT4-fs (vda): mounted filesystem"));
  EXPECT_TRUE(has_text(events, Kind::kLoadOutput, "10"));
  EXPECT_TRUE(has_text(events, Kind::kLoadOutput, "data=journal"));
  EXPECT_TRUE(has_text(events, Kind::kLoadOutput, "pages stored to"));
  EXPECT_EQ(find(events, Kind::kPanic), nullptr);
  EXPECT_NE(debugfs("cat /work/f").find("hello\n"), std::string::npos);
  EXPECT_NE(debugfs("stat /work/hot-1").find("Size: 819200"), std::string::npos);
}

TEST_F(GuestBoot, StopsACommandAtItsLimit) {
  ONLY_IN_LONG_FORM();
  make_file_system();
  GuestJob job;
  job.commands = {{"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}, {"touch", "never"}};
  job.command_limit = std::chrono::seconds(1);
  job.grace = std::chrono::seconds(1);
  auto machine = boot(job);
  ASSERT_TRUE(machine) << words_of(machine.error());
  const auto events = run_to_end(*machine);
  const GuestEvent* ended = find(events, Kind::kLoadEnded);
  ASSERT_NE(ended, nullptr) << machine->console_tail();
  EXPECT_EQ(ended->code, 128 + SIGKILL);
  EXPECT_EQ(ended->text, "time limit");
  EXPECT_NE(find(events, Kind::kOff), nullptr);
  EXPECT_EQ(debugfs("stat /work/never").find("Inode:"), std::string::npos);
}

TEST_F(GuestBoot, MountOnlyListsARootFolder) {
  ONLY_IN_LONG_FORM();
  make_file_system();
  GuestJob job;
  job.kind = JobKind::kMountOnly;
  auto machine = boot(job);
  ASSERT_TRUE(machine) << words_of(machine.error());
  const auto events = run_to_end(*machine);
  const GuestEvent* listed = find(events, Kind::kListed);
  ASSERT_NE(listed, nullptr) << machine->console_tail();
  EXPECT_EQ(listed->code, 1);  // lost+found
  EXPECT_EQ(find(events, Kind::kLoadStarted), nullptr);
}

TEST_F(GuestBoot, AnImageThatDoesNotMountIsSaidWithTheKernelsWords) {
  ONLY_IN_LONG_FORM();
  make_file_system();
  {
    std::fstream file(image_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1024 + 4);
    file.write("\xFF\xFF\xFF\xFF", 4);  // the superblock's count of blocks
  }
  GuestJob job;
  job.kind = JobKind::kMountOnly;
  auto machine = boot(job);
  ASSERT_TRUE(machine) << words_of(machine.error());
  const auto events = run_to_end(*machine);
  const GuestEvent* failed = find(events, Kind::kMountFailed);
  ASSERT_NE(failed, nullptr) << machine->console_tail();
  EXPECT_GT(failed->code, 0);
  EXPECT_TRUE(has_text(events, Kind::kKernelMessage, "EXT4-fs (vda): ")) << machine->console_tail();
  EXPECT_EQ(find(events, Kind::kMounted), nullptr);
  EXPECT_NE(find(events, Kind::kOff), nullptr);
}

TEST_F(GuestBoot, APowerCutEndsTheMachineAtOnce) {
  make_file_system();
  GuestJob job;
  job.commands = {{"hot-store", "--seconds", "60", "."}};
  auto machine = boot(job);
  ASSERT_TRUE(machine) << words_of(machine.error());
  bool is_started = false;
  while (!is_started && machine->age() < kGuestLimit) {
    const auto event = machine->poll(std::chrono::seconds(1));
    ASSERT_TRUE(event) << words_of(event.error());
    is_started = *event && (*event)->kind == Kind::kLoadStarted;
  }
  ASSERT_TRUE(is_started) << machine->console_tail();
  const pid_t pid = machine->process().pid();
  EXPECT_EQ(::kill(pid, 0), 0);
  machine->cut_power();
  EXPECT_TRUE(machine->has_ended());
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST_F(GuestBoot, AMachineThatDoesNotBootIsAnError) {
  ONLY_IN_LONG_FORM();
  VmOptions options;
  options.boot_limit = std::chrono::milliseconds(100);
  auto slow = boot(GuestJob{}, std::move(options));
  ASSERT_TRUE(slow) << words_of(slow.error());
  EXPECT_EQ(run_to_error(*slow).code, Errc::kTimeout);
  slow->stop();

  VmOptions diskless;
  diskless.kernel = kernel_;
  diskless.initramfs = {1, 2, 3};
  diskless.disk_socket = "/nowhere/socket";
  auto broken = VirtualMachine::start(std::move(diskless), clock_);
  ASSERT_TRUE(broken) << words_of(broken.error());
  EXPECT_EQ(run_to_error(*broken).code, Errc::kIo);
  EXPECT_NE(broken->console_tail().find("/nowhere/socket"), std::string::npos);

  VmOptions panicking;  // no init at all
  panicking.kernel = kernel_;
  panicking.memory_mib = 512;
  auto panicked = VirtualMachine::start(std::move(panicking), clock_);
  ASSERT_TRUE(panicked) << words_of(panicked.error());
  EXPECT_EQ(run_to_error(*panicked).code, Errc::kIo);
  EXPECT_NE(panicked->console_tail().find("Kernel panic - not syncing"), std::string::npos);
}

TEST_F(GuestBoot, KvmIsTriedOnceAndRemembered) {
  const auto first = kvm_works(kernel_, POWERCUT_GUEST, folder_->path(), clock_);
  ASSERT_TRUE(first) << words_of(first.error());
  std::printf("  KVM works: %d %s\n", first->works ? 1 : 0, first->reason.c_str());
  EXPECT_EQ(first->works, first->reason.empty());
  if (!fs::exists("/dev/kvm")) GTEST_SKIP() << "no /dev/kvm: nothing to remember";
  const auto second = kvm_works(kernel_, POWERCUT_GUEST, folder_->path(), clock_);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->works, first->works);
  EXPECT_TRUE(second->was_cached);
}

}  // namespace
}  // namespace powercut::lab
