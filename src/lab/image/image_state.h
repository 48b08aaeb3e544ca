// In which state an image is looked at, and whether that is one that Linux would mount.
#pragma once

#include <optional>

#include "lab/image/image_file.h"

namespace powercut::lab {

enum class SeenAs : std::uint8_t {
  kClean,          // there is nothing to replay: as it lies
  kReplayed,       // as recovery leaves it
  kRefused,        // as a recovery leaves it that refuses: what it replays before that is replayed
  kAsItLies,       // the log was left out because the user asked for it
  kUnrecoverable,  // as it lies, since the log cannot be replayed at all
};

struct SeenVolume {
  const Volume* volume = nullptr;
  SeenAs as = SeenAs::kClean;
  // Why the journal cannot be read: Linux refuses such a file system, dirty or not.
  std::optional<Error> journal_error;
  // A log that recovers cleanly and yet drops damaged transactions (async commits).
  bool drops_damage = false;

  bool is_damaged() const {
    return as == SeenAs::kRefused || journal_error.has_value() || drops_damage;
  }
};

// Whether an error of ImageFile::journal() or volume() says that it is damaged (and not absent, or
// not to be read).
bool is_damage(const Error& error);

// The volume of `file` to be looked at; `is_raw` leaves the journal out of sight.
// Errors: kNotFound: the log is on a device that was not named; kUnsupported: fast commits, or a
// journal with features that are not known; kIo.  Damage is no error.
Result<SeenVolume> see_volume(const ImageFile& file, bool is_raw);

}  // namespace powercut::lab
