#include "lab/report/name_text.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/e2fs_image.h"

namespace powercut::lab {
namespace {

using testing::run_shell;
using testing::TemporaryFolder;

const std::string kNames[] = {
    "plain",
    "with-_+=:,.@%/",
    "two words",
    "tab\there",
    "line\nbreak",
    "\n",
    "a\n\tb",
    "it's",
    "it's a \"quote\"",
    "'",
    "''",
    "\"",
    "$HOME",
    "`id`",
    "a\\b",
    "*?[x]",
    "#first",
    "not#first",
    "~",
    "a~",
    "-n",
    "{",
    "{}",
    "a;b|c&d<e>f(g)",
    "!",
    "^",
    "=",
    "\x1b[31mred\x1b[0m",
    "bell\a",
    "\x7f",
    "\xff\xfe",
    "bad\xffutf8",
    "\xc3\xa4\xc3\xb6\xc3\xbc",
    "\xe6\x97\xa5\xe6\x9c\xac",
    "\xf0\x9f\x98\x80",
    "\xc0\xaf",      // overlong
    "\xed\xa0\x80",  // a surrogate
    "cut\xe6\x97",   // cut short
    "\xc2\x9b"
    "31m",  // a control character of two bytes
    "abc\xe2\x80\xae"
    "def",        // turns the direction of writing
    "e\xcc\x81",  // combining
};

std::string hex_of(const std::string& bytes) {
  return hex_text({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

// Bash reads the very bytes out of what is shown, as one word.
TEST(QuotedName, IsReadBackByBash) {
  if (!testing::find_tool("bash")) GTEST_SKIP() << "no bash";
  const TemporaryFolder folder;
  std::ofstream script(folder.path() / "script");
  script << "set -f\n";
  for (const std::string& name : kNames) script << "printf '%s\\0' " << quoted_name(name) << "\n";
  script.close();
  const auto read = run_shell("bash '" + (folder.path() / "script").string() + "'");
  std::istringstream words(read.output);
  for (const std::string& name : kNames) {
    std::string word;
    std::getline(words, word, '\0');
    EXPECT_EQ(hex_of(word), hex_of(name)) << quoted_name(name);
  }
}

// No byte that a terminal could take for anything else than a letter.
TEST(QuotedName, HasNothingForATerminalToObey) {
  for (const std::string& name : kNames) {
    for (const std::string& text : {quoted_name(name), printable(name)}) {
      EXPECT_TRUE(is_printable(text)) << hex_of(text);
      EXPECT_TRUE(is_utf8(text)) << hex_of(text);
    }
  }
}

// What `ls` does; where it differs on purpose, less is shown as it is.
TEST(QuotedName, IsThatOfLs) {
  const auto version = run_shell("ls --version");
  if (version.output.find("coreutils") == std::string::npos) GTEST_SKIP() << "not coreutils' ls";
  const TemporaryFolder folder;
  int compared = 0;
  for (const std::string& name : kNames) {
    if (name.find('/') != std::string::npos || name.find("\xe2\x80\xae") != std::string::npos) {
      continue;
    }
    const auto path = folder.path() / name;
    std::ofstream(path).flush();
    const auto shown = run_shell("cd '" + folder.path().string() +
                                 "' && LC_ALL=C.UTF-8 ls --quoting-style=shell-escape");
    EXPECT_EQ(quoted_name(name) + "\n", shown.output);
    std::filesystem::remove(path);
    ++compared;
  }
  EXPECT_GT(compared, 30);
}

TEST(Printable, EscapesAndNothingElse) {
  EXPECT_EQ(printable("plain 'text' \\ $"), "plain 'text' \\ $");
  EXPECT_EQ(printable("a\nb\033[31m\xff"), "a\\nb\\033[31m\\377");
  EXPECT_EQ(printable(""), "");
}

TEST(UtcText, Table) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {0, "1970-01-01 00:00:00"},
      {1, "1970-01-01 00:00:01"},
      {-1, "1969-12-31 23:59:59"},
      {951'782'400, "2000-02-29 00:00:00"},
      {-2'147'483'648, "1901-12-13 20:45:52"},
      {15'032'385'535, "2446-05-10 22:38:55"},      // the last that an inode holds
      {1'099'511'627'775, "36812-02-20 00:36:15"},  // the last that a superblock holds
  };
  for (const auto& [seconds, text] : cases) EXPECT_EQ(utc_text(seconds), text) << seconds;
  EXPECT_EQ(utc_text(Timestamp{1, 5}), "1970-01-01 00:00:01.000000005");
  EXPECT_EQ(utc_text_or_none(0), "n/a");
  EXPECT_EQ(utc_text(INT64_MAX), "9223372036854775807 s");
}

TEST(XattrValueText, TextAclOrHex) {
  const auto shown = [](std::string_view name, std::initializer_list<std::uint8_t> bytes) {
    const std::vector<std::uint8_t> value(bytes);
    return xattr_value_text(name, value);
  };
  EXPECT_EQ(shown("user.a", {'t', '"', '\\'}), "\"t\\\"\\\\\"");
  EXPECT_EQ(shown("user.a", {}), "\"\"");
  EXPECT_EQ(shown("user.a", {0, 0xff}), "0x00ff");
  // Version 1; owner rw-, owning group r--, others r--.
  EXPECT_EQ(shown("system.posix_acl_access", {1, 0, 0, 0, 1, 0, 6, 0, 4, 0, 4, 0, 0x20, 0, 4, 0}),
            "user::rw-,group::r--,other::r--");
  EXPECT_EQ(shown("system.posix_acl_access", {9, 0}), "0x0900");
}

}  // namespace
}  // namespace powercut::lab
