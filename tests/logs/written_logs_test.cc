// Logs that debugfs wrote: sessions of `jo`, `jw` and `jc` on a base.
#include <gtest/gtest.h>

#include "base/prng.h"
#include "tests/logs/hearing.h"
#include "tests/support/e2fs_image.h"

namespace powercut::testing {
namespace {

constexpr std::uint64_t kSessionsByDefault = 10;
constexpr std::uint64_t kWrittenWindow = 8;

struct SessionKind {
  const char* name;
  const char* open;  // the options of `jo`
  bool has_checksums;
};

void PrintTo(const SessionKind& kind, std::ostream* out) {
  *out << kind.name;
}

// The commands of one session, and the files that they name.
class Session {
 public:
  Session(const BaseImage& base, const SessionKind& kind, const std::string& name,
          const std::filesystem::path& folder)
      : base_(base), kind_(kind), prng_(Prng(0).child(name)), folder_(folder) {}

  std::string make();

 private:
  void open() { text_ += "jo " + std::string(kind_.open) + "\n"; }
  BlockNo home() {
    return base_.pool[base_.pool.size() - kWrittenWindow + prng_.below(kWrittenWindow)];
  }
  Contents content() {
    const std::uint32_t size = base_.options.block_bytes;
    return prng_.chance(1, 3) ? magic_block(size, prng_.next())
                              : patterned_block(size, prng_.next());
  }
  void add(const DataSpec& block) {
    homes_ += (homes_.empty() ? "" : ",") + std::to_string(block.home.value());
    content_.insert(content_.end(), block.content.begin(), block.content.end());
  }
  std::string revokes();
  void write(const std::string& options);

  const BaseImage& base_;
  const SessionKind& kind_;
  Prng prng_;
  const std::filesystem::path& folder_;
  std::string text_;
  // Of the next `jw -b`.
  std::string homes_;
  Contents content_;
  int files_ = 0;
};

std::string Session::revokes() {
  std::string list;
  for (std::uint64_t count = 1 + prng_.below(4); count != 0; --count) {
    list += (list.empty() ? "" : ",") + std::to_string(home().value());
  }
  return "-r " + list + " ";
}

void Session::write(const std::string& options) {
  const std::string path = (folder_ / ("content" + std::to_string(files_++))).string();
  write_whole(path, content_);
  text_ += "jw " + options + (homes_.empty() ? "" : "-b " + homes_ + " ") + path + "\n";
  homes_.clear();
  content_.clear();
}

std::string Session::make() {
  open();
  const std::uint64_t count = 2 + prng_.below(6);
  // One transaction changes the tree; sometimes one needs several descriptors.
  const std::uint64_t change = prng_.below(count);
  const std::uint64_t large = prng_.below(3 * count);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (prng_.chance(1, 3)) write(revokes());
    for (std::uint64_t blocks = 1 + prng_.below(5); blocks != 0; --blocks) {
      add({home(), content()});
    }
    if (i == change) {
      for (const DataSpec& block : base_.first_change) add(block);
    }
    if (i == large) {
      const std::size_t many = base_.options.block_bytes == 1024 ? 80 : 280;
      for (std::size_t k = 0; k < many; ++k) add({base_.pool[k], content()});
    }
    // The last may stay without a commit block; a write without it is written over by the next.
    const bool is_open = prng_.chance(1, i + 1 == count ? 2 : 10);
    const std::string also = prng_.chance(1, 8) ? revokes() : "";
    write(is_open ? "-c " : also);
    if (prng_.chance(1, 8)) {
      text_ += "jc\n";
      open();
    }
  }
  return text_ + "jc\n";
}

class WrittenLogs : public ::testing::TestWithParam<SessionKind> {};

LogImage write_log(const BaseOptions& options, const SessionKind& kind, const std::string& name) {
  const BaseImage& base = BaseImage::of(options);
  const TemporaryFolder folder;
  const std::string image = (folder.path() / "image").string();
  const std::string script = (folder.path() / "session").string();
  write_whole(image, base.bytes);
  const std::string text = Session(base, kind, name, folder.path()).make();
  write_whole(script, Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  const auto outcome = run_shell("debugfs -w -f '" + script + "' '" + image + "'");
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  const MappedFile written(image);
  return {name, {written.bytes().begin(), written.bytes().end()}, base.map};
}

TEST_P(WrittenLogs, AreRecoveredAsOthersDo) {
  SKIP_WITHOUT_TOOL("mke2fs");
  SKIP_WITHOUT_TOOL("debugfs");
  Hearing hearing;
  for (std::uint64_t i = 0; i < log_count(4 * kSessionsByDefault); ++i) {
    const BaseOptions options = {(i & 1) != 0 ? 4096U : 1024U, (i & 2) != 0,
                                 GetParam().has_checksums || (i & 4) != 0};
    const std::string name =
        std::string("written-") + GetParam().name + "/" + options.name() + "/" + std::to_string(i);
    if (is_wanted(name)) hearing.hear(write_log(options, GetParam(), name));
  }
  if (hearing.figures().logs < 4 * kSessionsByDefault) return;
  EXPECT_GT(hearing.figures().escaped, 100u);
  EXPECT_GT(hearing.figures().revoked, 30u);
  EXPECT_EQ(hearing.figures().refused, 0u);
}

INSTANTIATE_TEST_SUITE_P(, WrittenLogs,
                         ::testing::Values(SessionKind{"none", "", false},
                                           SessionKind{"v2", "-c -v 2", true},
                                           SessionKind{"v3", "-c -v 3", true}),
                         [](const auto& named) { return std::string(named.param.name); });

}  // namespace
}  // namespace powercut::testing
