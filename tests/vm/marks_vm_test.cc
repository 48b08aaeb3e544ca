// Marks and workloads in a guest: what comes into the recording, and what the `content` judge says
// of the disk wherever the power is cut.
#include <map>
#include <memory>

#include "lab/check/content_judge.h"
#include "lab/record/block_stream.h"
#include "recovery/recovery.h"
#include "tests/support/long_form.h"
#include "tests/vm/program.h"

namespace powercut::vm_testing {
namespace {

constexpr std::uint64_t kMemory = std::uint64_t{2} << 30;
constexpr std::uint32_t kBlockBytes = 4096;

class Marks : public VmTest {
 protected:
  // Runs the script and gives what was recorded; nothing after it has skipped or failed.
  std::optional<lab::BlockStream> record(const std::string& script,
                                         const std::vector<std::string>& options = {}) {
    std::vector<std::string> words{"--seconds",      "100", "--size",   "64",
                                   "--journal-size", "8",   "--record", "marks.pcrec"};
    words.insert(words.end(), options.begin(), options.end());
    const auto ended = run(shell_load(script, words));
    if (!ended) return std::nullopt;
    EXPECT_EQ(ended->code, 0) << ended->output << ended->errors;
    const auto file = File::open(scratch() / "marks.pcrec", File::Access::kRead);
    if (!file) {
      ADD_FAILURE() << error_words(file.error());
      return std::nullopt;
    }
    const auto recording = lab::read_recording(*file, kMemory);
    if (!recording) {
      ADD_FAILURE() << error_words(recording.error());
      return std::nullopt;
    }
    auto stream = lab::BlockStream::make(*recording, kBlockBytes, kMemory);
    if (!stream) {
      ADD_FAILURE() << error_words(stream.error());
      return std::nullopt;
    }
    return std::move(*stream);
  }
};

std::vector<std::string> marks_of(const lab::BlockStream& stream) {
  std::vector<std::string> marks;
  for (const lab::StreamEvent& event : stream.events()) {
    if (event.kind == lab::StreamEventKind::kMark) marks.push_back(stream.mark(event));
  }
  return marks;
}

// Walks along a stream and knows what a power cut would leave: with nothing that was not flushed,
// or with all of it.
class Cuts {
 public:
  explicit Cuts(const lab::BlockStream& stream)
      : stream_(stream), durable_(stream.base().begin(), stream.base().end()), written_(durable_) {}

  void take(const lab::StreamEvent& event) {
    using lab::StreamEventKind;
    const auto writes = stream_.writes(event);
    const bool is_flush = event.request == lab::RequestKind::kFlush;
    if (event.kind == StreamEventKind::kSubmitted && is_flush) {
      covered_[event.sequence] = completed_.size();
    } else if (event.kind == StreamEventKind::kSubmitted) {
      for (const lab::BlockWrite& one : writes) written_[one.block.value()] = one.content;
    } else if (event.kind == StreamEventKind::kCompleted && is_flush) {
      const std::size_t end = covered_[event.sequence];
      for (; flushed_ < end; ++flushed_) {
        durable_[completed_[flushed_].block.value()] = completed_[flushed_].content;
      }
    } else if (event.kind == StreamEventKind::kCompleted) {
      completed_.insert(completed_.end(), writes.begin(), writes.end());
      if (!event.is_fua) return;
      for (const lab::BlockWrite& one : writes) durable_[one.block.value()] = one.content;
    }
  }
  const std::vector<lab::ContentId>& durable() const { return durable_; }
  const std::vector<lab::ContentId>& written() const { return written_; }

