// The hunt: what it finds on a kernel with the race is proven, and one without it is clean.
#include <sys/mount.h>

#include "tests/support/long_form.h"
#include "tests/vm/program.h"

namespace powercut::vm_testing {
namespace {

namespace fs = std::filesystem;

class Hunt : public VmTest {};

// A file system in memory of 8 MiB, where one can be had.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& path) : path_(path) {
    fs::create_directories(path_);
    is_mounted_ = ::mount("none", path_.c_str(), "tmpfs", 0, "size=8m") == 0;
  }
  ~SmallDisk() {
    if (is_mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool is_mounted() const { return is_mounted_; }

 private:
  fs::path path_;
  bool is_mounted_ = false;
};

bool holds(const Json& list, const Json& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

TEST_F(Hunt, FindsOnABadKernelAndItsImageProvesIt) {
  const auto hunt = run(
      {"hunt", "debian:6.1", "--until-first", "--seconds", "60", "--json", "--output", "results"});
  if (!hunt) return;
  ASSERT_EQ(hunt->code, 1) << hunt->output << hunt->errors;
  Json found = hunt->run();
  EXPECT_EQ(found["ending"], "power cut at the first finding");
  EXPECT_GE(hunt->json["mismatches"], 1);
  EXPECT_LT(found["first_finding_seconds"], 60);
  EXPECT_EQ(found["all_commits_seen"], true);
  ASSERT_FALSE(found["findings"].empty());
  EXPECT_EQ(read_text_file(scratch() / "results/result.json", 1 << 24).value(), hunt->output);

  const fs::path image = found["kept_image"].get<std::string>();
  const auto file = File::open(image, File::Access::kRead);
  ASSERT_TRUE(file) << image;
  EXPECT_EQ(file->size_bytes(), std::uint64_t{1} << 30);
  EXPECT_LT(file->allocated_bytes().value(), file->size_bytes() / 4) << "not sparse";

  const auto proof = run({"prove", "--json", image.native()});
  if (!proof) return;
  SCOPED_TRACE(proof->output + proof->errors);
  ASSERT_EQ(proof->code, 1);
  Json json = proof->json;
  EXPECT_EQ(json["refused_by_us"], true);
  EXPECT_EQ(json["linux"]["refuses"], true);
  EXPECT_EQ(json["linux"]["mounts"], false);
  EXPECT_EQ(json["linux"]["kernel"]["release"], found["kernel"]["release"]);
  EXPECT_EQ(json["linux"]["damaged_blocks"], json["damaged_blocks"]);
  EXPECT_EQ(json["e2fsck"]["damaged_blocks"], json["damaged_blocks"]);
  EXPECT_TRUE(holds(json["damaged_blocks"], found["findings"][0]["home"]));
}

TEST_F(Hunt, FindsNothingOnAKernelWithoutTheRace) {
  ONLY_IN_LONG_FORM();
  const auto hunt =
      run({"hunt", "debian:6.12", "--seconds", "12", "--json", "--output", "results"});
  if (!hunt) return;
  SCOPED_TRACE(hunt->output + hunt->errors);
  ASSERT_EQ(hunt->code, 0);
  Json clean = hunt->run();
  EXPECT_EQ(clean["ending"], "the load ended in order");
  EXPECT_EQ(hunt->json["mismatches"], 0);
  EXPECT_EQ(hunt->json["runs"], 1);
  EXPECT_EQ(clean["counters"]["commits"], clean["counters"]["tids"]);
  EXPECT_GT(clean["counters"]["commits"], 50);
  EXPECT_EQ(clean["counters"]["verified"], clean["counters"]["blocks"]);
  EXPECT_LT(clean["check_share"], 0.05);
  EXPECT_EQ(clean["kept_image"], "");
}

// The load that needs no mapped page: a kernel without the race has it, too.
TEST_F(Hunt, FilesThatAreCutWhileTheyCommitAreFoundAndProven) {
  const auto hunt = run({"hunt", "debian:6.12", "--load", "cut", "--until-first", "--seconds", "60",
                         "--json", "--output", "results"});
  if (!hunt) return;
  ASSERT_EQ(hunt->code, 1) << hunt->output << hunt->errors;
  Json found = hunt->run();
  EXPECT_EQ(found["ending"], "power cut at the first finding");
  EXPECT_EQ(found["all_commits_seen"], true);
  ASSERT_FALSE(found["findings"].empty());
  const auto proof =
      run({"prove", "--json", "--kernel", "none", found["kept_image"].get<std::string>()});
  if (!proof) return;
  ASSERT_EQ(proof->code, 1) << proof->output << proof->errors;
  EXPECT_EQ(proof->json["refused_by_us"], true);
  EXPECT_TRUE(holds(proof->json["damaged_blocks"], found["findings"][0]["home"]));
}

// No room for the image is no reason to lose the results; and the recording of the same run says
// the same as its judge did.
TEST_F(Hunt, GoesOnWithoutRoomForTheImageAndItsRecordingAgrees) {
  ONLY_IN_LONG_FORM();
  const SmallDisk disk(scratch() / "results");
  const fs::path in_the_way = scratch() / "results/run1-first.img";
  if (!disk.is_mounted()) {
    ASSERT_TRUE(File::create(in_the_way, 1));
  }
  const auto hunt = run({"hunt", "debian:6.1", "--until-first", "--seconds", "60", "--json",
                         "--output", "results", "--record", "hunt.pcrec"});
  if (!hunt) return;
  ASSERT_EQ(hunt->code, 1) << hunt->output << hunt->errors;
  Json found = hunt->run();
  EXPECT_EQ(found["kept_image"], "");
  const std::string not_kept = found["not_kept"];
  EXPECT_NE(not_kept.find(disk.is_mounted() ? "No space left" : "File exists"), not_kept.npos)
      << not_kept;
  EXPECT_EQ(fs::exists(in_the_way), !disk.is_mounted());
  EXPECT_EQ(found["record_trouble"], "");
  EXPECT_TRUE(fs::exists(scratch() / "results/result.json"));

  const auto verified = run({"verify", "--json", "hunt.pcrec"});
  if (!verified) return;
  ASSERT_EQ(verified->code, 1) << verified->output << verified->errors;
  for (const char* const counter :
       {"commits", "tids", "blocks", "verified", "findings", "bad_transactions", "writes",
        "flushes", "journal_bytes", "first_tid", "last_tid"}) {
    EXPECT_EQ(verified->json["counters"][counter], found["counters"][counter]) << counter;
  }
  ASSERT_EQ(verified->json["findings"].size(), found["findings"].size());
  for (std::size_t i = 0; i < found["findings"].size(); ++i) {
    for (const char* const field : {"tid", "home", "stored", "computed", "sequence"}) {
      EXPECT_EQ(verified->json["findings"][i][field], found["findings"][i][field]) << field;
    }
  }
}

}  // namespace
}  // namespace powercut::vm_testing
