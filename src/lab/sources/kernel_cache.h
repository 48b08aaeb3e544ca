// Kernels unpacked in the cache (see kernel.h for the layout and its invariants).
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host/machine.h"
#include "lab/sources/kernel.h"

namespace powercut::lab {

// A folder for downloads inside the cache, so that what is made in it can be renamed into its
// place. It goes away at the destructor; after a kill -9, when the next one is made: its name is
// that of a TempDirectory, whose absence tells that the owner is gone.
class KernelScratch {
 public:
  KernelScratch(TempDirectory owner, std::filesystem::path path)
      : owner_(std::move(owner)), path_(std::move(path)) {}
  KernelScratch(KernelScratch&& other) noexcept
      : owner_(std::move(other.owner_)), path_(std::exchange(other.path_, {})) {}
  KernelScratch& operator=(KernelScratch&&) = delete;
  ~KernelScratch();
  const std::filesystem::path& path() const { return path_; }

 private:
  TempDirectory owner_;
  std::filesystem::path path_;
};

class KernelCache {
 public:
  explicit KernelCache(const std::filesystem::path& cache_dir) : root_(cache_dir / "kernels") {}

  // The kernel of that ID, if it is there and its image can be read.
  std::optional<KernelImage> find(const std::string& id) const;
  // Everything that is there.
  std::vector<KernelImage> all() const;
  // Unpacks the package file; `identity` gives package, version and sha256.
  // Errors: kCorrupt: no kernel, or no known module format, in the package; kUnsupported; kIo.
  Result<KernelImage> add(const std::string& id, const std::filesystem::path& deb,
                          const KernelImage& identity) const;
  // Left-overs of processes that are gone are removed first.
  Result<KernelScratch> make_scratch() const;

 private:
  std::filesystem::path root_;
};

// Errors: those of parse_bzimage(); kNotFound; kUnsupported: not a 64-bit kernel.
Result<BzImageFacts> read_bzimage(const std::filesystem::path& path);

}  // namespace powercut::lab
