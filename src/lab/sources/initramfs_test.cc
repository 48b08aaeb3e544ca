#include "lab/sources/initramfs.h"

#include <fstream>

#include <gtest/gtest.h>

#include "host/machine.h"
#include "host/process.h"

namespace powercut::lab {
namespace {

TEST(CarriedPath, Table) {
  EXPECT_EQ(carried_path("/usr/bin/stress-ng"), "/usr/bin/stress-ng");
  EXPECT_EQ(carried_path("/tmp/load.sh"), "/powercut/files/tmp/load.sh");
  EXPECT_EQ(carried_path("/mnt/x"), "/powercut/files/mnt/x");
  EXPECT_EQ(carried_path("/tmpfiles/x"), "/tmpfiles/x");
}

TEST(WordsOfScript, Table) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words_of_script("stress-ng --mmap 8 & while :; do sync; done; sync"),
            (Words{"stress-ng", "8", "while", "do", "sync", "done"}));
  EXPECT_EQ(words_of_script(""), Words{});
  EXPECT_EQ(words_of_script("\n;|&"), Words{});
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "w" + std::to_string(i) + " ";
  EXPECT_EQ(words_of_script(many).size(), 64U);
}

TEST(ParseLdd, Table) {
  const auto libraries = parse_ldd(
      "\tlinux-vdso.so.1 (0x00007f0f86b95000)\n"
      "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f0f85960000)\n"
      "\tlibodd.so => /opt/a (b)/libodd.so (0x00007f0f85960000)\n"
      "\t/lib64/ld-linux-x86-64.so.2 (0x00007f0f86b97000)\n");
  ASSERT_TRUE(libraries);
  EXPECT_EQ(*libraries,
            (std::vector<std::string>{"/lib/x86_64-linux-gnu/libm.so.6", "/opt/a (b)/libodd.so",
                                      "/lib64/ld-linux-x86-64.so.2"}));
  const auto missing = parse_ldd("\tlibgone.so.1 => not found\n");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
}

class BuildInitramfs : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = TempDirectory::make("initramfs-test");
    ASSERT_TRUE(made);
    folder_.emplace(std::move(made).value());
    options_.guest_program = folder_->path() / "powercut-guest";
    std::ofstream(options_.guest_program) << "the guest program";
  }
  // The archive as text: file contents and names lie in it as they are.
  std::string build(const std::vector<std::string>& command) {
    GuestJob job;
    job.commands = {command};
    const auto bytes = build_initramfs(KernelImage{}, job, options_);
    if (!bytes) return std::string("error: ") + bytes.error().what;
    return {bytes->begin(), bytes->end()};
  }
  std::optional<TempDirectory> folder_;
  InitramfsOptions options_;
};

TEST_F(BuildInitramfs, BringsInitJobAndProgram) {
  const auto script = folder_->path() / "load.sh";
  std::ofstream(script) << "#!/bin/sh\necho the script\n";
  options_.files = {folder_->path() / "powercut-guest"};
  const std::string archive = build({script.string(), "an argument"});
  const std::string carried = carried_path(script);
  for (const std::string& part :
       {std::string("the guest program"), std::string("dev/console"), std::string("powercut/job"),
        std::string("echo the script"), "command=" + carried + "\nargument=an argument\n",
        carried.substr(1), std::string("bin/hot-store"), std::string("bin/sh")}) {
    EXPECT_NE(archive.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(archive, build({script.string(), "an argument"}));
}

TEST_F(BuildInitramfs, OwnProgramsNeedNothing) {
  EXPECT_NE(build({"hot-store", "."}).find("command=hot-store\n"), std::string::npos);
}

TEST_F(BuildInitramfs, SaysWhatIsMissing) {
  EXPECT_EQ(build({"no-such-program-anywhere"}),
            "error: initramfs: no such program on this machine, nor in busybox (busybox-static)");
  EXPECT_EQ(build({"/no/such/program"}), "error: initramfs: no such program");
  const auto script = folder_->path() / "odd.sh";
  std::ofstream(script) << "#!/no/such/interpreter\n";
  EXPECT_EQ(build({script.string()}), "error: initramfs: no such interpreter of a script");
  options_.files = {"/no/such/file"};
  EXPECT_EQ(build({"hot-store"}), "error: initramfs: no such file to carry");
  options_.guest_program = "/nowhere";
  EXPECT_EQ(build({"hot-store"}), "error: initramfs: powercut-guest is not there");
}

}  // namespace
}  // namespace powercut::lab