 private:
  const lab::BlockStream& stream_;
  std::vector<lab::ContentId> durable_, written_;
  std::vector<lab::BlockWrite> completed_;
  std::size_t flushed_ = 0;  // of completed_
  std::map<std::uint64_t, std::size_t> covered_;
};

// The state after its recovery.  Contents come to the pool.
Result<lab::StateImage> recover(lab::BlockStream& stream,
                                const std::vector<lab::ContentId>& state) {
  const lab::StateImage image(stream.pool(), state);
  const lab::StateView view(image);
  const Volume volume = TRY(Volume::open(view));
  const JournalMap map = TRY(locate_journal(volume));
  const RecoveryPlan plan = TRY(plan_recovery(view, map));
  if (plan.end != RecoveryEnd::kClean && plan.end != RecoveryEnd::kNothingToDo) {
    return fail(Errc::kCorrupt, "the log is refused");
  }
  const RecoveredView recovered(view, map, plan);
  std::vector<lab::ContentId> contents;
  std::vector<std::uint8_t> block(kBlockBytes);
  for (std::uint64_t i = 0; i < image.block_count(); ++i) {
    TRY(recovered.read(i * kBlockBytes, block));
    contents.push_back(TRY(stream.pool().add(block)));
  }
  return lab::StateImage(stream.pool(), std::move(contents));
}

TEST_F(Marks, OfAShellComeInTheirPlaces) {
  const auto stream = record(
      "powercut mark begin; dd if=/dev/urandom of=f bs=4k count=4 2>/dev/null; sync; "
      "for i in 1 2 3; do powercut mark number $i || exit 9; done");
  if (!stream) return;
  EXPECT_EQ(marks_of(*stream),
            (std::vector<std::string>{"begin", "number 1", "number 2", "number 3"}));
  // What was synced between the first two lies between them.
  std::size_t flushes_between = 0;
  int marks_seen = 0;
  for (const lab::StreamEvent& event : stream->events()) {
    if (event.kind == lab::StreamEventKind::kMark) ++marks_seen;
    const bool is_flush =
        event.kind == lab::StreamEventKind::kCompleted && event.request == lab::RequestKind::kFlush;
    if (is_flush && marks_seen == 1) ++flushes_between;
  }
  EXPECT_EQ(marks_seen, 4);
  EXPECT_GT(flushes_between, 0u);
}

class GuestLoad : public Marks, public ::testing::WithParamInterface<const char*> {};

// All loads, one after another, and a power cut at some of the moments at which something became
// durable: right before it, with nothing of what was under way, and with all of it.
TEST_P(GuestLoad, KeepsItsPromisesWhereverThePowerIsCut) {
  if (std::string_view(GetParam()) != "journal") ONLY_IN_LONG_FORM();
  constexpr std::size_t kCutsMost = 150;
  auto stream = record(
      "for kind in write mmap append rename mixed; do powercut workload $kind --threads 2 "
      "--files 2 --kib 64 --operations 60 --seconds 60 . || exit 9; done",
      {"--mount-options", std::string("data=") + GetParam()});
  if (!stream) return;
  std::size_t mark_count = marks_of(*stream).size();
  EXPECT_GT(mark_count, 500u);
  lab::ContentJudge judge;
  Cuts cuts(*stream);
  std::size_t judged_count = 0, marks_learned = 0;
  std::unique_ptr<lab::StateImage> judged;  // learn() still looks at it
  for (const lab::StreamEvent& event : stream->events()) {
    if (event.kind == lab::StreamEventKind::kMark) {
      judge.learn(stream->mark(event));
      ++marks_learned;
    }
    cuts.take(event);
    const bool is_cut =
        event.kind == lab::StreamEventKind::kMark &&
        marks_learned * kCutsMost / mark_count != (marks_learned - 1) * kCutsMost / mark_count;
    if (!is_cut) continue;
    for (const auto* const contents : {&cuts.durable(), &cuts.written()}) {
      auto state = recover(*stream, *contents);
      ASSERT_TRUE(state) << error_words(state.error());
      auto now = std::make_unique<lab::StateImage>(std::move(*state));
      judge.begin(*now);
      judged = std::move(now);
      EXPECT_TRUE(judge.settle()) << "event " << event.sequence << " after " << marks_learned
                                  << " marks";
      for (const lab::CheckFinding& found : judge.findings(3)) {
        ADD_FAILURE() << found.rule << ": " << found.words;
      }
      ++judged_count;
    }
  }
  EXPECT_EQ(judge.book().bad_mark_count(), 0u);
  EXPECT_EQ(lab::data_mode_name(judge.book().data_mode()), GetParam());
  EXPECT_EQ(judged_count, 2 * kCutsMost);
  // The disk as it was at first keeps none of it.
  const lab::StateImage first(stream->pool(), {stream->base().begin(), stream->base().end()});
  judge.begin(first);
  EXPECT_FALSE(judge.settle());
}

INSTANTIATE_TEST_SUITE_P(Modes, GuestLoad, ::testing::Values("journal", "ordered", "writeback"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace powercut::vm_testing
