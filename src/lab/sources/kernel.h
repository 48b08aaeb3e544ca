// Any Linux kernel, by name: found, fetched, unpacked into the cache, never installed.
//
// Words
//   spec     what the user writes:
//              debian:6.1         the newest cloud kernel of a series in this machine's apt index
//              debian:6.1.0-50    that one
//              debian:bookworm    what the suite's linux-image-cloud-amd64 depends on
//              deb:FILE           a kernel package that lies here
//              PATH               a bzImage; its modules, if it needs any, in a folder beside it
//   cache    CACHE/kernels/ID/{kernel.txt, vmlinuz, modules/...}: a kernel and the few modules that
//            mount ext4 from a virtio disk need
//
// Invariants
//   1. A folder kernels/ID is whole: it is filled under another name and renamed.
//   2. What is in the cache is used without asking the network.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace powercut::lab {

struct KernelSpec {
  enum class Kind : std::uint8_t { kSeries, kSuite, kPackageFile, kImageFile };
  Kind kind = Kind::kSeries;
  std::string name;   // the spec as it was written
  std::string value;  // series, suite or path
  // Errors: kInvalid, with what is understood.
  static Result<KernelSpec> parse(std::string_view text);
};

struct KernelImage {
  std::string name;     // the spec
  std::string release;  // 6.1.0-56-cloud-amd64, as the kernel calls itself
  std::string package;  // empty for a bzImage
  std::string version;  // of the package
  std::string sha256;   // of the package's file, or of the bzImage
  std::filesystem::path vmlinuz;
  std::filesystem::path modules_dir;  // may be empty: everything is built in
};

// What a bzImage says of itself.
struct BzImageFacts {
  std::string release;
  bool is_64_bit = false;
};

// Reads the head of a bzImage (its first 68 KiB, or all if it is shorter).
// Errors: kCorrupt: no boot sector, no header, a version string past the end; kUnsupported: a boot
// protocol below 2.12 (Linux 3.8), which does not tell 64 bit.
// Source: Linux Documentation/arch/x86/boot.rst.
Result<BzImageFacts> parse_bzimage(Bytes head);

using Progress = std::function<void(std::string_view)>;

// Finds or fetches the kernel.  `modules_dir`: for a bzImage, where its modules are (may be empty).
// `progress` is told of each step that takes longer than a moment; it may be empty.
// Errors:
//   kNotFound     no such package, file or network; the detail says what to do
//   kUnsupported  this machine or the kernel is not x86-64
//   kChecksum     the package that came is not the one of the index
//   kCorrupt      the package holds no kernel
//   kNoSpace, kIo, kTimeout
Result<KernelImage> obtain_kernel(const KernelSpec& spec, const std::filesystem::path& modules_dir,
                                  const std::filesystem::path& cache_dir, const Progress& progress);

}  // namespace powercut::lab
