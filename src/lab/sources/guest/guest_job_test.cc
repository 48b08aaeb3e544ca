#include "lab/sources/guest/guest_job.h"

#include <sys/mount.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "host/machine.h"
#include "lab/sources/guest/hot_cut.h"
#include "lab/sources/guest/hot_store.h"
#include "lab/sources/guest/mount_options.h"

namespace powercut::lab {
namespace {

GuestJob full_job() {
  GuestJob job;
  job.kind = JobKind::kMountOnly;
  job.device = "/dev/vdb";
  job.mount_options = "data=journal,commit=1";
  job.modules = {"/powercut/modules/virtio.ko", "/powercut/modules/virtio_blk.ko"};
  job.has_marks = true;
  job.settings = {{"vm/dirty_expire_centisecs", "10"}, {"kernel/panic", ""}};
  job.commands = {{"sh", "-c", "echo 'a=b' > f\nsync \\n"}, {"hot-store", "", "."}};
  job.device_limit = std::chrono::milliseconds(1);
  job.command_limit = std::chrono::seconds(90);
  job.grace = Nanoseconds(0);
  return job;
}

TEST(GuestJob, ComesBackAsItWas) {
  for (const GuestJob& job : {GuestJob{}, full_job()}) {
    const auto text = format_job(job);
    ASSERT_TRUE(text);
    const auto again = parse_job(*text);
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_TRUE(*again == job);
  }
}

TEST(GuestJob, WhatHasNoFormIsRefused) {
  GuestJob nul;
  nul.commands = {{std::string("a\0b", 3)}};
  GuestJob empty;
  empty.commands = {{}};
  GuestJob nameless;
  nameless.commands = {{"", "x"}};
  GuestJob escape;
  escape.settings = {{"vm/../../../etc/passwd", "1"}};
  GuestJob absolute;
  absolute.settings = {{"/vm/x", "1"}};
  for (const GuestJob& job : {nul, empty, nameless, escape, absolute}) {
    const auto text = format_job(job);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Errc::kInvalid);
  }
  GuestJob endless;
  endless.commands = {std::vector<std::string>(kJobItemsMax + 1, "x")};
  const auto text = format_job(endless);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Errc::kLimit);
}

TEST(GuestJob, RefusesOtherTexts) {
  const std::string head = std::string(kJobHeader) + "\n";
  struct Case {
    std::string text;
    Errc code;
  };
  for (const Case& one :
       {Case{"", Errc::kCorrupt}, Case{"powercut guest job 2\n", Errc::kCorrupt},
        Case{head + "kind=load", Errc::kCorrupt}, Case{head + "kind\n", Errc::kCorrupt},
        Case{head + "kind=dance\n", Errc::kUnsupported},
        Case{head + "color=red\n", Errc::kUnsupported}, Case{head + "argument=x\n", Errc::kCorrupt},
        Case{head + "command=a\\\n", Errc::kCorrupt}, Case{head + "command=a\\x\n", Errc::kCorrupt},
        Case{head + std::string("command=a\0\n", 11), Errc::kCorrupt},
        Case{head + "setting=vm/../x=1\n", Errc::kCorrupt},
        Case{head + "setting=vm\n", Errc::kCorrupt}, Case{head + "grace-ms=-1\n", Errc::kCorrupt},
        Case{head + "grace-ms=1x\n", Errc::kCorrupt},
        Case{head + "grace-ms=86400001\n", Errc::kLimit},
        Case{head + std::string(kJobBytesMax, 'x'), Errc::kLimit}}) {
    const auto job = parse_job(one.text);
    ASSERT_FALSE(job) << one.text.substr(0, 60);
    EXPECT_EQ(job.error().code, one.code) << one.text.substr(0, 60);
  }
  std::string many = head;
  for (std::size_t i = 0; i < kJobItemsMax + 20; ++i) many += "module=m\n";
  EXPECT_FALSE(parse_job(many));
}

TEST(SplitMountOptions, Table) {
  struct Case {
    const char* words;
    unsigned long flags;
    const char* data;
  };
  for (const Case& one :
       {Case{"data=journal", 0, "data=journal"}, Case{"", 0, ""},
        Case{"ro,noload", MS_RDONLY, "noload"}, Case{"ro,rw,noatime", MS_NOATIME, ""},
        Case{",,data=ordered,,lazytime,commit=5,", MS_LAZYTIME, "data=ordered,commit=5"}}) {
    const MountOptions options = split_mount_options(one.words);
    EXPECT_EQ(options.flags, one.flags) << one.words;
    EXPECT_EQ(options.data, one.data) << one.words;
  }
}

TEST(HotCut, ReadsItsWords) {
  const auto options =
      parse_hot_cut({"--files", "5", "/x", "--pages", "7", "--wait-us", "0", "--seconds", "9"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->directory, "/x");
  EXPECT_EQ(options->file_count, 5U);
  EXPECT_EQ(options->page_count, 7U);
  EXPECT_EQ(options->wait, Nanoseconds(0));
  EXPECT_EQ(options->duration, std::chrono::seconds(9));
  using Words = std::vector<std::string>;
  for (const Words& wrong :
       {Words{}, Words{"a", "b"}, Words{"--files"}, Words{"--files", "0", "a"},
        Words{"--pages", "4097", "a"}, Words{"--wait-us", "-1", "a"}, Words{"--color", "1", "a"},
        Words{"--seconds", "1.5", "a"}, Words{""}}) {
    EXPECT_FALSE(parse_hot_cut(wrong)) << ::testing::PrintToString(wrong);
  }
}

TEST(HotCut, CutsItsFilesAndSaysWhereItCannot) {
  const auto folder = TempDirectory::make("hot-cut");
  ASSERT_TRUE(folder);
  HotCutOptions options;
  options.directory = folder->path().string();
  options.duration = std::chrono::milliseconds(100);
  options.wait = Nanoseconds(0);
  const SteadyClock clock;
  const auto tally = run_hot_cut(options, clock);
  ASSERT_TRUE(tally) << error_words(tally.error());
  EXPECT_GT(tally->cuts, 0U);
  EXPECT_GT(tally->syncs, 0U);
  for (int i = 0; i < 4; ++i) {
    const auto size = std::filesystem::file_size(folder->path() / ("cut-" + std::to_string(i)));
    EXPECT_NE(size % 4096, 0U);
  }
  options.directory += "/absent";
  EXPECT_EQ(run_hot_cut(options, clock).error().code, Errc::kNotFound);
}

TEST(HotStore, ReadsItsWords) {
  const auto options = parse_hot_store(
      {"--files", "5", "--no-sync", "/x", "--pages", "7", "--dwell-us", "0", "--seconds", "9"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->directory, "/x");
  EXPECT_EQ(options->file_count, 5U);
  EXPECT_EQ(options->page_count, 7U);
  EXPECT_EQ(options->dwell, Nanoseconds(0));
  EXPECT_EQ(options->duration, std::chrono::seconds(9));
  EXPECT_FALSE(options->does_sync);
  using Words = std::vector<std::string>;
  for (const Words& wrong :
       {Words{}, Words{"a", "b"}, Words{"--files"}, Words{"--files", "0", "a"},
        Words{"--files", "257", "a"}, Words{"--pages", "x", "a"}, Words{"--dwell-us", "-1", "a"},
        Words{"--seconds", "1.5", "a"}, Words{"--color", "1", "a"}, Words{""}}) {
    EXPECT_FALSE(parse_hot_store(wrong)) << ::testing::PrintToString(wrong);
  }
}

}  // namespace
}  // namespace powercut::lab
