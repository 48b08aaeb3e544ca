// powercut journal, on logs of ours in file systems of mke2fs's.  Those of the running kernel are
// in journal_kernel_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/stored_int.h"
#include "tests/commands/program.h"
#include "tests/support/files.h"
#include "tests/support/logged_image.h"

namespace powercut::testing {
namespace {

namespace fs = std::filesystem;
using Kind = BuiltWrite::Kind;

class JournalCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* tool : {"mke2fs", "debugfs", "e2fsck"}) SKIP_WITHOUT_TOOL(tool);
  }
};

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

// Three transactions; the second revokes a block of the first, the last writes one again.
void add_log(LoggedImage& image) {
  image.builder().add_transaction(image.blocks(0, 3, 1));
  TransactionSpec revoking = image.blocks(3, 2, 2);
  revoking.revokes = {image.pool()[2]};
  image.builder().add_transaction(revoking);
  image.builder().add_transaction(image.blocks(1, 1, 3));
}

TEST_F(JournalCommand, ShowTellsTheWholeJournal) {
  LoggedImage image;
  add_log(image);
  image.write();
  const Ended shown = powercut("journal show " + image.path().string());
  EXPECT_EQ(shown.code, 0) << shown.errors;
  for (const char* words :
       {"needs_recovery is set", "inode 8", "1,024 blocks of 1024 bytes, version 2",
        "features revoke 64bit csum_v3", "s_start 1, s_sequence 5, s_errno 0",
        "clean: 5 to replay (1 of them superseded), 1 revoked, 0 damaged",
        "from journal block 1 (tid 5)", "where tid 8 is due: log ends",
        "1 replayed, 1 superseded, 1 revoked", "2023-11-14 22:13:20"}) {
    EXPECT_TRUE(shown.says(words)) << words << "\n" << shown.output;
  }
  EXPECT_TRUE(shown.errors.empty()) << shown.errors;
}

TEST_F(JournalCommand, ShowOneTransactionAndOneBlock) {
  LoggedImage image;
  add_log(image);
  image.write();
  const std::string block = std::to_string(image.pool()[1].value());
  const Ended one = powercut("journal show " + image.path().string() + " --tid 5");
  EXPECT_EQ(one.code, 0);
  EXPECT_TRUE(one.says("superseded by tid 7")) << one.output;
  EXPECT_TRUE(one.says("revoked by tid 6")) << one.output;
  EXPECT_FALSE(one.says("\n    7 ")) << one.output;
  const Ended history = powercut("journal show " + image.path().string() + " --block " + block);
  EXPECT_TRUE(history.says("block " + block + " is free")) << history.output;
  EXPECT_TRUE(history.says("home holds none of these versions")) << history.output;
  const Ended json = powercut("journal show --json --blocks " + image.path().string());
  const auto document = json.json();
  ASSERT_TRUE(document.is_object()) << json.output;
  ASSERT_EQ(document["transactions"].size(), 3u);
  EXPECT_EQ(document["transactions"][0]["standing"], "live");
  EXPECT_EQ(document["transactions"][0]["blocks"][1]["fate"], "superseded");
  EXPECT_EQ(document["transactions"][0]["blocks"][1]["by"], 7);
  EXPECT_EQ(document["recovery"]["replayed"], 5);
  EXPECT_EQ(document["journal"]["checksum_version"], 3);
}

