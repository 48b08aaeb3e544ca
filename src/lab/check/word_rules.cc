#include "lab/check/word_rules.h"

#include <algorithm>
#include <array>

namespace powercut::lab {
namespace {

// What a file may hold where nothing was promised.
struct Freedom {
  bool zero_in_solid, foreign, garbage, torn_if_overwritten;
  bool unlinked;  // anything, once it may be held by no name
};

// By DataMode.  Of an unknown one only what all promise is held against it.
constexpr std::array<Freedom, 4> kFreedoms = {{
    {.zero_in_solid = true,
     .foreign = true,
     .garbage = true,
     .torn_if_overwritten = true,
     .unlinked = true},
    {.zero_in_solid = false,
     .foreign = false,
     .garbage = false,
     .torn_if_overwritten = false,
     .unlinked = false},
    {.zero_in_solid = true,
     .foreign = false,
     .garbage = false,
     .torn_if_overwritten = true,
     .unlinked = false},
    {.zero_in_solid = true,
     .foreign = true,
     .garbage = true,
     .torn_if_overwritten = true,
     .unlinked = true},
}};

const Freedom& freedom_of(DataMode mode) {
  return kFreedoms[static_cast<std::size_t>(mode)];
}

class WordJudge {
 public:
  explicit WordJudge(const WordPlace& place)
      : file_(*place.file),
        code_(place.file->run),
        freedom_(freedom_of(place.mode)),
        is_owed_(!freedom_.unlinked || place.file->held_least > 0) {}

  WordProblem judge(std::uint64_t stored, std::uint32_t index) const {
    const UnitFloor floor = file_.floor(index / kUnitWords);
    const bool is_promised = is_owed_ && index % kUnitWords < floor.words && floor.version != 0;
    if (is_promised && floor.version == WordsClause::kMustBeZero) {
      return unless(stored == 0 || freedom_.garbage, WordProblem::kNotZero);
    }
    if (stored == 0) {
      const bool is_lost = is_promised || (file_.traits.is_solid && !freedom_.zero_in_solid);
      return is_lost ? WordProblem::kLost : WordProblem::kNone;
    }
    const SelfWord word = WordCode::decode(stored);
    const bool is_its_place = word.file == file_.number && word.index == index;
    if (code_.is_own(stored)) {
      if (!is_its_place) return unless(!is_promised && freedom_.foreign, WordProblem::kForeign);
      return unless(!is_promised || word.version >= floor.version, WordProblem::kStale);
    }
    if (is_its_place) {
      const bool may = freedom_.torn_if_overwritten && file_.traits.is_overwritten;
      return unless(may, WordProblem::kTorn);
    }
    return unless(!is_promised && freedom_.garbage, WordProblem::kGarbage);
  }

 private:
  static WordProblem unless(bool is_right, WordProblem problem) {
    return is_right ? WordProblem::kNone : problem;
  }
  const PromisedFile& file_;
  const WordCode code_;
  const Freedom& freedom_;
  const bool is_owed_;  // what was promised is
};

bool must_be_cut(const WordPlace& place) {
  return place.file->traits.is_stored_up && place.mode == DataMode::kJournal;
}

// The words of one pass lie in front of those of the pass before it.
WordVerdict judge_cut(Bytes bytes, const WordPlace& place, std::uint64_t count) {
  std::uint32_t highest = 0, before = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t stored = word_at(bytes, std::size_t{i} * kWordBytes);
    const std::uint32_t version = WordCode::decode(stored).version;
    if (i == 0) highest = before = version;
    if (version > before || version + 1 < highest) {
      return {WordProblem::kNoCut, place.first_unit * kUnitWords + i, stored};
    }
    before = version;
  }
  return {};
}

}  // namespace

std::string_view rule_of(WordProblem problem) {
  switch (problem) {
    case WordProblem::kNone: return "";
    case WordProblem::kLost: return "words-lost";
    case WordProblem::kStale: return "words-stale";
    case WordProblem::kForeign: return "words-foreign";
    case WordProblem::kGarbage: return "words-garbage";
    case WordProblem::kTorn: return "words-torn";
    case WordProblem::kNotZero: return "words-not-zero";
    case WordProblem::kNoCut: return "words-out-of-order";
  }
  return "";
}

WordVerdict judge_words(Bytes bytes, std::uint32_t block_bytes, const WordPlace& place) {
  const std::uint64_t count = std::min<std::uint64_t>(place.word_count, block_bytes / kWordBytes);
  const WordJudge judge(place);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint64_t stored = bytes.empty() ? 0 : word_at(bytes, std::size_t{i} * kWordBytes);
    const std::uint32_t index = place.first_unit * kUnitWords + i;
    const WordProblem problem = judge.judge(stored, index);
    if (problem != WordProblem::kNone) return {problem, index, stored};
  }
  if (must_be_cut(place) && !bytes.empty()) return judge_cut(bytes, place, count);
  return {};
}

bool is_plainly_right(const WordFacts& facts, const BlockFact& block, const WordPlace& place,
                      std::uint32_t units_per_block) {
  if (place.word_count < std::uint64_t{units_per_block} * kUnitWords) return false;
  if (must_be_cut(place) && !block.is_cut) return false;
  const PromisedFile& file = *place.file;
  for (std::uint32_t i = 0; i < units_per_block; ++i) {
    const UnitFact& fact = facts.unit(block, i);
    const UnitFloor floor = file.floor(place.first_unit + i);
    const bool is_own = fact.kind == UnitFact::Kind::kWords && fact.run == file.run &&
                        fact.file == file.number && fact.unit == place.first_unit + i;
    // kMustBeZero is above every version.
    if (!is_own || fact.version_min < floor.version) return false;
  }
  return true;
}

}  // namespace powercut::lab
