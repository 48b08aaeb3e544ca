// powercut image info against dumpe2fs.
#include <map>
#include <set>
#include <sstream>

#include "tests/commands/image_fixture.h"
#include "tests/support/raw_ext4.h"

namespace powercut::testing {
namespace {

// What dumpe2fs says, by its label.
std::map<std::string, std::string> dumped(const fs::path& image) {
  std::map<std::string, std::string> fields;
  std::istringstream lines(run_shell("dumpe2fs -h " + quoted(image.string())).output);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const auto value = line.find_first_not_of(" \t", colon + 1);
    const auto end = line.find_last_not_of(' ');
    fields[line.substr(0, colon)] =
        value == std::string::npos ? "" : line.substr(value, end + 1 - value);
  }
  return fields;
}

// A number of theirs, "0x18c3a4e1", "4096", "1024k", "255 (user root)".
std::int64_t number_of(const std::string& text) {
  return std::strtoll(text.c_str(), nullptr, 0);
}

std::set<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

std::string lowered(std::string text) {
  for (char& letter : text) letter = static_cast<char>(std::tolower(letter));
  return text;
}

// "Sun Nov 22 20:18:06 2026", made by our seconds.
std::string their_time(std::int64_t seconds) {
  return run_shell("LC_ALL=C date -u -d @" + std::to_string(seconds) + " '+%a %b %e %H:%M:%S %Y'")
      .output;
}

void compare_numbers(std::map<std::string, std::string>& theirs, const Json& ours) {
  const std::pair<const char*, Json> rows[] = {
      {"Filesystem revision #", ours["revision"]},
      {"Inode count", ours["inodes"]},
      {"Block count", ours["blocks"]},
      {"Reserved block count", ours["reserved_blocks"]},
      {"Overhead clusters", ours["overhead_clusters"]},
      {"Free blocks", ours["free_blocks"]},
      {"Free inodes", ours["free_inodes"]},
      {"First block", ours["first_block"]},
      {"Block size", ours["block_bytes"]},
      {"Group descriptor size", ours["descriptor_bytes"]},
      {"Reserved GDT blocks", ours["reserved_descriptor_blocks"]},
      {"Blocks per group", ours["blocks_per_group"]},
      {"Inodes per group", ours["inodes_per_group"]},
      {"Inode blocks per group", ours["inode_blocks_per_group"]},
      {"Flex block group size", ours["groups_per_flex"]},
      {"Mount count", ours["mounts"]},
      {"Maximum mount count", ours["mounts_max"]},
      {"Check interval", ours["check_interval"]},
      {"Lifetime writes", ours["kib_written"]},
      {"Reserved blocks uid", ours["reserved_uid"]},
      {"Reserved blocks gid", ours["reserved_gid"]},
      {"First inode", ours["first_inode"]},
      {"Inode size", ours["inode_bytes"]},
      {"Required extra isize", ours["extra_isize_required"]},
      {"Desired extra isize", ours["extra_isize_wanted"]},
      {"Checksum", ours["checksum"]},
      {"MMP block number", ours.contains("mmp") ? ours["mmp"]["block"] : Json()},
      {"MMP update interval", ours.contains("mmp") ? ours["mmp"]["interval"] : Json()},
      {"FS Error count", ours["error_count"]},
  };
  for (const auto& [label, value] : rows) {
    if (!theirs.contains(label)) continue;
    ASSERT_TRUE(value.is_number()) << label;
    EXPECT_EQ(number_of(theirs[label]), value.get<std::int64_t>()) << label;
    theirs.erase(label);
  }
}

void compare_words(std::map<std::string, std::string>& theirs, const Json& ours) {
  const auto joined = [](const Json& list) {
    std::string words;
    for (const auto& word : list) words += word.get<std::string>() + " ";
    return words_of(words);
  };
  const auto text = [&ours](const char* field) { return ours[field].get<std::string>(); };
  const auto take = [&theirs](const char* label) {
    const std::string value = theirs[label];
    theirs.erase(label);
    return value;
  };
  EXPECT_EQ(words_of(take("Filesystem features")), joined(ours["features"]));
  if (theirs.contains("Filesystem flags")) {
    EXPECT_EQ(words_of(take("Filesystem flags")), joined(ours["flags"]));
  }
  const std::string options = take("Default mount options");
  EXPECT_EQ(options == "(none)" ? std::set<std::string>{} : words_of(options),
            joined(ours["default_mount_options"]));
  const std::string name = take("Filesystem volume name");
  EXPECT_EQ(name == "<none>" ? "" : name, text("label"));
  const std::string mounted = take("Last mounted on");
  EXPECT_EQ(mounted == "<not available>" ? "" : mounted, text("last_mounted_on"));
  EXPECT_EQ(take("Filesystem UUID"), text("uuid"));
  EXPECT_EQ(take("Filesystem state"), text("state"));
  EXPECT_EQ(lowered(take("Errors behavior")), text("on_errors"));
  if (theirs.contains("Default directory hash")) {
    EXPECT_EQ(take("Default directory hash"), text("hash"));
  }
  EXPECT_EQ(take("Directory Hash Seed"), text("hash_seed"));
  const std::pair<const char*, const char*> times[] = {{"Filesystem created", "made"},
                                                       {"Last mount time", "mounted"},
                                                       {"Last write time", "written"},
                                                       {"Last checked", "checked"}};
  for (const auto& [label, field] : times) {
    const std::string theirs_text = take(label);
    const auto seconds = ours[field].get<std::int64_t>();
    if (theirs_text == "n/a") {
      EXPECT_EQ(seconds, 0) << label;
    } else {
      EXPECT_EQ(theirs_text + "\n", their_time(seconds)) << label;
    }
  }
}

void compare_journal(std::map<std::string, std::string>& theirs, const Json& ours) {
  if (!theirs.contains("Journal inode")) return;
  const Json& journal = ours["journal"];
  ASSERT_TRUE(journal.is_object());
  EXPECT_EQ(number_of(theirs["Journal inode"]), journal["inode"]);
  std::set<std::string> features;
  for (const auto& word : journal["features"]) features.insert(word.get<std::string>());
  const std::string names = theirs["Journal features"];
  EXPECT_EQ(names == "(none)" ? std::set<std::string>{} : words_of(names), features);
  EXPECT_EQ(number_of(theirs["Total journal blocks"]), journal["blocks"]);
  EXPECT_EQ(number_of(theirs["Journal sequence"]), journal["sequence"]);
  EXPECT_EQ(number_of(theirs["Journal start"]), journal["start"]);
  if (theirs.contains("Journal checksum")) {
    EXPECT_EQ(number_of(theirs["Journal checksum"]), journal["checksum"]);
  }
  for (const char* label :
       {"Journal inode", "Journal features", "Total journal blocks", "Journal sequence",
        "Journal start", "Journal checksum", "Journal checksum type", "Total journal size",
        "Max transaction length", "Fast commit length", "Journal backup"}) {
    theirs.erase(label);
  }
}

struct InfoCase {
  const char* name;
  const char* mke2fs;
};

class ImageInfo : public ::testing::TestWithParam<InfoCase> {
 protected:
  void SetUp() override { SKIP_WITHOUT_TOOL("dumpe2fs"); }
};

TEST_P(ImageInfo, AgreesWithDumpe2fs) {
  E2fsImage image({.mke2fs = GetParam().mke2fs, .size = "64M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  const Ended ended = powercut("image info --json " + image.path().string());
  EXPECT_EQ(ended.code, 0) << ended.errors;
  EXPECT_EQ(ended.errors, "");
  const Json ours = ended.json();
  ASSERT_TRUE(ours.is_object()) << ended.output;
  auto theirs = dumped(image.path());
  compare_numbers(theirs, ours);
  compare_words(theirs, ours);
  compare_journal(theirs, ours);
  // What is left of theirs is said in another way, or not at all.
  for (const char* label : {"Filesystem magic number",
                            "Filesystem OS type",
                            "Fragment size",
                            "Fragments per group",
                            "Checksum type",
                            "dumpe2fs 1.47.0 (5-Feb-2023)",
                            "Cluster size",
                            "Clusters per group",
                            "Free clusters",
                            "Blocks per cluster",
                            "Orphan file inode",
                            "Checksum seed",
                            "Character encoding",
                            "User quota inode",
                            "Group quota inode",
                            "Project quota inode",
                            "First meta block group",
                            "Log block size",
                            "RAID stride",
                            "Backup block groups",
                            "MMP_block",
                            "RAID stripe width"}) {
    theirs.erase(label);
  }
  std::erase_if(theirs,
                [](const auto& each) { return each.first.find("mmp_") != std::string::npos; });
  for (const auto& [label, value] : theirs) ADD_FAILURE() << "not compared: " << label << value;
  EXPECT_EQ(ours["groups"]["damaged"], 0);
  EXPECT_EQ(ours["groups"]["free_blocks"], ours["free_blocks"]);
  EXPECT_EQ(ours["groups"]["free_inodes"], ours["free_inodes"]);
  EXPECT_EQ(ours["seen"], "clean");
  const Ended text = powercut("image info " + image.path().string());
  EXPECT_EQ(text.code, 0);
  for (const char* field : {"uuid", "hash_seed"}) {
    EXPECT_TRUE(text.says(ours[field].get<std::string>())) << field << text.output;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Mke2fs, ImageInfo,
    ::testing::Values(
        InfoCase{"Plain", "-b 1024"}, InfoCase{"Block4K", "-b 4096 -L a-label -M /mnt/there"},
        InfoCase{"Old", "-b 1024 -O ^extent,^64bit,^metadata_csum,^flex_bg,uninit_bg -I 128"},
        InfoCase{"NoJournal", "-b 2048 -O ^has_journal -r 1 -e panic"},
        InfoCase{"Everything",
                 "-b 1024 -O mmp,quota,project,inline_data,ea_inode,large_dir,encrypt,verity,"
                 "casefold,metadata_csum_seed,orphan_file -E encoding=utf8 -e remount-ro"},
        InfoCase{"Bigalloc", "-b 1024 -C 16384 -O bigalloc"},
        InfoCase{"MetaGroups", "-b 1024 -O meta_bg,^resize_inode,sparse_super2"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST_F(ImageCommand, InfoTellsRecordedErrorsAndOrphans) {
  E2fsImage& image = packed();
  image.debugfs(
      "ssv error_count 3\nssv first_error_time 20010203040506\nssv first_error_func first_one\n"
      "ssv first_error_line 17\nssv first_error_ino 12\nssv first_error_block 99\n"
      "ssv last_error_time 20020203040506\nssv last_error_func last_one\n"
      "ssv last_error_line 18\nssv state 2\nssv max_mnt_count 20\nssv checkinterval 86400\n"
      "ssv mnt_count 7\n",
      true);
  const auto theirs = dumped(image.path());
  ASSERT_TRUE(theirs.contains("FS Error count"));
  const Json ours = powercut("image info --json " + image.path().string()).json();
  EXPECT_EQ(ours["error_count"], 3);
  EXPECT_EQ(ours["first_error"]["seconds"], 981'173'106);
  EXPECT_EQ(ours["first_error"]["function"], theirs.at("First error function"));
  EXPECT_EQ(ours["first_error"]["line"], number_of(theirs.at("First error line #")));
  EXPECT_EQ(ours["first_error"]["inode"], number_of(theirs.at("First error inode #")));
  EXPECT_EQ(ours["first_error"]["block"], number_of(theirs.at("First error block #")));
  EXPECT_EQ(ours["last_error"]["function"], theirs.at("Last error function"));
  EXPECT_EQ(ours["last_error"]["line"], 18);
  EXPECT_EQ(ours["state"], theirs.at("Filesystem state"));
  EXPECT_EQ(ours["mounts_max"], number_of(theirs.at("Maximum mount count")));
  EXPECT_EQ(ours["check_interval"], 86400);
  EXPECT_TRUE(powercut("image info " + image.path().string()).says("last_one:18"));

  const auto small = number_after(image.debugfs("stat /zero"), "Inode:");
  ASSERT_TRUE(small);
  const std::string number = std::to_string(*small);
  image.debugfs("ssv last_orphan " + number + "\nsif /zero links_count 0\nunlink /zero\n", true);
  const Ended listed = powercut("image info --orphans " + image.path().string());
  EXPECT_TRUE(listed.says("orphan     <" + number + ">")) << listed.output;
  EXPECT_FALSE(powercut("image info " + image.path().string()).says("<" + number + ">"));
  const Json with = powercut("image info --orphans --json " + image.path().string()).json();
  EXPECT_EQ(with["orphan_count"], 1);
  EXPECT_EQ(with["orphans"], Json({*small}));
}

TEST_F(ImageCommand, InfoCountsDamagedGroups) {
  E2fsImage& image = packed();
  auto raw = RawExt4::open(image.bytes());
  ASSERT_TRUE(raw);
  raw->descriptor(2)[12] ^= 1;
  put(image.path(), raw->bytes);
  const Ended ended = powercut("image info --json " + image.path().string());
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(ended.json()["damaged"], true);
  EXPECT_EQ(ended.json()["groups"]["damaged"], 1);
  EXPECT_EQ(ended.json()["groups"]["damages"][0]["group"], 2);
  EXPECT_TRUE(powercut("image info " + image.path().string()).says("1 damaged"));
}

}  // namespace
}  // namespace powercut::testing