TEST_F(JournalCommand, ExitCodes) {
  LoggedImage sound, damaged, headless;
  for (LoggedImage* image : {&sound, &damaged, &headless}) add_log(*image);
  damaged.builder().damage(Tid(6), Kind::kData, 1);
  sound.write();
  damaged.write();
  headless.write();
  headless.change_log_block(LogBlock(0), [](MutableBytes block) { block[0x58] ^= 1; });
  const std::string good = sound.path().string(), bad = damaged.path().string(),
                    broken = headless.path().string();
  struct Case {
    std::string words;
    int code;
    const char* said;
  };
  const Case cases[] = {
      {"journal show " + good, 0, "clean"},
      {"journal show " + bad, 1, "REFUSED"},
      {"journal show " + broken, 1, "checksum mismatch"},
      {"journal show /dev/null", 2, "block device"},
      {"journal show /no/such/image", 3, "not found"},
      {"journal show /proc/version", 3, ""},
      {"journal show " + good + " --tid 99", 2, "no transaction"},
      {"journal show " + good + " --offset 1x", 2, "--offset"},
      {"journal show", 2, "image"},
      {"journal verify " + good, 0, "no damage"},
      {"journal verify " + bad, 1, "checksum changed (tag3: 0x"},
      {"journal verify " + broken, 1, "journal superblock"},
      {"journal verify /no/such/image " + bad + " " + good, 3, "checksum changed (tag3: 0x"},
      {"journal verify " + good + " " + bad, 1, "no damage"},
      {"journal replay " + good, 0, "--output COPY"},
      {"journal replay " + bad, 1, "REFUSED"},
      {"journal replay " + broken, 1, "checksum mismatch"},
      {"journal replay /proc/version", 3, ""},
      {"journal replay " + good + " --output " + bad, 3, "exists"},
      {"journal replay " + good + " --in-place --dry-run", 2, ""},
      {"journal replay " + good + " --recover-as minix", 2, "linux"},
  };
  for (const Case& each : cases) {
    const Ended ended = powercut(each.words);
    EXPECT_EQ(ended.code, each.code) << each.words << "\n" << ended.output << ended.errors;
    EXPECT_TRUE(ended.says(each.said) || ended.warns(each.said)) << each.words << "\n"
                                                                 << ended.output << ended.errors;
  }
  EXPECT_EQ(testing::read_file(damaged.path()), damaged.image().bytes());
}

TEST_F(JournalCommand, VerifyAsJson) {
  LoggedImage damaged;
  add_log(damaged);
  damaged.builder().damage(Tid(5), Kind::kData, 2);  // revoked
  damaged.builder().damage(Tid(6), Kind::kData, 1);
  damaged.write();
  const Ended ended = powercut("journal verify --json /no/such/image " + damaged.path().string());
  EXPECT_EQ(ended.code, 3);
  const auto document = ended.json();
  ASSERT_TRUE(document.is_object()) << ended.output;
  ASSERT_EQ(document["images"].size(), 2u);
  EXPECT_TRUE(document["images"][0].contains("error"));
  const auto& findings = document["images"][1]["findings"];
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0]["revoked_by"], 6);
  EXPECT_EQ(findings[1]["tid"], 6);
  EXPECT_TRUE(findings[1]["revoked_by"].is_null());
  EXPECT_EQ(findings[1]["owner"]["text"], "free");
}

// Blocks outside the journal and the primary superblock.
std::vector<std::uint8_t> comparable(std::vector<std::uint8_t> bytes, const JournalMap& map) {
  const std::size_t size = map.block_bytes();
  for (std::uint32_t log = 0; log < map.block_count(); ++log) {
    const std::size_t at = map.device_block(LogBlock(log)).value() * size;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, std::uint8_t{0});
  }
  std::fill_n(bytes.begin() + 1024, 1024, std::uint8_t{0});
  return bytes;
}

TEST_F(JournalCommand, ReplayEqualsE2fsck) {
  for (const ChecksumKind kind : {ChecksumKind::kV1, ChecksumKind::kV2, ChecksumKind::kV3}) {
    LoggedImageOptions options;
    options.checksum = kind;
    options.start = LogBlock(1018);
    LoggedImage image(options);
    add_log(image);
    TransactionSpec writing;
    const fs::path source = image.path().parent_path() / "source";
    std::ofstream(source) << "Written by debugfs\n";
    writing.blocks = image.change_of("write " + source.string() + " /written\nmkdir /made\n");
    image.builder().add_transaction(writing);
    image.write();
    const fs::path copy = image.path().parent_path() / "a copy.img";
    const Ended ended =
        powercut("journal replay " + image.path().string() + " --output '" + copy.string() + "'");
    EXPECT_EQ(ended.code, 0) << ended.output << ended.errors;
    EXPECT_TRUE(ended.says("written      " + copy.string())) << ended.output;
    const ShellOutcome checked = run_shell("e2fsck -fn '" + copy.string() + "'");
    EXPECT_EQ(checked.status, 0) << checked.output;
    const std::string listed =
        run_shell("debugfs -R 'cat /written' '" + copy.string() + "'").output;
    EXPECT_NE(listed.find("Written by debugfs"), std::string::npos) << listed;
    image.image().fsck("-E journal_only -y");
    EXPECT_EQ(comparable(testing::read_file(copy), image.map()),
              comparable(testing::read_file(image.path()), image.map()));
  }
}

