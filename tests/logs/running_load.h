// A load on a mounted file system, so that the running kernel writes a log worth recovering.
#pragma once

#include <filesystem>

#include "base/prng.h"

namespace powercut::testing {

class RunningLoad {
 public:
  RunningLoad(const std::filesystem::path& root, std::uint64_t seed) : root_(root), prng_(seed) {}
  // So many steps: files written, overwritten through a mapping, cut, renamed and removed,
  // directories filled and removed; every few steps one file is synced, so that a transaction ends.
  void run(int steps);
  // Syncs one file: all before it is in the log.
  void commit();

 private:
  std::filesystem::path file();
  void step();
  void write_file();
  void store_by_mapping();
  void fill_directory();

  std::filesystem::path root_;
  Prng prng_;
};

}  // namespace powercut::testing
