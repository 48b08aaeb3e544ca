// The crash window, the walk and the names over any stream, against the model said in other words:
// a write may be what is left unless a covered write was submitted after its completion, and a
// block's durable content is always one that is covered.
#include <algorithm>
#include <map>

#include "lab/explore/state_name.h"
#include "lab/explore/state_walk.h"

namespace powercut::lab {
namespace {

constexpr std::uint64_t kBlocks = 4;
constexpr std::uint32_t kBytes = 512;

// A write as the model sees it; times are numbers of events from 1.
struct SlowWrite {
  std::uint64_t block = 0;
  std::uint8_t content = 0;
  std::size_t submitted = 0, completed = ~std::size_t{0};
  bool is_fua = false;
};

class Maker {
 public:
  explicit Maker(Bytes input) : input_(input) { recording_.disk_bytes = kBlocks * kBytes; }

  // Two bytes an event: what, and of which block and content.
  void run() {
    for (std::size_t i = 0; i + 1 < input_.size() && recording_.events.size() < 60; i += 2) {
      const std::uint8_t what = input_[i] % 8;
      if (what < 4) submit(what, input_[i + 1]);
      if (what >= 4) complete(input_[i + 1]);
    }
  }
  const Recording& recording() const { return recording_; }

  // What may be left of each block at the end.
  std::map<std::uint64_t, std::vector<std::uint8_t>> left() const {
    std::map<std::uint64_t, std::vector<std::uint8_t>> all;
    for (std::uint64_t block = 0; block < kBlocks; ++block) {
      std::vector<SlowWrite> writes{{block, 0, 0, 0, true}};
      for (const SlowWrite& each : writes_) {
        if (each.block == block) writes.push_back(each);
      }
      for (const SlowWrite& each : writes) {
        const bool is_gone = std::ranges::any_of(writes, [&](const SlowWrite& later) {
          return is_covered(later) && each.completed < later.submitted;
        });
        if (!is_gone) all[block].push_back(each.content);
      }
      std::ranges::sort(all[block]);
      const auto rest = std::ranges::unique(all[block]);
      all[block].erase(rest.begin(), rest.end());
    }
    return all;
  }

 private:
  bool is_covered(const SlowWrite& write) const {
    if (write.submitted == 0 || (write.is_fua && write.completed != ~std::size_t{0})) return true;
    return write.completed < covered_before_;
  }
  void submit(std::uint8_t what, std::uint8_t of) {
    RecordedEvent event;
    event.kind = EventKind::kSubmitted;
    event.sequence = ++sequence_;
    event.request = what == 0 ? RequestKind::kFlush : RequestKind::kWrite;
    open_.push_back({sequence_, recording_.events.size() + 1, what == 0, writes_.size()});
    if (what != 0) {
      const auto content = static_cast<std::uint8_t>(of / kBlocks % 5);
      event.offset = of % kBlocks * kBytes;
      event.length = kBytes;
      event.durability = what == 1 ? Durability::kFua : Durability::kCached;
      recording_.frames.emplace_back(kBytes, content);
      event.data = recording_.frames.back();
      writes_.push_back(
          {of % kBlocks, content, recording_.events.size() + 1, ~std::size_t{0}, what == 1});
    }
    recording_.events.push_back(event);
  }
  void complete(std::uint8_t which) {
    if (open_.empty()) return;
    const auto at = open_.begin() + static_cast<std::ptrdiff_t>(which % open_.size());
    const OpenRequest request = *at;
    open_.erase(at);
    RecordedEvent event;
    event.kind = EventKind::kCompleted;
    event.sequence = request.sequence;
    recording_.events.push_back(event);
    if (request.is_flush) covered_before_ = std::max(covered_before_, request.submitted);
    if (!request.is_flush) writes_[request.write].completed = recording_.events.size();
  }

  struct OpenRequest {
    std::uint64_t sequence = 0;
    std::size_t submitted = 0;
    bool is_flush = false;
    std::size_t write = 0;
  };
  Bytes input_;
  Recording recording_;
  std::vector<OpenRequest> open_;
  std::vector<SlowWrite> writes_;
  std::uint64_t sequence_ = 0;
  std::size_t covered_before_ = 0;
};

void check_walk(const CrashWindow& window, std::uint64_t seed) {
  std::vector<std::uint32_t> radices;
  for (const PendingBlock& pending : window.pending()) radices.push_back(pending.count);
  StateWalk walk(radices, {window.steps().begin(), window.steps().end()},
                 {.all_max = 20, .some_max = 40}, Prng(seed));
  std::vector<Choice> changes;
  do {
    const auto digits = parse_state_name(window, state_name(window, walk.digits()));
    CHECK(digits && std::ranges::equal(*digits, walk.digits()), "a state's name names another");
  } while (walk.next(changes));
}

void check_end(const CrashWindow& window, const BlockStream& stream, const Maker& maker) {
  for (const auto& [block, contents] : maker.left()) {
    std::vector<std::uint8_t> found{stream.pool().bytes(window.durable(BlockNo(block)))[0]};
    for (const PendingBlock& pending : window.pending()) {
      if (pending.block.value() != block) continue;
      found.clear();
      for (const Candidate& each : window.candidates(pending)) {
        found.push_back(stream.pool().bytes(each.content)[0]);
      }
    }
    std::ranges::sort(found);
    CHECK(found == contents, "a window differs from the model");
  }
}

}  // namespace
}  // namespace powercut::lab

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace powercut::lab;
  Maker maker({data, size});
  maker.run();
  BlockStream stream = BlockStream::make(maker.recording(), kBytes, std::uint64_t{1} << 22).value();
  CrashWindow window(stream, {});
  while (window.advance().value()) check_walk(window, size);
  check_end(window, stream, maker);
  return 0;
}
