#include "lab/sources/kernel_modules.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/stored_int.h"
#include "host/archive.h"

namespace powercut::lab {
namespace {

constexpr std::size_t kFilesMax = 50'000;
constexpr std::size_t kModulesMax = 256;  // in one order; also bounds the depth of dependencies

namespace elf {

struct FileHeader {
  std::array<std::uint8_t, 16> identity;  // e_ident
  Le16 type;                              // e_type
  Le16 machine;                           // e_machine
  Le32 version;                           // e_version
  Le64 entry;                             // e_entry
  Le64 segments_offset;                   // e_phoff
  Le64 sections_offset;                   // e_shoff
  Le32 flags;                             // e_flags
  Le16 header_bytes;                      // e_ehsize
  Le16 segment_bytes;                     // e_phentsize
  Le16 segment_count;                     // e_phnum
  Le16 section_bytes;                     // e_shentsize
  Le16 section_count;                     // e_shnum
  Le16 names_section;                     // e_shstrndx
};
static_assert(sizeof(FileHeader) == 64);
STORED_AT(FileHeader, machine, 0x12);
STORED_AT(FileHeader, sections_offset, 0x28);
STORED_AT(FileHeader, section_bytes, 0x3A);
STORED_AT(FileHeader, section_count, 0x3C);
STORED_AT(FileHeader, names_section, 0x3E);

struct SectionHeader {
  Le32 name;  // sh_name: an offset in the section of names
  Le32 type;
  Le64 flags;
  Le64 address;
  Le64 offset;  // sh_offset
  Le64 size;    // sh_size
  Le32 link;
  Le32 info;
  Le64 alignment;
  Le64 entry_bytes;
};
static_assert(sizeof(SectionHeader) == 64);
STORED_AT(SectionHeader, offset, 0x18);
STORED_AT(SectionHeader, size, 0x20);

constexpr std::array<std::uint8_t, 6> kIdentity = {0x7F, 'E', 'L', 'F', 2, 1};  // 64 bit, little
constexpr std::uint16_t kMachineX86_64 = 62;

}  // namespace elf

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<Bytes> section_content(Bytes file, const elf::SectionHeader& section) {
  if (section.offset > file.size() || file.size() - section.offset < section.size) {
    return fail(Errc::kCorrupt, "module: a section past the end of its file", section.offset);
  }
  return file.subspan(section.offset, section.size);
}

Result<elf::SectionHeader> section_header(Bytes file, const elf::FileHeader& header,
                                          std::size_t index) {
  if (header.sections_offset > file.size()) {
    return fail(Errc::kCorrupt, "module: section table past the end", header.sections_offset);
  }
  return load<elf::SectionHeader>(file,
                                  header.sections_offset + index * sizeof(elf::SectionHeader));
}

std::vector<std::string> split_names(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty() && names.size() < kModulesMax) {
    const std::string_view word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(word.size() + 1, list.size()));
    if (!word.empty()) names.push_back(module_name(std::string(word) + ".ko"));
  }
  return names;
}

std::vector<std::string> dependencies_of(std::string_view modinfo) {
  constexpr std::string_view kKey = "depends=";
  while (!modinfo.empty()) {
    const std::string_view entry = modinfo.substr(0, modinfo.find('\0'));
    if (entry.starts_with(kKey)) return split_names(entry.substr(kKey.size()));
    modinfo.remove_prefix(std::min(entry.size() + 1, modinfo.size()));
  }
  return {};
}

// Puts modules after what they depend on: a walk in depth, each module once.
class Ordering {
 public:
  Ordering(const ModuleIndex& index, std::vector<std::string>* names_absent)
      : index_(index), names_absent_(names_absent) {}

