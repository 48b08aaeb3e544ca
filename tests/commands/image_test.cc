// powercut image ls, tree, cat, stat against debugfs and the host.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <unistd.h>

#include "tests/commands/image_fixture.h"

namespace powercut::testing {
namespace {

using ImageLs = ImageCommand;
using ImageTree = ImageCommand;
using ImageCat = ImageCommand;
using ImageStat = ImageCommand;

// ---- ls

// Names without what would end a line or a field of debugfs ls -p.
bool is_plain(const std::string& name) {
  return std::ranges::all_of(name, [](char c) { return c >= ' ' && c != '/' && c != '\x7f'; });
}

TEST_F(ImageLs, NamesAndFieldsAreThoseOfDebugfs) {
  E2fsImage& image = packed();
  int compared = 0;
  for (const std::string folder : {"/", "/names", "/deep/1", "/empty"}) {
    const Json ours = powercut("image ls -a --json " + image.path().string() + ":" + folder).json();
    std::map<std::string, Json> found;
    for (const auto& name : ours["names"]) {
      const std::string path = name["path"];
      found[path.substr(folder.size() == 1 ? 1 : folder.size() + 1)] = name;
    }
    std::istringstream lines(image.debugfs("ls -p " + folder));
    for (std::string line; std::getline(lines, line);) {
      // /INODE/MODE/UID/GID/NAME/SIZE/
      std::vector<std::string> fields;
      std::istringstream parts(line);
      for (std::string part; std::getline(parts, part, '/');) fields.push_back(part);
      if (!line.starts_with('/') || fields.size() < 6) continue;
      const std::string& name = fields[5];
      if (!is_plain(name) || name == "bad\xff\xfeutf8") continue;
      ASSERT_TRUE(found.contains(name)) << folder << " " << name;
      const Json& one = found[name];
      EXPECT_EQ(std::to_string(one["inode"].get<int>()), fields[1]) << name;
      EXPECT_EQ(one["mode"].get<int>(), std::strtol(fields[2].c_str(), nullptr, 8) & 07777) << name;
      EXPECT_EQ(std::to_string(one["uid"].get<int>()), fields[3]) << name;
      EXPECT_EQ(std::to_string(one["gid"].get<int>()), fields[4]) << name;
      if (fields.size() > 6 && !fields[6].empty()) {
        EXPECT_EQ(std::to_string(one["size"].get<int>()), fields[6]) << name;
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 30);
}

TEST_F(ImageLs, Options) {
  E2fsImage& image = packed();
  const std::string at = image.path().string() + ":";
  const auto ls = [&](const std::string& words) {
    const Ended ended = powercut("image ls " + words);
    EXPECT_EQ(ended.code, 0) << words << ended.errors;
    return ended.output;
  };
  EXPECT_EQ(ls(at + "deep/1"), "2\nhard\n");
  EXPECT_EQ(ls("-a " + at + "deep/1"), ".\n..\n2\nhard\n");
  EXPECT_EQ(ls("-d " + at + "deep/1"), "/deep/1\n");
  EXPECT_EQ(ls(at + "empty"), "");
  EXPECT_EQ(ls(at + "directory_link"), "3\n") << "followed";
  EXPECT_EQ(ls("-d " + at + "directory_link"), "/directory_link\n");
  EXPECT_EQ(ls("-d -l " + at + "directory_link").substr(0, 12), "lrwxrwxrwx 1");
  EXPECT_NE(ls("-l " + at + "short_link").find("/short_link -> small\n"), std::string::npos);
  EXPECT_NE(ls("-l " + at + "directory_link/").find(" 3\n"), std::string::npos) << "a slash";
  const std::string inode =
      std::to_string(number_after(image.debugfs("stat /small"), "Inode:").value_or(0));
  EXPECT_EQ(ls("-i " + at + "small"), inode + " /small\n");
  EXPECT_EQ(ls("'" + at + "<" + inode + ">'"), "'<" + inode + ">'\n");
  const std::string names = ls(at + "names");
  for (const char* shown : {"'two words'\n", "'tab'$'\\t''and'$'\\n''newline'\n", "\"it's\"\n",
                            "'bad'$'\\377\\376''utf8'\n", "''$'\\033''[31mred'\n", "'<12>'\n"}) {
    EXPECT_NE(names.find(shown), std::string::npos) << shown << names;
  }
  EXPECT_EQ(names.find(".hidden"), std::string::npos);
  EXPECT_NE(ls("-a " + at + "names").find(".hidden\n"), std::string::npos);
}

TEST_F(ImageLs, LongLinesAreThoseOfLs) {
  E2fsImage& image = packed();
  // The same columns of the host's ls, on the tree that was packed.
  const std::string theirs =
      run_shell("cd " + quoted(source().string()) +
                " && LC_ALL=C.UTF-8 TZ=UTC ls -lA --quoting-style=shell-escape -n"
                " --time-style='+%Y-%m-%d %H:%M:%S' --ignore=deep --ignore=empty --ignore=names"
                " | tail -n +2 | tr -s ' '")
          .output;
  std::string ours;
  std::istringstream lines(powercut("image ls -la " + image.path().string()).output);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('d')) continue;
    std::string squeezed;
    for (const char letter : line) {
      if (letter != ' ' || squeezed.empty() || squeezed.back() != ' ') squeezed += letter;
    }
    ours += squeezed + "\n";
  }
  // An ACL that debugfs set is not on the host.
  const auto without = [](std::string text) {
    std::set<std::string> kept;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) kept.insert(line);
    return kept;
  };
  EXPECT_EQ(without(ours), without(theirs));
}

TEST_F(ImageLs, RecursiveAndRaw) {
  E2fsImage& image = packed();
  const std::string at = image.path().string();
  const Ended deep = powercut("image ls -R " + at + ":deep");
  EXPECT_TRUE(deep.output.starts_with("/deep:\n1\n\n/deep/1:\n2\nhard\n\n/deep/1/2:\n3\n\n"))
      << deep.output;
  std::set<std::string> ours, theirs;
  std::istringstream names(powercut("image ls -aR0 " + at).output);
  for (std::string name; std::getline(names, name, '\0');) {
    const fs::path path = name;
    if (path.filename() != "." && path.filename() != ".." && path != "/lost+found") {
      ours.insert(name);
    }
  }
  for (const auto& entry : fs::recursive_directory_iterator(source())) {
    theirs.insert("/" + entry.path().lexically_relative(source()).string());
  }
  EXPECT_EQ(ours, theirs);
  EXPECT_EQ(powercut("image ls -0 " + at + ":deep/1").output, std::string("2\0hard\0", 7));
  EXPECT_EQ(powercut("image ls -0 --xattrs " + at).code, 2);
}

TEST_F(ImageLs, Attributes) {
  E2fsImage& image = packed();
  const std::string at = image.path().string();
  const Ended with = powercut("image ls --xattrs " + at + ":random");
  EXPECT_TRUE(with.says("    user.note = \"some text\"\n")) << with.output;
  EXPECT_TRUE(
      with.says("    system.posix_acl_access = "
                "user::rw-,user:1000:r--,group::r--,mask::r--,other::---\n"))
      << with.output;
  EXPECT_FALSE(powercut("image ls " + at + ":random").says("user.note"));
  const Json json = powercut("image ls --xattrs --json " + at + ":random").json();
  bool has_note = false;
  for (const auto& xattr : json["names"][0]["xattrs"]) {
    if (xattr["name"] == "user.note") has_note = xattr["hex"] == "736f6d652074657874";
  }
  EXPECT_TRUE(has_note) << json;
}

// ---- tree

TEST_F(ImageTree, DrawsAndCounts) {
  E2fsImage& image = packed();
  const std::string at = image.path().string();
  const Ended drawn = powercut("image tree --depth 2 " + at + ":deep/1");
  EXPECT_EQ(drawn.output,
            "/deep/1\n├── 2\n│   └── 3\n└── hard\n\n"
            "2 directories, 1 file, 0 symlinks, 0 others; 6 bytes\n");
  EXPECT_EQ(powercut("image tree --depth 1 " + at + ":deep/1").output,
            "/deep/1\n├── 2\n└── hard\n\n1 directory, 1 file, 0 symlinks, 0 others; 6 bytes\n");
  const Json json = powercut("image tree --json " + at).json();
  const auto count = [&](const std::string& type) {
    return std::stoi(run_shell("find " + quoted(source().string()) + " -mindepth 1 " + type +
                               " -printf x | wc -c")
                         .output);
  };
  EXPECT_EQ(json["directories"], count("-type d") + 1) << "lost+found";
  EXPECT_EQ(json["files"], count("-type f"));
  EXPECT_EQ(json["symlinks"], count("-type l"));
  EXPECT_EQ(json["others"], count("-not -type d -not -type f -not -type l"));
  EXPECT_EQ(json["names"].size(),
            json["directories"].get<std::size_t>() + json["files"].get<std::size_t>() +
                json["symlinks"].get<std::size_t>() + json["others"].get<std::size_t>());
  EXPECT_TRUE(powercut("image tree " + at).says("short_link -> small\n"));
  EXPECT_EQ(powercut("image tree " + at + ":small").code, 2) << "no directory";
  EXPECT_EQ(powercut("image tree --depth 0 " + at).code, 2);
}

// ---- cat

TEST_F(ImageCat, EveryFileIsThatOfDebugfs) {
  for (const char* mke2fs : {"-b 1024", "-b 4096 -O inline_data", "-b 1024 -O ^extent,^64bit"}) {
    E2fsImage& image = packed(mke2fs);
    int compared = 0;
    for (const auto& entry : fs::recursive_directory_iterator(source())) {
      if (!fs::is_regular_file(entry.symlink_status())) continue;
      const std::string path = "/" + entry.path().lexically_relative(source()).string();
      // With inline data mke2fs 1.47.0 packs no hole at the end of a file.
      if (path == "/sparse" && std::string(mke2fs).find("inline") != std::string::npos) continue;
      const Ended ours = powercut("image cat " + quoted(image.path().string() + ":" + path));
      EXPECT_EQ(ours.code, 0) << ours.errors;
      EXPECT_TRUE(ours.output == read_text(entry.path())) << mke2fs << path;
      ++compared;
    }
    EXPECT_GT(compared, 15);
    for (const char* path : {"/sparse", "/random", "/small"}) {
      image.debugfs("dump " + std::string(path) + " " + scratch("dumped").string());
      const std::string ours = powercut("image cat " + image.path().string() + ":" + path).output;
      // Of content in an inode debugfs dumps all the room that it could have.
      const bool is_inline = ours.size() < 60;
      const std::string theirs = read_text(scratch("dumped"));
      EXPECT_TRUE(ours == (is_inline ? theirs.substr(0, ours.size()) : theirs)) << path;
    }
    EXPECT_EQ(powercut("image cat " + image.path().string() + ":short_link").output, "hello\n");
  }
}

TEST_F(ImageCat, WhatHasNoContentIsRefused) {
  E2fsImage& image = packed();
  const std::string at = image.path().string() + ":";
  for (const std::string path : {"/", "deep", "directory_link", "fifo"}) {
    const Ended ended = powercut("image cat " + at + path);
    EXPECT_EQ(ended.code, 2) << path;
    EXPECT_EQ(ended.output, "") << path;
  }
  const Ended absent = powercut("image cat " + at + "none");
  EXPECT_EQ(absent.code, 3);
  EXPECT_TRUE(absent.warns("none")) << absent.errors;
  EXPECT_EQ(powercut("image cat " + at + "dangling").code, 3);
}

TEST_F(ImageCat, AReaderThatGoesAwayEndsItQuietly) {
  E2fsImage& image = packed();
  const std::string file = image.path().string() + ":/random";
  const std::string begin = POWERCUT_BUILT_PROGRAM " image cat " + quoted(file);
  const auto quiet = run_shell("bash -c \"trap '' PIPE; " + begin +
                               " | head -c 3 >/dev/null; exit \\${PIPESTATUS[0]}\"");
  EXPECT_EQ(quiet.output, "");
  EXPECT_EQ(quiet.status, 0);
  EXPECT_EQ(run_shell("bash -c \"" + begin + " | head -c 3 >/dev/null\"").output, "");
  const auto full = run_shell(begin + " >/dev/full");
  EXPECT_EQ(full.status, 3);
  EXPECT_NE(full.output.find("No space left on device"), std::string::npos) << full.output;
}

// ---- stat

// Of debugfs stat: "(0-9):1158-1167, (10[u]):1170, (12-13[u]):1180-1181".
std::string runs_text(const Json& runs) {
  std::string text;
  for (const auto& run : runs) {
    const auto file = run["file_block"].get<std::uint64_t>(),
               device = run["device_block"].get<std::uint64_t>(),
               count = run["blocks"].get<std::uint64_t>();
    const auto range = [count](std::uint64_t first) {
      const std::string begin = std::to_string(first);
      return count == 1 ? begin : begin + "-" + std::to_string(first + count - 1);
    };
    if (!text.empty()) text += ", ";
    text += "(" + range(file) + (run["unwritten"].get<bool>() ? "[u]" : "") + "):" + range(device);
  }
  return text;
}

TEST_F(ImageStat, FieldsAreThoseOfDebugfs) {
  E2fsImage& image = packed();
  image.debugfs(
      "fallocate /sparse 2000 2100\nsif /small flags 0x80010\nsif /small generation 77\n"
      "sif /small projid 5\n",
      true);
  for (const std::string path : {"/", "/small", "/random", "/sparse", "/short_link", "/long_link",
                                 "/names", "/fifo", "/deep/1/hard", "<8>", "<11>"}) {
    const std::string theirs = image.debugfs("stat " + path);
    const Ended ended = powercut("image stat --json " + quoted(image.path().string() + ":" + path));
    EXPECT_EQ(ended.code, 0) << path << ended.errors;
    const Json ours = ended.json();
    ASSERT_TRUE(ours.is_object()) << path << ended.output;
    const auto number = [&](const char* label) {
      return static_cast<std::int64_t>(number_after(theirs, label).value_or(~0ull));
    };
    EXPECT_EQ(ours["inode"], number("Inode:")) << path;
    EXPECT_EQ(ours["mode"], number("Mode:")) << path;
    EXPECT_EQ(ours["flags"], number("Flags:")) << path;
    EXPECT_EQ(ours["generation"], number("Generation:")) << path;
    EXPECT_EQ(ours["uid"], number("User:")) << path;
    EXPECT_EQ(ours["gid"], number("Group:")) << path;
    EXPECT_EQ(ours["project"], number("Project:")) << path;
    EXPECT_EQ(ours["size"], number("Size:")) << path;
    EXPECT_EQ(ours["xattr_block"], number("File ACL:")) << path;
    EXPECT_EQ(ours["links"], number("Links:")) << path;
    EXPECT_EQ(ours["sectors"], number("Blockcount:")) << path;
    EXPECT_EQ(ours["checksum"], number("Inode checksum:")) << path;
    const std::pair<const char*, const char*> times[] = {{"\n ctime:", "change_time"},
                                                         {"\n atime:", "access_time"},
                                                         {"\n mtime:", "modify_time"},
                                                         {"\ncrtime:", "create_time"}};
    for (const auto& [label, field] : times) {
      EXPECT_EQ(ours[field]["seconds"], number(label)) << path << label;
    }
    const auto extents = theirs.find("EXTENTS:\n");
    if (extents != std::string::npos) {
      std::string list = theirs.substr(extents + 9, theirs.find('\n', extents + 9) - extents - 9);
      const auto runs = runs_text(ours["runs"]);
      // Blocks of the tree are named among them: "(ETB0):1234, ".
      for (auto at = list.find("(ETB"); at != std::string::npos; at = list.find("(ETB")) {
        list.erase(at, list.find("(", at + 1) - at);
      }
      EXPECT_EQ(runs, list) << path;
    }
    const auto target = theirs.find("Fast link dest: \"");
    if (target != std::string::npos) {
      EXPECT_NE(theirs.find("\"" + ours["target"].get<std::string>() + "\"", target),
                std::string::npos);
    }
  }
}

TEST_F(ImageStat, TellsEverythingAsText) {
  E2fsImage& image = packed();
  image.debugfs("fallocate /sparse 2000 2100\nsif /small mtime_extra 0x9502F909\n", true);
  const std::string at = image.path().string() + ":";
  const Ended random = powercut("image stat " + at + "random");
  for (const char* words :
       {"  path       /random\n", "regular file", " matches\n", "  mode       0644 -rw-r--r--",
        "size       3,000,017 bytes", "extents\n", "  attribute  user.note = \"some text\"\n",
        "system.posix_acl_access = user::rw-,user:1000:r--,group::r--,mask::r--,other::---\n",
        "  modify     20"}) {
    EXPECT_TRUE(random.says(words)) << words << random.output;
  }
  EXPECT_TRUE(powercut("image stat " + at + "sparse").says(" unwritten\n"));
  EXPECT_TRUE(powercut("image stat " + at + "short_link").says("  target     small\n"));
  // 0x9502F909 >> 2: nanoseconds; the lowest two bits: one more epoch of 2^32 seconds.
  const Json small = powercut("image stat --json " + at + "small").json();
  EXPECT_EQ(small["modify_time"]["nanoseconds"], 0x9502F909u >> 2);
  EXPECT_GT(small["modify_time"]["seconds"].get<std::int64_t>(), std::int64_t{1} << 32);
  const std::string inode = std::to_string(small["inode"].get<int>());
  const Ended by_number = powercut("image stat '" + at + "<" + inode + ">'");
  EXPECT_TRUE(by_number.says("  path       /small\n") ||
              by_number.says("  path       /names/hard\n") ||
              by_number.says("  path       /deep/1/hard\n"))
      << by_number.output;
  EXPECT_EQ(powercut("image stat '" + at + "<0>'").code, 2);
  EXPECT_EQ(powercut("image stat " + at + "none").code, 3);
}

TEST_F(ImageStat, DevicesHaveNumbers) {
  if (!fs::exists("/dev/null") || ::geteuid() != 0) GTEST_SKIP() << "needs root: makes devices";
  E2fsImage& image = packed();
  const std::string at = image.path().string() + ":";
  EXPECT_TRUE(powercut("image stat " + at + "null").says("  device     1, 3\n"));
  EXPECT_TRUE(powercut("image stat " + at + "large").says("  device     300, 70000\n"));
  EXPECT_TRUE(powercut("image ls -l " + at + "large").says(" 300, 70000 "));
}

}  // namespace
}  // namespace powercut::testing
