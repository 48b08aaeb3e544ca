#include "lab/sources/vm.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "base/prng.h"
#include "lab/sources/vm_accelerator.h"

namespace powercut::lab {
namespace {

constexpr std::array<std::string_view, 13> kKindNames = {
    "booted", "mounted", "mount-failed", "started", "ended", "off",   "trouble",
    "listed", "kernel",  "load",         "text",    "panic", "exited"};

std::string shown(const GuestEvent& event) {
  std::string text(kKindNames.at(static_cast<std::size_t>(event.kind)));
  return text + " " + std::to_string(event.code) + " " + event.text;
}

TEST(ParseConsoleLine, Table) {
  struct Case {
    const char* line;
    const char* event;
  };
  for (const Case& one : {
           Case{"[    2.345678] powercut: booted", "booted 0 booted"},
           Case{"[    2.345678][    T1] powercut: mounted", "mounted 0 mounted"},
           Case{"powercut: booted", "booted 0 booted"},
           Case{"[12345.1] powercut: mount failed: 117 Structure needs cleaning",
                "mount-failed 117 Structure needs cleaning"},
           Case{"[ 1.0] powercut: load started", "started 0 load started"},
           Case{"[ 1.0] powercut: load ended 0", "ended 0 "},
           Case{"[ 1.0] powercut: load ended 137 time limit", "ended 137 time limit"},
           Case{"[ 1.0] powercut: listed: 2", "listed 2 "},
           Case{"[ 1.0] powercut: off", "off 0 off"},
           Case{"[ 1.0] powercut: trouble: module x: 2", "trouble 0 module x: 2"},
           Case{"[ 1.0] powercut: log: JBD2: journal", "kernel 0 JBD2: journal"},
           Case{"[ 1.0] EXT4-fs (vda): error", "kernel 0 [ 1.0] EXT4-fs (vda): error"},
           Case{"[ 1.0] Kernel panic - not syncing: x", "panic 0 Kernel panic - not syncing: x"},
           Case{"[ 1.0] load: hello", "load 0 hello"},
           // What only looks like it.
           Case{"[ 1.0] load: powercut: off", "load 0 powercut: off"},
           Case{"[ 1.0] load: [ 1.0] powercut: off", "load 0 [ 1.0] powercut: off"},
           Case{" powercut: off", "text 0  powercut: off"},
           Case{"x powercut: booted", "text 0 x powercut: booted"},
           Case{"[ 1.0] powercut: booted twice", "text 0 booted twice"},
           Case{"[ 1.0] powercut: load ended", "text 0 load ended"},
           Case{"[ 1.0] powercut: load ended -1", "text 0 load ended -1"},
           Case{"[ 1.0] powercut: load ended 1x", "text 0 load ended 1x"},
           Case{"[ 1.0] powercut: load ended 99999999999999999999",
                "text 0 load ended 99999999999999999999"},
           Case{"[ 1.0] powercut: mount failed: ", "text 0 mount failed: "},
           Case{"[abc] powercut: off", "text 0 [abc] powercut: off"},
           Case{"[", "text 0 ["},
           Case{"[]", "text 0 []"},
           Case{"[ 1.0]", "kernel 0 [ 1.0]"},
           Case{"", "text 0 "},
       }) {
    EXPECT_EQ(shown(parse_console_line(one.line)), one.event) << one.line;
  }
}

// A letter an event: b m f(ailed) s e l(isted) o; the answer says which were accepted.
std::string accepted(std::string_view story) {
  constexpr std::string_view kLetters = "bmfseo?l";
  GuestProtocol protocol;
  std::string text;
  for (const char letter : story) {
    GuestEvent event;
    event.kind = static_cast<GuestEventKind>(kLetters.find(letter));
    const GuestEventKind kind = event.kind;
    text += protocol.accept(event).kind == kind ? letter : '-';
  }
  return text;
}

TEST(GuestProtocol, Table) {
  EXPECT_EQ(accepted("bmseo"), "bmseo");
  EXPECT_EQ(accepted("bmlo"), "bmlo");
  EXPECT_EQ(accepted("bfo"), "bfo");
  EXPECT_EQ(accepted("bo"), "bo");
  EXPECT_EQ(accepted("mseo"), "----");
  EXPECT_EQ(accepted("o"), "-");
  EXPECT_EQ(accepted("bbmm"), "b-m-");
  EXPECT_EQ(accepted("bmfseeo"), "bm-se-o");
  EXPECT_EQ(accepted("bseo"), "b--o");
  EXPECT_EQ(accepted("bmeso"), "bm-so");
  EXPECT_EQ(accepted("bmsob"), "bmso-");
}

TEST(ConsoleText, MakesLinesSafe) {
  ConsoleText console;
  const auto lines = console.feed("plain\r\n\x1b[2Jred\a\n\xc3\xa4\tb\n\r\r\nhalf");
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0], "plain");
  EXPECT_EQ(lines[1], "\\x1b[2Jred\\x07");
  EXPECT_EQ(lines[2], "\\xc3\\xa4 b");
  EXPECT_EQ(lines[3], "");
  EXPECT_EQ(console.last_lines(2), "\\xc3\\xa4 b | half");
  EXPECT_EQ(console.finish(), std::vector<std::string>{"half"});
  EXPECT_TRUE(console.finish().empty());
}