TEST_F(JournalCommand, ReplayInPlaceAndAgain) {
  LoggedImage image;
  add_log(image);
  image.write();
  const std::string path = image.path().string();
  const Ended first = powercut("journal replay --json --in-place " + path);
  EXPECT_EQ(first.code, 0) << first.errors;
  EXPECT_EQ(first.json()["recovered"], true);
  EXPECT_EQ(first.json()["mode"], "in place");
  EXPECT_EQ(image.image().fsck("-fn").status, 0);
  const Ended again = powercut("journal replay --in-place " + path);
  EXPECT_EQ(again.code, 0);
  EXPECT_TRUE(again.says("nothing to replay")) << again.output;
  const Ended shown = powercut("journal show " + path);
  EXPECT_TRUE(shown.says("the log is empty")) << shown.output;
  EXPECT_TRUE(shown.says("old ")) << shown.output;
}

TEST_F(JournalCommand, DamageIsEmptiedOnlyByItsName) {
  LoggedImage image;
  add_log(image);
  image.builder().damage(Tid(6), Kind::kData, 0);
  image.write();
  const std::string path = image.path().string();
  EXPECT_EQ(powercut("journal replay --in-place " + path).code, 1);
  EXPECT_TRUE(powercut("journal show " + path).says("needs_recovery is set"));
  const Ended emptied = powercut("journal replay --in-place --recover-as e2fsck " + path);
  EXPECT_EQ(emptied.code, 1);
  EXPECT_TRUE(emptied.says("run e2fsck -f")) << emptied.output;
  EXPECT_TRUE(powercut("journal show " + path).says("needs_recovery is clear"));
  const std::string checked = image.image().fsck("-n").output;
  EXPECT_NE(checked.find("check forced"), std::string::npos) << checked;
}

// A file may not grow past a limit: the write fails in the middle.
TEST_F(JournalCommand, NothingIsLeftOfACopyThatHasNoRoom) {
  LoggedImage image;
  add_log(image);
  image.write();
  const fs::path folder = image.path().parent_path();
  const std::size_t before = files_in(folder);
  const Ended ended = powercut(
      "journal replay " + image.path().string() + " --output " + (folder / "copy.img").string(),
      "trap '' XFSZ; ulimit -f 1000;");
  EXPECT_EQ(ended.code, 3) << ended.output << ended.errors;
  EXPECT_EQ(files_in(folder), before);
}

TEST_F(JournalCommand, APartitionIsNamedByTheError) {
  LoggedImage image;
  add_log(image);
  image.write();
  const fs::path disk = image.path().parent_path() / "disk.img";
  constexpr std::size_t kOffset = 1 << 20;
  auto bytes = testing::read_file(image.path());
  bytes.insert(bytes.begin(), kOffset, 0);
  bytes[446 + 4] = 0x83;
  store(MutableBytes(bytes), 446 + 8, Le32(kOffset / 512));
  store(MutableBytes(bytes), 446 + 12,
        Le32(static_cast<std::uint32_t>(bytes.size() - kOffset) / 512));
  store(MutableBytes(bytes), 510, Le16(0xAA55));
  {
    std::ofstream file(disk, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  const Ended lost = powercut("journal show " + disk.string());
  EXPECT_EQ(lost.code, 3);
  EXPECT_TRUE(lost.warns("--offset 1048576")) << lost.errors;
  for (const char* words : {"--offset 1048576", "--offset 1M", "--offset 2048s", "--partition 1"}) {
    const Ended found = powercut("journal show " + disk.string() + " " + words);
    EXPECT_EQ(found.code, 0) << words << found.errors;
    EXPECT_TRUE(found.says("5 to replay")) << found.output;
  }
  EXPECT_EQ(powercut("journal show " + disk.string() + " --partition 2").code, 3);
  EXPECT_EQ(powercut("journal show " + disk.string() + " --offset 1G").code, 2);
  EXPECT_EQ(powercut("journal replay --in-place --partition 1 " + disk.string()).code, 0);
  const auto after = testing::read_file(disk);
  EXPECT_TRUE(std::equal(after.begin(), after.begin() + kOffset, bytes.begin()));
  EXPECT_TRUE(powercut("journal show --partition 1 " + disk.string()).says("the log is empty"));
}

}  // namespace
}  // namespace powercut::testing
