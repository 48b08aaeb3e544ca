// Whole files, for tests.
#pragma once

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/bytes.h"

namespace powercut::testing {

// Empty if it cannot be read.  In one piece: byte by byte takes seconds where nothing is optimised.
inline std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return {};
  std::vector<std::uint8_t> bytes(size);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  return bytes;
}

inline void write_file(const std::filesystem::path& path, Bytes bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

}  // namespace powercut::testing
