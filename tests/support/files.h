// Whole files, for tests.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace powercut::testing {

// Empty if it cannot be read.  In one piece: byte by byte takes seconds where nothing is optimised.
template <class Content>
Content read_whole(const std::filesystem::path& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return {};
  Content content;
  content.resize(size);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(size));
  content.resize(static_cast<std::size_t>(file.gcount()));
  return content;
}
inline std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  return read_whole<std::vector<std::uint8_t>>(path);
}
inline std::string read_text(const std::filesystem::path& path) {
  return read_whole<std::string>(path);
}

inline void write_file(const std::filesystem::path& path, Bytes bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

}  // namespace powercut::testing
