// The modules that a kernel needs before it can mount ext4 from a virtio disk, in loading order.
//
// Words
//   name    as the kernel has it: '-' is written '_', without .ko and without a compression's
//   suffix index   the modules that a folder holds: name -> file
//
// A module that the index lacks is taken as built into the kernel.
// Source of the format: the ELF-64 specification; .modinfo is a section of NUL-ended `key=value`
// texts, `depends=` names other modules, separated by commas (what modinfo(8) prints).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace powercut::lab {

using ModuleIndex = std::map<std::string, std::filesystem::path>;

inline constexpr std::uint64_t kModuleBytesMax = std::uint64_t{64} << 20;  // of one, unpacked

// The name of the module in this file; empty if the path is not a module's
// (.ko, .ko.xz, .ko.gz, .ko.zst).
std::string module_name(std::string_view path);

// The names on the `depends=` line of a module, normalised.  Errors: kCorrupt: not ELF-64, a
// section past the end; kUnsupported: not for x86-64.  No .modinfo, or no `depends=`: no names.
Result<std::vector<std::string>> module_dependencies(Bytes elf);

// Modules under a folder.  Errors: kNotFound: no such folder; kLimit: more than 50,000 files.
Result<ModuleIndex> index_modules(const std::filesystem::path& folder);

// What to load first for a disk, its file system, and the way to put marks.
const std::vector<std::string>& wanted_modules();

struct LoadableModule {
  std::string name;
  std::string content;  // ELF, not compressed
};

// The wanted modules and what they depend on, each once, after all that it depends on.
// `names_absent`, if given, gets the names that were met and are not in the index.
// Errors: kCorrupt: a cycle, or module_dependencies(); kLimit; kIo.
Result<std::vector<LoadableModule>> modules_in_order(const ModuleIndex& index,
                                                     const std::vector<std::string>& wanted,
                                                     std::vector<std::string>* names_absent);

}  // namespace powercut::lab
