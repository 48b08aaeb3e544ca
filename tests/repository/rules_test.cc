// Canaries: each rule is shown files that break it, and files that do not.
#include "tests/repository/rules.h"

#include <gtest/gtest.h>

namespace powercut::repository {
namespace {

constexpr std::string_view kRows =
    "base  # the lowest\n"
    "format block host\n"
    "recovery\n"
    "fs\n"
    "lab/stats\n"
    "lab/record\n"
    "lab/verify lab/explore\n"
    "cli\n";

TEST(Layers, IncludesGoDown) {
  const Layers layers(kRows);
  struct Case {
    std::string path;
    std::string name;
    std::string_view reported;  // empty: allowed
  };
  const Case cases[] = {
      {"src/base/a.h", "base/b.h", ""},
      {"src/fs/a.cc", "powercut/b.h", ""},
      {"src/cli/a.cc", "powercut/b.h", ""},
      {"src/recovery/a.cc", "powercut/b.h", "src/recovery/a.cc:2: recovery may not include fs\n"},
      {"src/recovery/a.h", "format/b.h", ""},
      {"src/cli/a.cc", "lab/record/b.h", ""},
      {"src/lab/verify/a.cc", "lab/stats/b.h", ""},
      {"src/lab/record/guest/a.cc", "lab/record/b.h", ""},
      {"src/base/a_test.cc", "tests/support/b.h", ""},
      {"tests/sim/a_test.cc", "cli/b.h", ""},
      {"src/base/a.h", "format/b.h", "src/base/a.h:2: base may not include format\n"},
      {"src/format/a.cc", "block/b.h", "src/format/a.cc:2: format may not include block\n"},
      {"src/lab/stats/a.cc", "lab/record/b.h",
       "src/lab/stats/a.cc:2: lab/stats may not include lab/record\n"},
      {"src/lab/verify/a.cc", "lab/explore/b.h",
       "src/lab/verify/a.cc:2: lab/verify may not include lab/explore\n"},
      {"src/base/a_test.cc", "block/b.h", "src/base/a_test.cc:2: base may not include block\n"},
      {"src/base/a.cc", "tests/support/b.h",
       "src/base/a.cc:2: tests/support/b.h is not named from src/\n"},
      {"src/base/a.cc", "b.h", "src/base/a.cc:2: b.h is not named from src/\n"},
      {"src/extra/a.cc", "base/b.h",
       "src/extra/a.cc: lies in no folder of tests/repository/layers.txt\n"},
      {"src/lab/a.cc", "base/b.h",
       "src/lab/a.cc: lies in no folder of tests/repository/layers.txt\n"},
  };
  for (const Case& each : cases) {
    const SourceFile file{each.path, "// words\n #  include  \"" + each.name + "\"\n"};
    EXPECT_EQ(text_of(check_layers(layers, file)), each.reported) << each.path << " " << each.name;
  }
}

TEST(FirstInclude, IsTheHeaderOfThatName) {
  const std::vector<std::string> paths = {"src/base/a.cc", "src/base/a.h", "src/base/b.cc"};
  const auto seen = [&](const char* path, const char* text) {
    return text_of(check_first_include(paths, {path, text}));
  };
  EXPECT_EQ(seen("src/base/a.cc", "// words\n#include \"base/a.h\"\n#include <string>\n"), "");
  EXPECT_EQ(seen("src/base/b.cc", "#include <string>\n"), "");
  const char* const missed = "src/base/a.cc: does not include \"base/a.h\" first\n";
  EXPECT_EQ(seen("src/base/a.cc", "#include <string>\n#include \"base/a.h\"\n"), missed);
  EXPECT_EQ(seen("src/base/a.cc", "int x;\n"), missed);
}

TEST(Libraries, OnlyWhereTheListSays) {
  const Libraries libraries(
      "zstd.h             : src/lab/record/*\n"
      "nlohmann/*         : src/lab/*json.cc\n"
      "unistd.h sys/*     : src/host/* src/*_test.cc\n");
  struct Case {
    std::string path;
    std::string name;
    bool is_allowed;
  };
  const Case cases[] = {
      {"src/base/a.h", "vector", true},
      {"src/lab/record/a.cc", "zstd.h", true},
      {"src/lab/report/json.cc", "nlohmann/json.hpp", true},
      {"src/base/a_test.cc", "sys/stat.h", true},
      {"src/lab/verify/a.cc", "zstd.h", false},
      {"src/lab/report/report.cc", "nlohmann/json.hpp", false},
      {"src/block/a.cc", "unistd.h", false},
      {"src/base/a.cc", "boost/any.hpp", false},
      {"tests/vm/a_test.cc", "curl/curl.h", false},
  };
  for (const Case& each : cases) {
    const SourceFile file{each.path, "#include <" + each.name + ">\n"};
    EXPECT_EQ(check_libraries(libraries, file).empty(), each.is_allowed)
        << each.path << " " << each.name;
  }
}

TEST(Code, CommentsAndLiteralsAreBlank) {
  EXPECT_EQ(code_of("a // b\nc"), "a     \nc");
  EXPECT_EQ(code_of("a /* b\n b */ c"), "a     \n      c");
  EXPECT_EQ(code_of(R"(a("b\"b", 'b') c)"), "a(      ,    ) c");
  EXPECT_EQ(code_of("1'000 + b"), "1'000 + b");
  EXPECT_EQ(code_of("R\"x(b)\" b)x\" c"), "             c");
  EXPECT_EQ(code_of("\"open"), "     ");
}

TEST(Words, TheBannedAreSeenInCodeOnly) {
  struct Case {
    std::string path;
    std::string line;
    bool is_allowed;
  };
  const Case cases[] = {
      {"src/block/a.cc", "getenv(name);", false},
      {"src/host/a.cc", "getenv(name);", true},
      {"src/block/a.cc", "// as getenv(name) does", true},
      {"src/block/a.cc", "int x = rand();", false},
      {"src/block/a.cc", "int x = strand();", true},
      {"src/block/a.cc", "std::random_device device;", false},
      {"src/block/a_test.cc", "std::random_device device;", false},
      {"src/block/a.cc", "std::chrono::system_clock::now();", false},
      {"src/block/a.cc", "(void)device.flush();", false},
      {"src/block/a.cc", "std::printf(\"x\");", false},
      {"src/block/a.cc", "std::snprintf(text, 4, \"x\");", true},
      {"src/block/a.cc", "std::cerr << 1;", false},
      {"src/host/a.cc", "fmt::print(\"x\");", false},
      {"src/cli/a.cc", "fmt::print(\"x\");", true},
      {"src/block/a_test.cc", "std::printf(\"x\");", true},
      {"src/lab/sources/guest/a.cc", "std::printf(\"x\");", true},
      {"src/block/a.cc",
       "// TO"
       "DO: later",
       false},
      {"src/block/a.cc", "char name[] = \"/tmp/aXXXXXX\";", true},
      {"tests/sim/a_test.cc", "getenv(name);", true},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(check_words({each.path, each.line + "\n"}).empty(), each.is_allowed)
        << each.path << ": " << each.line;
  }
  EXPECT_EQ(text_of(check_words({"src/block/a.cc", "\n\nrand();\n"})),
            "src/block/a.cc:3: rand(: random numbers come from base/prng.h\n");
}

TEST(Lengths, LinesAndColumns) {
  const auto lines = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "x\n";
    return text;
  };
  EXPECT_TRUE(check_lengths({"src/a.cc", lines(kLinesMost)}).empty());
  EXPECT_EQ(check_lengths({"src/a.cc", lines(kLinesMost + 1)}).size(), 1u);
  EXPECT_TRUE(check_lengths({"src/a.cc", std::string(kColumnsMost, 'x')}).empty());
  EXPECT_EQ(check_lengths({"src/a.cc", std::string(kColumnsMost + 1, 'x')}).size(), 1u);
  std::string two_byte_letters;
  for (std::size_t i = 0; i < kColumnsMost; ++i) two_byte_letters += "\xC3\xA4";
  EXPECT_TRUE(check_lengths({"src/a.cc", two_byte_letters}).empty());
}

TEST(Sizes, ABlobOverOneMebibyteIsReported) {
  EXPECT_TRUE(check_size("a.img", kFileBytesMost).empty());
  EXPECT_EQ(text_of(check_size("a.img", kFileBytesMost + 1)),
            "a.img: 1048577 bytes, of at most 1048576\n");
}

TEST(Built, AFileThatNoBuildKnowsIsReported) {
  const std::string commands =
      "[\n{\n  \"directory\": \"/work/build\",\n  \"command\": \"g++ -c /work/src/a_test.cc\",\n"
      "  \"file\": \"/work/src/a_test.cc\"\n},\n{\n  \"file\": "
      "\"/elsewhere/src/b_test.cc\"\n}\n]\n";
  const auto built = built_files(commands, "/work");
  EXPECT_EQ(built, std::set<std::string>{"src/a_test.cc"});
  EXPECT_EQ(text_of(check_built({"src/a_test.cc", "src/b_test.cc"}, built, "asan")),
            "src/b_test.cc: is not in the build asan\n");
}

TEST(Built, ABatchIsReadForItsSources) {
  EXPECT_TRUE(is_batch("build/asan/CMakeFiles/x.dir/Unity/unity_0_cxx.cxx"));
  EXPECT_FALSE(is_batch("src/base/a.cc"));
  EXPECT_EQ(batched_files("/* made */\n\n#include \"/work/src/a.cc\"\n#include \"/tmp/b.cc\"\n"
                          "#include <string>\n",
                          "/work"),
            std::set<std::string>{"src/a.cc"});
}

TEST(Corpora, OneWithoutItsTargetIsReported) {
  EXPECT_TRUE(check_corpora({"src/base/a_fuzz.cc", "tests/corpus/a_fuzz/0"}).empty());
  EXPECT_EQ(text_of(check_corpora({"src/base/a_fuzz.cc", "tests/corpus/a/0", "tests/corpus/a/1"})),
            "tests/corpus/a: no fuzz target of that name\n");
}

}  // namespace
}  // namespace powercut::repository
