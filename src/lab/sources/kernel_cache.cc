#include "lab/sources/kernel_cache.h"

#include <algorithm>
#include <set>

#include "host/archive.h"
#include "host/file.h"
#include "lab/sources/kernel_modules.h"

namespace powercut::lab {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kUnpackBytesMax = std::uint64_t{512} << 20;
constexpr std::size_t kHeadBytesMax = std::size_t{68} << 10;
constexpr int kUnpackRoundsMax = 4;  // the modules that modules need: two are enough in practice
constexpr std::size_t kEntriesMax = 1000;
constexpr std::string_view kFactsFile = "kernel.txt";
constexpr std::string_view kScratchPrefix = ".unpacking-";

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// Which modules are unpacked: one more with each change of wanted_modules().  A kernel that was
// unpacked with another set is unpacked again.
constexpr std::string_view kModuleSet = "2";

void remove_folder(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
}

// Modules that a kernel may want, so that one pass over the package is usually enough.
bool is_worth_unpacking(const std::string& module) {
  static const std::set<std::string, std::less<>> kMore = {
      "virtio",  "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev",
      "mbcache", "crc16"};
  const std::vector<std::string>& wanted = wanted_modules();
  return kMore.contains(module) || std::ranges::find(wanted, module) != wanted.end();
}

struct PackageContent {
  std::set<std::string> modules;  // names of all modules in the package
  std::string vmlinuz;            // its path in the package
};

bool is_vmlinuz(std::string_view path) {
  return path.starts_with("boot/vmlinuz-");
}

Result<PackageContent> unpack_round(const fs::path& deb, const fs::path& into,
                                    const std::function<bool(const std::string&)>& is_wanted) {
  PackageContent content;
  TRY(unpack_deb(
      deb, into,
      [&](std::string_view path) {
        if (is_vmlinuz(path)) content.vmlinuz = path;
        const std::string module = module_name(path);
        if (!module.empty()) content.modules.insert(module);
        return is_vmlinuz(path) || (!module.empty() && is_wanted(module));
      },
      kUnpackBytesMax));
  return content;
}

// Unpacks the kernel and its modules below `into`; in further rounds, modules that were only met
// as dependencies.
Result<PackageContent> unpack_needed(const fs::path& deb, const fs::path& into) {
  PackageContent content = TRY(unpack_round(deb, into, is_worth_unpacking));
  if (content.vmlinuz.empty()) {
    return fail_with(Errc::kCorrupt, "package without boot/vmlinuz-*", deb.string());
  }
  for (int round = 1; round < kUnpackRoundsMax; ++round) {
    const ModuleIndex index = TRY(index_modules(into));
    std::vector<std::string> absent;
    TRY(modules_in_order(index, wanted_modules(), &absent));
    std::set<std::string> more;
    for (const std::string& name : absent) {
      if (content.modules.contains(name)) more.insert(name);
    }
    if (more.empty()) return content;
    TRY(unpack_round(deb, into, [&more](const std::string& name) { return more.contains(name); }));
  }
  return fail_with(Errc::kLimit, "modules of a package depend on each other too deeply",
                   deb.string());
}

std::string facts_text(const KernelImage& image) {
  return "package=" + image.package + "\nversion=" + image.version + "\nsha256=" + image.sha256 +
         "\nrelease=" + image.release + "\nmodule-set=" + std::string(kModuleSet) + "\n";
}

std::string fact(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with(key) && line.substr(key.size()).starts_with('=')) {
      return std::string(line.substr(key.size() + 1));
    }
  }
  return {};
}

Result<void> rename_whole(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  // Another process may have been faster with the same kernel: its folder is whole, too.
  if (error && !is_there(to / kFactsFile)) {
    return os_failure("cannot put a kernel in its place in the cache", to.string(), error.value());
  }
  return {};
}

}  // namespace

