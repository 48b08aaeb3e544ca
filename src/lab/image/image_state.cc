#include "lab/image/image_state.h"

namespace powercut::lab {

bool is_damage(const Error& error) {
  return error.code == Errc::kCorrupt || error.code == Errc::kChecksum;
}

Result<SeenVolume> see_volume(const ImageFile& file, bool is_raw) {
  SeenVolume seen;
  seen.volume = &file.volume_as_it_lies();
  if (is_raw) {
    seen.as = file.is_dirty() ? SeenAs::kAsItLies : SeenAs::kClean;
    return seen;
  }
  const auto& journal = file.journal();
  if (!journal && is_damage(journal.error())) seen.journal_error = journal.error();
  if (!file.is_dirty()) return seen;
  const auto volume = file.volume();
  if (!volume && !is_damage(volume.error())) return Failure{volume.error()};
  if (!volume) {
    seen.as = SeenAs::kUnrecoverable;
    seen.journal_error = volume.error();
    return seen;
  }
  seen.volume = *volume;
  const bool is_refused = journal && journal->plan.end == RecoveryEnd::kRefused;
  seen.as = is_refused ? SeenAs::kRefused : SeenAs::kReplayed;
  seen.drops_damage = journal && !journal->plan.damages.empty();
  return seen;
}

}  // namespace powercut::lab