TEST(ConsoleText, CutsAndForgets) {
  ConsoleText console;
  const std::string flood(std::size_t{1} << 20, '\x01');
  EXPECT_TRUE(console.feed(flood).empty());
  const auto lines = console.feed("\nnext\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].size(), kConsoleLineBytes);
  EXPECT_EQ(lines[1], "next");
  for (int i = 0; i < 200'000; ++i) console.feed("0123456789\n");
  EXPECT_LE(console.tail().size(), kConsoleTailBytes);
  EXPECT_GT(console.tail().size(), kConsoleTailBytes / 2);
  for (int i = 0; i < 600'000; ++i) console.feed("\n");
  EXPECT_LE(console.tail().size(), kConsoleTailBytes);
}

TEST(ConsoleText, AnyBytesGiveSafeLines) {
  Prng prng(11);
  ConsoleText console;
  GuestProtocol protocol;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint8_t> bytes(1 + prng.below(3000));
    prng.fill(bytes);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (const std::string& line : console.feed(text)) {
      ASSERT_LE(line.size(), kConsoleLineBytes);
      ASSERT_TRUE(std::ranges::all_of(line, [](char c) { return c >= 0x20 && c < 0x7F; }));
      protocol.accept(parse_console_line(line));
    }
  }
}

VmOptions some_options() {
  VmOptions options;
  options.kernel.vmlinuz = "/boot/vmlinuz";
  options.disk_socket = "/tmp/a,b/socket";
  options.cpus = 2;
  options.append = {"preempt=full"};
  return options;
}

std::string joined(const VmOptions& options) {
  std::string text;
  for (const std::string& word : qemu_arguments(options, "qemu", "/tmp/initramfs")) {
    text += word + " ";
  }
  return text;
}

TEST(QemuArguments, SayWhatTheLabNeeds) {
  const std::string plain = joined(some_options());
  for (const char* part :
       {"-accel tcg,thread=multi ", "-cpu max ", "-no-reboot ", "-nodefaults ", "-smp 2 ",
        "server.path=/tmp/a,,b/socket,", "cache.direct=on,cache.no-flush=off", "write-cache=on",
        "num-queues=2", "drive=disk,", "panic=-1 preempt=full ", "-initrd /tmp/initramfs "}) {
    EXPECT_NE(plain.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(plain.find("throttle"), std::string::npos);
  VmOptions slow = some_options();
  slow.throttle_iops = 400;
  slow.accelerator = Accelerator::kKvm;
  const std::string text = joined(slow);
  for (const char* part : {"x-iops-write=400", "drive=slow-disk,", "-accel kvm ", "-cpu host "}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  VmOptions diskless = some_options();
  diskless.disk_socket.clear();
  EXPECT_EQ(joined(diskless).find("nbd"), std::string::npos);
}

TEST(VirtualMachine, RefusesOptions) {
  const SteadyClock clock;
  const auto code_of = [&clock](const VmOptions& options) {
    const auto machine = VirtualMachine::start(options, clock);
    return machine ? "started" : errc_name(machine.error().code);
  };
  VmOptions options = some_options();
  options.kernel.vmlinuz = "/nowhere/vmlinuz";
  EXPECT_EQ(code_of(options), "not found");
  options.cpus = 0;
  EXPECT_EQ(code_of(options), "invalid");
  options.cpus = 1;
  options.memory_mib = 1;
  EXPECT_EQ(code_of(options), "invalid");
  options.memory_mib = 512;
  options.accelerator = Accelerator::kAuto;
  EXPECT_EQ(code_of(options), "invalid");
}

TEST(KvmProbe, IsKeptForOneBootQemuAndKernel) {
  const KvmProbeKey key{.boot_id = "boot", .qemu_version = "QEMU 7", .kernel_sha256 = "ab"};
  const std::string text =
      format_probe(key, {.works = false, .was_cached = false, .reason = "no\nluck"});
  const auto same = parse_probe(text, key);
  ASSERT_TRUE(same);
  EXPECT_FALSE(same->works);
  EXPECT_TRUE(same->was_cached);
  EXPECT_EQ(same->reason, "no luck");
  EXPECT_TRUE(
      parse_probe(format_probe(key, {.works = true, .was_cached = false, .reason = ""}), key)
          ->works);
  for (const KvmProbeKey& other : {KvmProbeKey{"x", "QEMU 7", "ab"}, KvmProbeKey{"boot", "x", "ab"},
                                   KvmProbeKey{"boot", "QEMU 7", "x"}}) {
    EXPECT_FALSE(parse_probe(text, other));
  }
  for (const char* damaged :
       {"", "boot\n", "boot\nQEMU 7\nab\nmaybe\n\n", "a\nb\nc\nyes\nd\ne\n"}) {
    EXPECT_FALSE(parse_probe(damaged, key)) << damaged;
  }
}

}  // namespace
}  // namespace powercut::lab
