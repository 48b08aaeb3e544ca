// What the threads of each kind of workload do (workload.h).  Each runs until its place has no more
// time, then reads its files back; what is wrong with them comes back in words, empty if nothing
// is.
#pragma once

#include <string>

#include "lab/sources/guest/load_file.h"

namespace powercut::lab {

Result<std::string> run_write_load(LoadPlace& place);
Result<std::string> run_mmap_load(LoadPlace& place);
Result<std::string> run_append_load(LoadPlace& place);
Result<std::string> run_rename_load(LoadPlace& place);
Result<std::string> run_mixed_load(LoadPlace& place);

// Files with these names, each written over once, synced, and promised: content and name.
Result<std::vector<LoadFile>> make_synced_files(LoadPlace& place, const std::string& stem,
                                                const FileTraits& traits);
// check() of each; the first that is wrong.
Result<std::string> check_all(std::vector<LoadFile>& files);

// [first, end) of at most `most` within `count`, which is not 0.
struct UnitRange {
  std::uint32_t first = 0, end = 0;
};
UnitRange random_range(Prng& prng, std::uint32_t count, std::uint32_t most);

}  // namespace powercut::lab