  Result<void> add(const std::string& name) {
    if (done_.contains(name)) return {};
    const auto found = index_.find(name);
    if (found == index_.end()) {
      if (names_absent_ != nullptr) names_absent_->push_back(name);
      done_.insert(name);
      return {};
    }
    if (!on_the_way_.insert(name).second) {
      return fail_with(Errc::kCorrupt, "module: depends on itself, in a circle", name);
    }
    if (on_the_way_.size() + order_.size() > kModulesMax) {
      return fail_with(Errc::kLimit, "module: too many dependencies", name, kModulesMax);
    }
    std::string content = TRY(read_compressed_file(found->second, kModuleBytesMax));
    const Bytes bytes{reinterpret_cast<const std::uint8_t*>(content.data()), content.size()};
    const std::vector<std::string> dependencies = TRY(module_dependencies(bytes));
    for (const std::string& dependency : dependencies) TRY(add(dependency));
    on_the_way_.erase(name);
    done_.insert(name);
    order_.push_back({name, std::move(content)});
    return {};
  }

  std::vector<LoadableModule> take() { return std::move(order_); }

 private:
  const ModuleIndex& index_;
  std::vector<std::string>* names_absent_;
  std::set<std::string> on_the_way_;
  std::set<std::string> done_;
  std::vector<LoadableModule> order_;
};

}  // namespace

std::string module_name(std::string_view path) {
  std::string_view file = path.substr(path.rfind('/') + 1);
  for (const std::string_view suffix : {".xz", ".gz", ".zst"}) {
    if (file.ends_with(suffix)) file.remove_suffix(suffix.size());
  }
  if (!file.ends_with(".ko")) return {};
  file.remove_suffix(3);
  std::string name(file);
  std::ranges::replace(name, '-', '_');
  return name;
}

Result<std::vector<std::string>> module_dependencies(Bytes file) {
  const auto header = TRY(load<elf::FileHeader>(file, 0));
  if (!std::equal(elf::kIdentity.begin(), elf::kIdentity.end(), header.identity.begin())) {
    return fail(Errc::kCorrupt, "module: not a little-endian ELF-64 file");
  }
  if (header.machine.value() != elf::kMachineX86_64) {
    return fail(Errc::kUnsupported, "module: not for x86-64", header.machine);
  }
  if (header.section_bytes.value() != sizeof(elf::SectionHeader)) {
    return fail(Errc::kCorrupt, "module: size of a section header", header.section_bytes);
  }
  const auto names_header = TRY(section_header(file, header, header.names_section));
  const std::string_view names = text_of(TRY(section_content(file, names_header)));
  for (std::size_t i = 0; i < header.section_count; ++i) {
    const auto section = TRY(section_header(file, header, i));
    if (section.name >= names.size()) continue;
    const std::string_view rest = names.substr(section.name);
    if (rest.substr(0, rest.find('\0')) != ".modinfo") continue;
    return dependencies_of(text_of(TRY(section_content(file, section))));
  }
  return std::vector<std::string>{};
}

Result<ModuleIndex> index_modules(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  ModuleIndex index;
  fs::recursive_directory_iterator walk(folder, fs::directory_options::skip_permission_denied,
                                        error);
  if (error) return fail_with(Errc::kNotFound, "no such folder of modules", folder.string());
  std::size_t seen = 0;
  for (const fs::recursive_directory_iterator end; walk != end; walk.increment(error)) {
    if (error) return fail_with(Errc::kIo, "cannot walk a folder of modules", folder.string());
    if (++seen > kFilesMax) {
      return fail_with(Errc::kLimit, "too many files in a folder of modules", folder.string());
    }
    const std::string name = module_name(walk->path().string());
    if (!name.empty()) index.emplace(name, walk->path());
  }
  return index;
}

const std::vector<std::string>& wanted_modules() {
  // crc32c first: ext4 asks for it by its algorithm's name, which no `depends=` line tells.
  static const std::vector<std::string> kWanted = {
      "crc32c_generic", "crc32c_cryptoapi", "libcrc32c",  "jbd2",
      "ext4",           "virtio_pci",       "virtio_blk", "virtio_console"};
  return kWanted;
}

Result<std::vector<LoadableModule>> modules_in_order(const ModuleIndex& index,
                                                     const std::vector<std::string>& wanted,
                                                     std::vector<std::string>* names_absent) {
  Ordering ordering(index, names_absent);
  for (const std::string& name : wanted) TRY(ordering.add(name));
  return ordering.take();
}

}  // namespace powercut::lab
