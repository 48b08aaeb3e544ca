// powercut image extract: the tree that went into an image comes out; and the state in which dirty
// and damaged images are looked at.
#include <set>

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/commands/image_fixture.h"
#include "tests/support/logged_image.h"
#include "tests/support/loop_mount.h"
#include "tests/support/raw_ext4.h"

namespace powercut::testing {
namespace {

class ImageExtract : public ImageCommand {
 protected:
  fs::path out() const { return scratch("out"); }
  // Into a new destination.
  Ended extract(const std::string& words, const std::string& before = "") {
    fs::remove_all(out());
    return powercut("image extract " + words + " " + quoted(out().string()), before);
  }
  static std::string as_nobody() { return "setpriv --reuid=65534 --regid=65534 --clear-groups"; }
  // Gives the scratch folder and the image to nobody; false if that user cannot run the program.
  bool is_open_to_nobody(const fs::path& image) {
    fs::permissions(folder_.path(), fs::perms::all);
    for (fs::path path = image; path != "/" && path.has_parent_path(); path = path.parent_path()) {
      fs::permissions(path, fs::perms::others_read | fs::perms::others_exec, fs::perm_options::add);
      if (path.parent_path() == "/dev/shm" || path.parent_path() == "/tmp") break;
    }
    return run_shell(as_nobody() + " " POWERCUT_BUILT_PROGRAM " --help").status == 0;
  }
};

struct ExtractCase {
  const char* name;
  const char* mke2fs;
};

class ImageExtractKinds : public ImageExtract, public ::testing::WithParamInterface<ExtractCase> {};

TEST_P(ImageExtractKinds, WhatWentInComesOut) {
  E2fsImage& image = packed(GetParam().mke2fs);
  const bool is_root = ::geteuid() == 0;
  // With inline data mke2fs 1.47.0 packs no hole at the end of a file.
  const bool is_inline = std::string(GetParam().mke2fs).find("inline") != std::string::npos;
  // What debugfs added is not in the source.
  image.debugfs("ea_rm /random user.note\nea_rm /random system.posix_acl_access\n", true);
  const Ended again = extract("--json " + image.path().string());
  EXPECT_EQ(again.code, 0) << again.errors << again.output;
  EXPECT_EQ(again.errors, "");
  auto compared = compare_host_trees(source(), out(), {.has_owners = is_root});
  if (is_inline) {
    std::erase_if(compared.found, [](const auto& each) { return each.starts_with("sparse: "); });
  }
  EXPECT_TRUE(compared.found.empty()) << compared.text();
  EXPECT_GT(compared.compared, 35u);
  const Json json = again.json();
  EXPECT_EQ(json["end"], "complete");
  EXPECT_EQ(json["hard_links"], 2);
  EXPECT_EQ(json["symlinks"], is_root ? 5 : 4);
  EXPECT_EQ(json["damaged"], 0);
  EXPECT_EQ(json["failed"], 0);
  EXPECT_EQ(json["troubles"].size(), 0u) << json["troubles"];
}

INSTANTIATE_TEST_SUITE_P(
    Mke2fs, ImageExtractKinds,
    ::testing::Values(ExtractCase{"Block1K", "-b 1024"}, ExtractCase{"Block4K", "-b 4096"},
                      ExtractCase{"Inline", "-b 4096 -O inline_data"},
                      ExtractCase{"Indirect", "-b 1024 -O ^extent,^64bit"},
                      ExtractCase{"SmallInodes", "-b 2048 -I 128 -O ^metadata_csum"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(ImageExtract, AttributesAndAcls) {
  E2fsImage& image = packed();
  const Ended ended = extract(image.path().string());
  EXPECT_EQ(ended.code, 0) << ended.errors;
  if (ended.says("not taken by this machine")) GTEST_SKIP() << ended.output << ended.errors;
  const auto value = [this](const char* name) {
    std::vector<std::uint8_t> bytes(1000);
    const ssize_t size = ::getxattr((out() / "random").c_str(), name, bytes.data(), bytes.size());
    bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return bytes;
  };
  const std::string note = "some text";
  EXPECT_EQ(value("user.note"), std::vector<std::uint8_t>(note.begin(), note.end()));
  EXPECT_EQ(value("system.posix_acl_access"), sample_acl());

  const Ended without = extract("--no-xattrs " + image.path().string());
  EXPECT_EQ(without.code, 0);
  EXPECT_TRUE(value("user.note").empty());
  EXPECT_TRUE(value("system.posix_acl_access").empty());
  EXPECT_EQ(powercut("image extract --xattrs --no-xattrs " + image.path().string() + " x").code, 2);
}

TEST_F(ImageExtract, APartOrOneFile) {
  E2fsImage& image = packed();
  const std::string at = image.path().string() + ":";
  EXPECT_EQ(extract(at + "deep/1").code, 0);
  EXPECT_TRUE(compare_host_trees(source() / "deep/1/2", out() / "2").found.empty());
  EXPECT_EQ(read_text(out() / "hard"), "hello\n");
  EXPECT_EQ(extract(at + "directory_link").code, 0);
  EXPECT_TRUE(fs::exists(out() / "3"));
  EXPECT_EQ(extract(at + "random").code, 0);
  EXPECT_TRUE(read_text(out() / "random") == read_text(source() / "random"));
  EXPECT_EQ(extract(at + "none").code, 3);
  EXPECT_FALSE(fs::exists(out()));
}

TEST_F(ImageExtract, TheDestinationMustBeNewOrEmpty) {
  E2fsImage& image = packed();
  fs::create_directories(out() / "something");
  const Ended full = powercut("image extract " + image.path().string() + " " + out().string());
  EXPECT_EQ(full.code, 3);
  EXPECT_TRUE(full.warns("not empty")) << full.errors;
  EXPECT_EQ(std::distance(fs::directory_iterator(out()), {}), 1);
  fs::remove_all(out() / "something");
  EXPECT_EQ(powercut("image extract " + image.path().string() + " " + out().string()).code, 0);
  EXPECT_EQ(
      powercut("image extract " + image.path().string() + " " + scratch("no/where").string()).code,
      3);
}

TEST_F(ImageExtract, OwnersOnlyForRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: to be and not to be root";
  E2fsImage& image = packed();
  const auto mode = [&](const char* name) {
    struct stat status {};
    EXPECT_EQ(::lstat((out() / name).c_str(), &status), 0) << name;
    return status;
  };
  EXPECT_EQ(extract(image.path().string()).code, 0);
  EXPECT_EQ(mode("owned").st_uid, 100'000u);
  EXPECT_EQ(mode("setuid").st_mode & 07777u, 06755u);
  EXPECT_TRUE(fs::is_character_file(out() / "null"));

  const Ended left = extract("--no-owner " + image.path().string());
  EXPECT_EQ(left.code, 0) << left.errors;
  EXPECT_EQ(mode("owned").st_uid, 0u);
  EXPECT_EQ(mode("setuid").st_mode & 07777u, 0755u);
  EXPECT_FALSE(fs::exists(out() / "null"));
  EXPECT_TRUE(left.says("2 devices skipped")) << left.output;
  EXPECT_TRUE(left.says("1 set-user-id bits and capabilities left out")) << left.output;
  EXPECT_TRUE(left.warns("/null: skipped")) << left.errors;
  EXPECT_EQ(powercut("image extract --owner --no-owner " + image.path().string() + " x").code, 2);

  if (!is_open_to_nobody(image.path())) GTEST_SKIP() << "nobody cannot run the program";
  const Ended nobody = extract(image.path().string(), as_nobody());
  EXPECT_EQ(nobody.code, 0) << nobody.errors;
  EXPECT_EQ(mode("owned").st_uid, 65534u);
  EXPECT_EQ(mode("setuid").st_mode & 07777u, 0755u);
  EXPECT_TRUE(nobody.says("2 devices skipped")) << nobody.output;
  const auto compared = compare_host_trees(source(), out(), {.has_owners = false});
  std::set<std::string> different(compared.found.begin(), compared.found.end());
  EXPECT_TRUE(different.erase("null: only in the first"));
  EXPECT_TRUE(different.erase("large: only in the first"));
  // What debugfs added.
  different.erase("random: attributes");
  different.erase("random: mode");
  EXPECT_TRUE(different.empty()) << compared.text();

  const Ended asked = extract("--owner " + image.path().string(), as_nobody());
  EXPECT_TRUE(asked.says("attributes were not taken")) << asked.output;
  EXPECT_TRUE(asked.warns("owner: ")) << asked.errors;
  EXPECT_EQ(mode("setuid").st_mode & 07777u, 0755u) << "not for another owner";
}

TEST_F(ImageExtract, MaxBytes) {
  E2fsImage& image = packed();
  const Ended bounded = extract("--max-bytes 1M --json " + image.path().string());
  EXPECT_EQ(bounded.code, 3);
  EXPECT_EQ(bounded.json()["end"], "too much data");
  EXPECT_LE(bounded.json()["data_bytes"].get<std::uint64_t>(), 1u << 20);
  EXPECT_EQ(extract("--max-bytes 1000G " + image.path().string()).code, 0);
  EXPECT_EQ(extract("--max-bytes x " + image.path().string()).code, 2);
}

// Sixty names of one file of 4096 pieces each: they take some seconds, so that an interrupt comes
// between (SIGTERM: a shell lets its background ignore SIGINT).
TEST_F(ImageExtract, AnInterruptLeavesWholeFiles) {
  fs::create_directories(source());
  constexpr int kFiles = 60;
  constexpr std::uint64_t kPieces = 4096, kEvery = 2048;
  for (int i = 0; i < kFiles; ++i) {
    std::ofstream file(source() / ("file" + std::to_string(100 + i)), std::ios::binary);
    for (std::uint64_t piece = 0; piece < (i == 0 ? kPieces : 1); ++piece) {
      file.seekp(static_cast<std::streamoff>(piece * kEvery));
      file << std::string(1024, 'x');
    }
  }
  E2fsImage image(
      {.mke2fs = "-b 1024 -O ^metadata_csum", .size = "32M", .tree = source().string()});
  ASSERT_TRUE(image.is_made()) << image.log();
  auto raw = RawExt4::open(image.bytes());
  const auto number_of = [&](int i) {
    const auto found =
        number_after(image.debugfs("stat /file" + std::to_string(100 + i)), "Inode:");
    return InodeNo(static_cast<std::uint32_t>(*found));
  };
  const auto model = Inode::parse(raw->inode(number_of(0)), number_of(0), raw->superblock);
  for (int i = 1; i < kFiles; ++i) {
    const InodeNo number = number_of(i);
    auto inode = Inode::parse(raw->inode(number), number, raw->superblock);
    inode->block_area = model->block_area;
    inode->size = model->size;
    inode->encode(raw->inode(number), number, raw->superblock);
  }
  put(image.path(), raw->bytes);
  const std::string stopped =
      run_shell(POWERCUT_BUILT_PROGRAM " image extract --max-bytes 1000G --json " +
                image.path().string() + " " + out().string() +
                " & pid=$!; "
                "while kill -0 $pid && ! test -e " +
                out().string() +
                "/file100; do :; done; "
                "kill -TERM $pid; wait $pid; echo \"exit $?\"")
          .output;
  int whole = 0;
  for (const auto& entry : fs::directory_iterator(out())) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(entry.file_size(), (kPieces - 1) * kEvery + 1024) << entry.path();
    ++whole;
  }
  if (stopped.find("\"complete\"") != std::string::npos) {
    EXPECT_EQ(whole, kFiles);
    GTEST_SKIP() << "it was done before the interrupt came";
  }
  EXPECT_NE(stopped.find("\"end\": \"interrupted\""), std::string::npos) << stopped;
  EXPECT_NE(stopped.find("exit 3"), std::string::npos) << stopped;
  EXPECT_LT(whole, kFiles);
}

// ---- dirty and damaged images

// A change of the tree that is only in the log.
void add_changes(LoggedImage& image) {
  TransactionSpec transaction;
  transaction.blocks = image.change_of("mkdir /only_in_log\nsymlink /link only_in_log\n");
  image.builder().add_transaction(transaction);
}

TEST_F(ImageExtract, ADirtyImageIsSeenAsItsRecoveryLeavesIt) {
  LoggedImage image;
  add_changes(image);
  image.write();
  const std::string at = image.path().string();
  const Ended ls = powercut("image ls " + at);
  EXPECT_EQ(ls.code, 0);
  EXPECT_TRUE(ls.says("only_in_log\n")) << ls.output;
  EXPECT_TRUE(ls.says("link\n"));
  EXPECT_TRUE(ls.warns("log replayed in memory: ")) << ls.errors;
  EXPECT_TRUE(ls.warns(" of 1 transaction\n")) << ls.errors;
  const Ended raw = powercut("image ls --raw " + at);
  EXPECT_EQ(raw.code, 0);
  EXPECT_EQ(raw.output, "lost+found\n");
  EXPECT_TRUE(raw.warns("as it lies: the log is not replayed")) << raw.errors;
  EXPECT_EQ(powercut("image stat " + at + ":only_in_log").code, 0);
  EXPECT_EQ(powercut("image stat --raw " + at + ":only_in_log").code, 3);
  EXPECT_EQ(powercut("image ls --json " + at).json()["seen"], "replayed");
  EXPECT_EQ(powercut("image ls --json --raw " + at).json()["seen"], "as-it-lies");
  const Json info = powercut("image info --json " + at).json();
  EXPECT_EQ(info["journal"]["transactions"], 1);
  EXPECT_EQ(info["journal"]["first_tid"], 5);
  EXPECT_EQ(info["journal"]["empty"], false);
  EXPECT_EQ(extract(at).code, 0);
  EXPECT_TRUE(fs::is_directory(out() / "only_in_log"));
  EXPECT_EQ(fs::read_symlink(out() / "link"), "only_in_log");
  EXPECT_EQ(extract("--raw " + at).code, 0);
  EXPECT_FALSE(fs::exists(out() / "only_in_log"));

  // debugfs, after its own recovery of a copy, sees the same.
  fs::copy_file(image.path(), scratch("copy"));
  const auto theirs = run_shell("cd " + folder_.path().string() +
                                " && e2fsck -E journal_only -fy copy >/dev/null; "
                                "debugfs -R 'ls -p /' copy 2>/dev/null");
  EXPECT_NE(theirs.output.find("/only_in_log/"), std::string::npos) << theirs.output;
}

TEST_F(ImageExtract, ALogThatLinuxRefusesIsAFinding) {
  LoggedImage image;
  image.builder().add_transaction(image.blocks(0, 3, 1));
  add_changes(image);
  image.builder().damage(Tid(5), BuiltWrite::Kind::kData, 1);
  image.write();
  const std::string at = image.path().string();
  for (const char* command : {"info ", "ls ", "tree ", "stat "}) {
    const Ended ended = powercut("image " + std::string(command) + at);
    EXPECT_EQ(ended.code, 1) << command;
    EXPECT_TRUE(ended.warns("Linux refuses to mount")) << command << ended.errors;
    EXPECT_TRUE(ended.warns("data block checksum (transaction 5")) << ended.errors;
    EXPECT_FALSE(ended.output.empty()) << command;
  }
  EXPECT_TRUE(powercut("image ls " + at).says("only_in_log"))
      << "Linux replays the rest before it refuses";
  const Ended taken = extract(at);
  EXPECT_EQ(taken.code, 1);
  EXPECT_TRUE(fs::exists(out() / "only_in_log"));
  EXPECT_EQ(powercut("image ls --raw " + at).code, 0);
  const Ended e2fsck = powercut("image ls --recover-as e2fsck " + at);
  EXPECT_EQ(e2fsck.code, 1);
  EXPECT_TRUE(e2fsck.warns("e2fsck replays what matches")) << e2fsck.errors;
}

TEST_F(ImageExtract, AJournalThatCannotBeReadIsAFinding) {
  for (const bool is_dirty : {true, false}) {
    LoggedImage image;
    add_changes(image);
    image.write({}, is_dirty);
    image.change_log_block(LogBlock(0), [](MutableBytes block) { block[100] ^= 1; });
    const Ended ended = powercut("image ls " + image.path().string());
    EXPECT_EQ(ended.code, 1);
    EXPECT_TRUE(ended.warns("the journal cannot be read: ")) << ended.errors;
    EXPECT_TRUE(ended.warns("Linux refuses to mount")) << ended.errors;
    EXPECT_EQ(ended.warns("shown as it lies"), is_dirty) << ended.errors;
    EXPECT_TRUE(ended.says("lost+found"));
  }
}

TEST_F(ImageExtract, WhereTheFileSystemBegins) {
  E2fsImage& image = packed();
  const std::string disk = scratch("disk").string();
  ASSERT_EQ(run_shell("truncate -s 1M " + disk + " && cat " + image.path().string() + " >> " + disk)
                .status,
            0);
  EXPECT_EQ(powercut("image ls --offset 1M " + disk + ":empty").code, 0);
  EXPECT_EQ(powercut("image cat --offset 1048576 " + disk + ":small").output, "hello\n");
  EXPECT_EQ(powercut("image cat --offset 2048s " + disk + ":small").output, "hello\n");
  EXPECT_EQ(powercut("image cat " + disk + ":small").code, 3);
  EXPECT_EQ(powercut("image cat --offset 1G " + disk + ":small").code, 2);
  EXPECT_EQ(powercut("image ls " + scratch("absent").string() + ":/").code, 3);
}

TEST_F(ImageExtract, AnImageWithAColonInItsName) {
  E2fsImage& image = packed();
  const fs::path odd = scratch("a:b:");
  fs::copy_file(image.path(), odd);
  EXPECT_EQ(powercut("image cat " + odd.string() + ":/small").output, "hello\n");
  EXPECT_EQ(powercut("image cat " + odd.string() + ":names/a:b").output, "content of a:b");
  EXPECT_EQ(powercut("image ls -d " + odd.string()).output, "/\n");
}

TEST_F(ImageExtract, AnExternalJournal) {
  const fs::path journal = scratch("journal"), image = scratch("image");
  const auto made = run_shell(
      "cd " + folder_.path().string() +
      " && truncate -s 4M journal && truncate -s 16M image && mke2fs -q -F -b 1024 -O journal_dev "
      "journal && uuid=$(dumpe2fs -h journal 2>/dev/null | sed -n 's/^Filesystem UUID: *//p') && "
      "mke2fs -q -F -t ext4 -b 1024 -O ^has_journal image && "
      "debugfs -w -R 'feature has_journal' image && "
      "debugfs -w -R \"ssv journal_uuid $uuid\" image");
  ASSERT_EQ(made.status, 0) << made.output;
  const Json alone = powercut("image info --json " + image.string()).json();
  EXPECT_TRUE(alone["journal"].is_null()) << alone;
  EXPECT_TRUE(alone["journal_error"].is_object());
  const Ended with =
      powercut("image info --json --journal " + journal.string() + " " + image.string());
  EXPECT_EQ(with.code, 0) << with.errors;
  EXPECT_EQ(with.json()["journal"]["inode"], 0);
  EXPECT_GT(with.json()["journal"]["blocks"], 1000);
  // Dirty, the log must be named or left out.
  run_shell("debugfs -w -R 'feature needs_recovery' " + image.string());
  const Ended dirty = powercut("image ls " + image.string());
  EXPECT_EQ(dirty.code, 3);
  EXPECT_TRUE(dirty.warns("--journal")) << dirty.errors;
  EXPECT_TRUE(dirty.warns("--raw")) << dirty.errors;
  EXPECT_EQ(powercut("image ls --raw " + image.string()).code, 0);
  EXPECT_EQ(powercut("image ls --journal " + journal.string() + " " + image.string()).code, 0);
}

// Written by the running kernel, with data in the journal, and copied while it is mounted.
TEST_F(ImageExtract, AFileSystemThatIsMountedNow) {
  SKIP_WITHOUT_LOOP_MOUNTS();
  E2fsImage image({.mke2fs = "-b 1024 -J size=8", .size = "64M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const fs::path mounted = scratch("mounted"), copy = scratch("copy");
  {
    LoopMount mount(image.path(), mounted, "data=journal");
    ASSERT_TRUE(mount.is_mounted()) << mount.log();
    make_source(mounted / "tree");
    const auto frozen = run_shell("sync -f " + mounted.string() + " && cp --sparse=always " +
                                  image.path().string() + " " + copy.string());
    ASSERT_EQ(frozen.status, 0) << frozen.output;
    const Ended noted = powercut("image info " + image.path().string());
    EXPECT_TRUE(noted.warns("/dev/loop")) << "it is in use: " << noted.errors;

    const Ended ended = extract(copy.string() + ":tree");
    EXPECT_EQ(ended.code, 0) << ended.errors << ended.output;
    EXPECT_TRUE(ended.warns("log replayed in memory")) << ended.errors;
    const auto compared =
        compare_host_trees(mounted / "tree", out(),
                           {.has_nanoseconds = true, .has_holes = false, .has_top_time = true});
    EXPECT_TRUE(compared.found.empty()) << compared.text();
    EXPECT_GT(compared.compared, 40u);
    // Times to the nanosecond, the change time too.
    const Json stat = powercut("image stat --json " + copy.string() + ":tree/small").json();
    struct stat status {};
    ASSERT_EQ(::stat((mounted / "tree/small").c_str(), &status), 0);
    EXPECT_EQ(stat["inode"], status.st_ino);
    EXPECT_EQ(stat["change_time"]["seconds"], status.st_ctim.tv_sec);
    EXPECT_EQ(stat["change_time"]["nanoseconds"], status.st_ctim.tv_nsec);
    EXPECT_EQ(stat["sectors"], status.st_blocks);
  }
}

}  // namespace
}  // namespace powercut::testing
