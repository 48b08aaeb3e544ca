// A database on the library with synchronous=OFF: in every state that a power cut could have left
// it is whole, and holds what was committed with the volume.  On Linux that setting loses data
// (docs/sqlite.md); here the order of SQLite's writes is kept, so a journal that was never synced
// is there all the same.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <optional>

#include "base/simulation.h"
#include "base/task.h"
#include "base/wall_clock.h"
#include "block/simulated_disk.h"
#include "host/machine.h"
#include "lab/check/explorer.h"
#include "lab/check/state_view.h"
#include "lab/record/simulated_stream.h"
#include "reader/volume.h"
#include "tests/sqlite/volume_vfs.h"
#include "tests/support/e2fs_image.h"
#include "tests/support/long_form.h"
#include "tests/support/recording_observer.h"

namespace powercut::sqlite_testing {
namespace {

constexpr int kAccounts = 40, kBalance = 1000;
constexpr const char* kDatabase = "bank.db";

// Runs SQL; the first value of the last row, as text.
class Connection {
 public:
  Connection(const std::string& path, const char* vfs) {
    code_ =
        sqlite3_open_v2(path.c_str(), &database_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
  }
  ~Connection() { sqlite3_close(database_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  std::string run(const std::string& sql) {
    std::string value;
    const auto take = [](void* into, int, char** values, char**) {
      *static_cast<std::string*>(into) = values[0] == nullptr ? "" : values[0];
      return 0;
    };
    if (code_ == SQLITE_OK) code_ = sqlite3_exec(database_, sql.c_str(), take, &value, nullptr);
    return code_ == SQLITE_OK ? value : std::string("error: ") + sqlite3_errmsg(database_);
  }
  bool is_well() const { return code_ == SQLITE_OK; }

 private:
  sqlite3* database_ = nullptr;
  int code_ = SQLITE_OK;
};

// Opens what a state holds of the database, lets SQLite recover it, and asks it.
class DatabaseJudge final : public lab::StateJudge {
 public:
  lab::JudgeName name() const override { return lab::JudgeName::kCommand; }
  void begin(const lab::StateImage& image) override { image_ = &image; }
  void change(BlockNo, lab::ContentId, lab::ContentId) override {}
  void learn(std::string_view mark) override { durable_ = std::stoi(std::string(mark)); }
  bool settle() override {
    what_ = look();
    return what_.empty();
  }
  std::vector<lab::CheckFinding> findings(std::size_t) const override {
    if (what_.empty()) return {};
    return {lab::finding_of(lab::JudgeName::kCommand, "database", what_)};
  }
  std::size_t asked_count() const { return known_.size(); }

 private:
  // What of the database there is: name and content of each file.
  using Copy = std::map<std::string, std::string>;
  std::string look() {
    const lab::StateView view(*image_);
    const auto volume = powercut::Volume::open(view);
    if (!volume) return "no file system: " + error_words(volume.error());
    Copy copy;
    for (const char* const end : {"", "-journal", "-wal"}) {
      const std::string name = std::string(kDatabase) + end;
      const auto content = content_of(*volume, name);
      if (!content) return error_words(content.error());
      if (*content) copy[name] = std::move(**content);
    }
    const auto known = known_.find(copy);
    const int count = known != known_.end() ? known->second : (known_[copy] = ask(copy));
    if (count < 0) return "the database is damaged, or its accounts do not add up";
    if (count >= durable_) return {};
    return std::to_string(count) + " transfers, " + std::to_string(durable_) + " were durable";
  }
  static Result<std::optional<std::string>> content_of(const powercut::Volume& volume,
                                                       const std::string& name);
  // The number of transfers; -1: SQLite objects.
  int ask(const Copy& copy) const {
    const testing::TemporaryFolder folder;
    for (const auto& [name, content] : copy) {
      std::ofstream(folder.path() / name, std::ios::binary) << content;
    }
    Connection database((folder.path() / kDatabase).string(), nullptr);
    if (database.run("PRAGMA integrity_check") != "ok") return -1;
    if (database.run("SELECT count(*) FROM sqlite_schema WHERE name = 'transfers'") == "0")
      return 0;
    const std::string sum = database.run("SELECT sum(balance) FROM accounts");
    const std::string count = database.run("SELECT count(*) FROM transfers");
    const std::string last = database.run("SELECT ifnull(max(number), 0) FROM transfers");
    if (!database.is_well() || sum != std::to_string(kAccounts * kBalance) || last != count) {
      return -1;
    }
    return std::stoi(count);
  }

  const lab::StateImage* image_ = nullptr;
  int durable_ = 0;
  std::string what_;
  std::map<Copy, int> known_;
};

Result<std::optional<std::string>> DatabaseJudge::content_of(const powercut::Volume& volume,
                                                             const std::string& name) {
  const auto number = volume.find("/" + name);
  if (!number && number.error().code == Errc::kNotFound) return std::optional<std::string>();
  const InodeNo file = TRY(volume.find("/" + name));
  const Inode inode = TRY(volume.inode(file));
  std::vector<std::uint8_t> bytes(inode.size);
  TRY(volume.read_file(file, inode, 0, bytes));
  return std::optional<std::string>(std::string(bytes.begin(), bytes.end()));
}

struct LoadOptions {
  const char* journal_mode;
  int transfers = 60;
  std::uint64_t seed = 1;
};

// Transfers between accounts; the volume is committed after some, which the stream is told.
void transfer_money(fs::Volume& volume, lab::SimulatedStream& stream, const LoadOptions& options,
                    std::uint64_t& syncs) {
  VolumeVfs vfs(volume, "powercut");
  {
    Connection bank(kDatabase, "powercut");
    bank.run("PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = 10");
    bank.run(std::string("PRAGMA journal_mode = ") + options.journal_mode);
    bank.run("PRAGMA wal_autocheckpoint = 8");
    bank.run(
        "BEGIN; CREATE TABLE accounts (number INTEGER PRIMARY KEY, balance INTEGER, "
        "notes TEXT); CREATE TABLE transfers (number INTEGER PRIMARY KEY, amount INTEGER)");
    for (int i = 0; i < kAccounts; ++i) {
      bank.run("INSERT INTO accounts VALUES (" + std::to_string(i) + ", " +
               std::to_string(kBalance) + ", hex(zeroblob(300)))");
    }
    bank.run("COMMIT");
    Prng prng(options.seed);
    for (int i = 1; i <= options.transfers; ++i) {
      const std::string amount = std::to_string(1 + prng.below(50));
      bank.run("BEGIN");
      bank.run("UPDATE accounts SET balance = balance - " + amount +
               " WHERE number = " + std::to_string(prng.below(kAccounts)));
      bank.run("UPDATE accounts SET balance = balance + " + amount +
               " WHERE number = " + std::to_string(prng.below(kAccounts)));
      bank.run("INSERT INTO transfers VALUES (" + std::to_string(i) + ", " + amount + ")");
      bank.run("COMMIT");
      if (!prng.chance(1, 4)) continue;
      CHECK(volume.commit().has_value(), "the disk is well");
      stream.mark(std::to_string(i));
    }
    CHECK(bank.is_well(), "SQLite is content");
  }
  syncs = vfs.sync_count();
}

struct Explored {
  lab::ExplorerCounts counts;
  std::vector<lab::GroupedFinding> findings;
  std::size_t databases = 0;  // distinct ones that SQLite was asked about
  std::uint64_t syncs = 0;
};

Explored explore(const std::vector<std::uint8_t>& image, const LoadOptions& options,
                 std::uint64_t states) {
  Explored explored;
  testing::RecordingObserver recorder(image);
  const auto played = Simulation({.seed = options.seed}).run([&] {
    SimulatedDisk disk(image, {.latency_max = Nanoseconds(0)});
    const SimulatedClock clock;
    const ManualWallClock wall_clock(std::chrono::seconds(1'700'000'000));
    lab::SimulatedStream stream(clock, {&recorder});
    disk.observe(&stream);
    auto volume = fs::Volume::open(disk, clock, wall_clock).value();
    // Commits come at any moment, also between two writes of one transaction of SQLite's.
    bool is_over = false;
    Task committer = Task::start("committer", [&] {
      while (!is_over) CHECK(volume.commit().has_value(), "the disk is well");
    });
    transfer_money(volume, stream, options, explored.syncs);
    is_over = true;
    committer.join();
    CHECK(volume.close().has_value(), "the disk is well");
  });
  if (played.has_finding()) {
    ADD_FAILURE() << played.what;
    return explored;
  }
  const lab::Recording recording = recorder.take();
  lab::BlockStream stream = lab::BlockStream::make(recording, 4096, std::uint64_t{1} << 30).value();
  const MemoryDevice first(image);
  JournalMap map = locate_journal(powercut::Volume::open(first).value()).value();
  DatabaseJudge judge;
  const SteadyClock clock;
  lab::ExplorerOptions how;
  how.states_max = states;
  lab::Explorer explorer(stream, std::move(map), {&judge}, clock, how);
  CHECK(explorer.run([](const lab::ExplorerCounts&) { return true; }).has_value(), "explores");
  explored.counts = explorer.counts();
  explored.findings = explorer.findings();
  explored.databases = judge.asked_count();
  return explored;
}

class SqliteOnTheLibrary : public ::testing::TestWithParam<const char*> {};

TEST_P(SqliteOnTheLibrary, IsWholeInEveryStateWithoutASync) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const testing::E2fsImage image({.mke2fs = "-b 4096 -J size=4", .size = "16M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  LoadOptions options{.journal_mode = GetParam()};
  if (testing::is_long_form()) options.transfers = 400;
  const Explored explored =
      explore(image.bytes(), options, testing::is_long_form() ? 200'000 : 3000);
  for (const lab::GroupedFinding& each : explored.findings) {
    ADD_FAILURE() << each.finding.words << ": --crash " << each.first.crash_point << " --keep "
                  << each.first.writes << ", in " << each.state_count << " states";
  }
  EXPECT_EQ(explored.syncs, 0u);
  EXPECT_GT(explored.counts.judged, 100u);
  EXPECT_GT(explored.databases, 20u);
  std::printf("%s: %llu crash points, %llu states judged, %zu distinct databases\n", GetParam(),
              static_cast<unsigned long long>(explored.counts.crash_points),
              static_cast<unsigned long long>(explored.counts.judged), explored.databases);
}

// Without a journal SQLite's pages are written one by one: a cut between them must be found.
TEST(SqliteWithoutAJournal, IsFoundBroken) {
  SKIP_WITHOUT_TOOL("mke2fs");
  const testing::E2fsImage image({.mke2fs = "-b 4096 -J size=4", .size = "16M"});
  ASSERT_TRUE(image.is_made()) << image.log();
  EXPECT_FALSE(explore(image.bytes(), {.journal_mode = "OFF"}, 3000).findings.empty());
}

INSTANTIATE_TEST_SUITE_P(Journals, SqliteOnTheLibrary,
                         ::testing::Values("DELETE", "TRUNCATE", "PERSIST", "WAL"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace powercut::sqlite_testing
