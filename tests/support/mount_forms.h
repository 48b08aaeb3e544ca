// How tests make a file system and mount it with the writer.
#pragma once

#include <string>

#include "fs/mount.h"

namespace powercut::testing {

// For mke2fs: a journal of 1024 blocks, the shortest that it makes.
inline std::string short_journal_form(std::uint32_t block_bytes, std::uint32_t inodes) {
  return "-b " + std::to_string(block_bytes) + " -J size=" + std::to_string(block_bytes / 1024) +
         " -N " + std::to_string(inodes);
}

inline constexpr const char* kOrphanFileFeatures = " -O orphan_file,metadata_csum_seed";

// Nothing is committed or written home but by who asks for it.
inline fs::MountOptions options_without_service() {
  fs::MountOptions options;
  options.journal.commit_interval = Nanoseconds(0);
  options.journal.has_service = false;
  return options;
}

// In simulations: commits come often, and little is kept in memory.
inline fs::MountOptions options_of_simulation(std::size_t nodes_max, bool has_service) {
  fs::MountOptions options;
  options.buffer_bytes_max = std::uint64_t{1} << 20;
  options.nodes_max = nodes_max;
  options.journal.commit_interval = std::chrono::milliseconds(30);
  options.journal.verify_before_write = true;
  options.journal.has_service = has_service;
  return options;
}

}  // namespace powercut::testing
