// Kinds of damage, each to a part of the metadata.
#pragma once

#include <string>
#include <vector>

#include "tests/filesystem/damage_scene.h"

namespace powercut::fs {

// A number that is put into a place: little endian, `width` bytes.
struct Poke {
  std::uint32_t at = 0, width = 0;
  std::uint64_t value = 0;
};

struct DamageRow {
  std::string words;
  Part part{};
  // Numbers to be put there, or what `special` does.
  std::vector<Poke> pokes;
  std::function<Damager(const DamageScene&)> special;
  // Without a checksum it would be another file system, or another file, that is whole.
  bool makes_sense_with_checksums_only = false;

  Damager damager(const DamageScene& scene) const;
};

const std::vector<DamageRow>& damage_table();
// Some bytes, some bits, zeroes, or another order.
Damager random_damager();

}  // namespace powercut::fs
