// The contestants of engine_bench: a file system of mke2fs, and what it takes to write to it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/bytes.h"

namespace powercut::bench {

// What fails ends the benchmark.
class PeerFile {
 public:
  virtual ~PeerFile() = default;
  virtual void write(std::uint64_t offset, Bytes bytes) = 0;
  virtual void sync() = 0;
};

class Peer {
 public:
  virtual ~Peer() = default;
  virtual std::unique_ptr<PeerFile> create(const std::string& path) = 0;
  virtual void make_folder(const std::string& path) = 0;
  virtual void sync() = 0;  // everything durable
  virtual std::uint64_t flushes() const = 0;
};

using PeerMaker = std::function<std::unique_ptr<Peer>()>;

// How a contestant commits: with a flush before the commit block, or all at once (async_commit, on
// a file system without metadata_csum).
enum class Waits : std::uint8_t { kTwice, kOnce };

// Each on a new file system of 3 GiB in a new file in `folder`, which is removed at the end; null
// where it is not to be had.
std::unique_ptr<Peer> powercut_peer(const std::filesystem::path& folder, Waits waits);
std::unique_ptr<Peer> linux_peer(const std::filesystem::path& folder, const std::string& options,
                                 Waits waits);
std::unique_ptr<Peer> fuse2fs_peer(const std::filesystem::path& folder);

}  // namespace powercut::bench