Result<BzImageFacts> read_bzimage(const fs::path& path) {
  const File file = TRY(File::open(path, File::Access::kRead));
  std::vector<std::uint8_t> head(std::min<std::uint64_t>(file.size_bytes(), kHeadBytesMax));
  TRY(file.read_at(0, head));
  BzImageFacts facts = TRY(parse_bzimage(head));
  if (!facts.is_64_bit) {
    return fail_with(Errc::kUnsupported, "not an x86-64 kernel", path.string());
  }
  return facts;
}

std::optional<KernelImage> KernelCache::find(const std::string& id) const {
  const fs::path folder = root_ / id;
  const auto text = read_text_file(folder / kFactsFile, 64 << 10);
  if (!text || !read_bzimage(folder / "vmlinuz")) return std::nullopt;
  if (fact(*text, "module-set") != kModuleSet) return std::nullopt;
  return KernelImage{.name = {},
                     .release = fact(*text, "release"),
                     .package = fact(*text, "package"),
                     .version = fact(*text, "version"),
                     .sha256 = fact(*text, "sha256"),
                     .vmlinuz = folder / "vmlinuz",
                     .modules_dir = folder / "modules"};
}

std::vector<KernelImage> KernelCache::all() const {
  std::vector<KernelImage> images;
  std::error_code error;
  fs::directory_iterator entries(root_, error);
  for (std::size_t i = 0; !error && i < kEntriesMax && entries != fs::directory_iterator(); ++i) {
    const std::string id = entries->path().filename().string();
    if (!id.starts_with('.')) {
      if (auto image = find(id)) images.push_back(std::move(*image));
    }
    entries.increment(error);
  }
  return images;
}

Result<KernelScratch> KernelCache::make_scratch() const {
  TRY(make_directories(root_));
  TempDirectory owner = TRY(TempDirectory::make("kernel"));
  std::error_code error;
  fs::directory_iterator entries(root_, error);
  std::vector<fs::path> old;
  for (std::size_t i = 0; !error && i < kEntriesMax && entries != fs::directory_iterator(); ++i) {
    const std::string name = entries->path().filename().string();
    const bool is_old = name.starts_with(kScratchPrefix) &&
                        !is_there(owner.path().parent_path() / name.substr(kScratchPrefix.size()));
    if (is_old) old.push_back(entries->path());
    entries.increment(error);
  }
  for (const fs::path& folder : old) remove_folder(folder);
  const std::string name = std::string(kScratchPrefix) + owner.path().filename().string();
  TRY(make_directories(root_ / name));
  return KernelScratch(std::move(owner), root_ / name);
}

KernelScratch::~KernelScratch() {
  if (!path_.empty()) remove_folder(path_);
}

Result<KernelImage> KernelCache::add(const std::string& id, const fs::path& deb,
                                     const KernelImage& identity) const {
  const fs::path folder = deb.parent_path() / "whole";
  const fs::path unpacked = folder / "unpacked";
  remove_folder(folder);
  TRY(make_directories(unpacked));
  const PackageContent content = TRY(unpack_needed(deb, unpacked));
  const ModuleIndex index = TRY(index_modules(unpacked));
  TRY(make_directories(folder / "modules"));
  std::error_code error;
  fs::rename(unpacked / content.vmlinuz, folder / "vmlinuz", error);
  for (const auto& [name, path] : index) {
    if (!error) fs::rename(path, folder / "modules" / path.filename(), error);
  }
  if (error) return os_failure("cannot sort an unpacked kernel", folder.string(), error.value());
  remove_folder(unpacked);

  KernelImage image = identity;
  const BzImageFacts facts = TRY(read_bzimage(folder / "vmlinuz"));
  image.release = facts.release;
  TRY(write_file_atomically(folder / kFactsFile, facts_text(image)));
  if (is_there(root_ / id)) remove_folder(root_ / id);  // find() refused it
  TRY(rename_whole(folder, root_ / id));
  image.vmlinuz = root_ / id / "vmlinuz";
  image.modules_dir = root_ / id / "modules";
  return image;
}

}  // namespace powercut::lab
