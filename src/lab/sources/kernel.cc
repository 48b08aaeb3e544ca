#include "lab/sources/kernel.h"

#include <algorithm>
#include <array>

#include "base/stored_int.h"
#include "host/apt.h"
#include "host/machine.h"
#include "lab/sources/kernel_cache.h"
#include "lab/sources/kernel_version.h"

namespace powercut::lab {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMetaPackage = "linux-image-cloud-amd64";
constexpr std::string_view kUnderstood =
    "debian:6.1, debian:6.12, debian:bookworm, deb:FILE, or the path of a bzImage";

struct Suite {
  std::string_view name;
  std::string_view series;
};
constexpr std::array<Suite, 3> kSuites = {
    {{"bullseye", "5.10"}, {"bookworm", "6.1"}, {"trixie", "6.12"}}};

std::string_view series_of_suite(std::string_view name) {
  for (const Suite& suite : kSuites) {
    if (suite.name == name) return suite.series;
  }
  return {};
}

bool is_series(std::string_view text) {
  constexpr std::string_view kLetters = "0123456789.+~-abcdefghijklmnopqrstuvwxyz";
  return !text.empty() && text.size() < 64 && text.front() >= '1' && text.front() <= '9' &&
         text.find('.') != text.npos && text.find_first_not_of(kLetters) == text.npos;
}

void tell(const Progress& progress, const std::string& text) {
  if (progress) progress(text);
}

// "/" has no place in a file's name; everything else that packages use has.
std::string id_of(const std::string& package, const std::string& version) {
  std::string id = package + "_" + version;
  std::ranges::replace(id, '/', '_');
  return id;
}

// The package that a spec of a series or a suite means now, by the index of apt.
Result<PackageVersion> find_package(const KernelSpec& spec) {
  std::string series = spec.value;
  if (spec.kind == KernelSpec::Kind::kSuite) {
    series = series_of_suite(spec.value);
    const auto depends = apt_dependencies(std::string(kMetaPackage));
    if (depends) {
      // On a machine of another suite the same name means another kernel.
      const auto package = newest_kernel_package(*depends, series);
      if (package) return apt_candidate(*package);
    }
  }
  const auto names = TRY(apt_package_names("linux-image-" + series));
  const auto newest = newest_kernel_package(names, series);
  if (!newest) {
    return fail_with(Errc::kNotFound,
                     "unknown: no package linux-image-SERIES*cloud-amd64 in apt's index; add a "
                     "Debian mirror and run apt-get update, or give deb:FILE or a bzImage",
                     spec.name);
  }
  return apt_candidate(*newest);
}

std::optional<KernelImage> newest_cached(const KernelCache& cache, const KernelSpec& spec) {
  const std::string series(spec.kind == KernelSpec::Kind::kSuite ? series_of_suite(spec.value)
                                                                 : std::string_view(spec.value));
  std::optional<KernelImage> newest;
  for (KernelImage& image : cache.all()) {
    if (!is_of_series(kernel_release_of_package(image.package), series)) continue;
    if (!newest || compare_debian_versions(image.version, newest->version) > 0) {
      newest = std::move(image);
    }
  }
  return newest;
}

Result<KernelImage> fetch(const KernelCache& cache, const PackageVersion& package,
                          const std::string& id, const Progress& progress) {
  const KernelScratch scratch = TRY(cache.make_scratch());
  tell(progress, "fetching " + package.name + " " + package.version + " (" +
                     std::to_string(package.size_bytes >> 20) + " MiB)");
  const fs::path deb = TRY(apt_download(package, scratch.path()));
  tell(progress, "unpacking " + package.name);
  const KernelImage identity{.name = {},
                             .release = {},
                             .package = package.name,
                             .version = package.version,
                             .sha256 = package.sha256,
                             .vmlinuz = {},
                             .modules_dir = {}};
  return cache.add(id, deb, identity);
}

Result<KernelImage> from_index(const KernelSpec& spec, const KernelCache& cache,
                               const Progress& progress) {
  const auto package = find_package(spec);
  Result<KernelImage> image =
      package ? Result<KernelImage>(fail(Errc::kNotFound, "")) : Failure{package.error()};
  if (package) {
    const std::string id = id_of(package->name, package->version);
    if (const auto cached = cache.find(id)) return *cached;
    image = fetch(cache, *package, id, progress);
  }
  if (image) return image;
  // Without a network or an index, a kernel that was fetched before is better than none.
  const auto cached = newest_cached(cache, spec);
  if (!cached) return image;
  tell(progress, std::string(image.error().what) + "; using " + cached->package + " " +
                     cached->version + " of the cache");
  return *cached;
}

Result<KernelImage> from_package_file(const KernelSpec& spec, const KernelCache& cache,
                                      const Progress& progress) {
  const fs::path deb = spec.value;
  std::error_code error;
  if (!fs::is_regular_file(deb, error)) {
    return fail_with(Errc::kNotFound, "no such kernel package", spec.value);
  }
  const std::string sha256 = TRY(sha256_of_file(deb));
  const std::string id = "deb-" + sha256;
  if (const auto cached = cache.find(id)) return *cached;
  const KernelScratch scratch = TRY(cache.make_scratch());
  tell(progress, "unpacking " + spec.value);
  const fs::path linked = scratch.path() / "package.deb";
  fs::create_symlink(fs::absolute(deb, error), linked, error);
  if (error) return os_failure("cannot link a package", linked.string(), error.value());
  const KernelImage identity{.name = {},
                             .release = {},
                             .package = deb.filename().string(),
                             .version = {},
                             .sha256 = sha256,
                             .vmlinuz = {},
                             .modules_dir = {}};
  return cache.add(id, linked, identity);
}

Result<KernelImage> from_image_file(const KernelSpec& spec, const fs::path& modules_dir) {
  std::error_code error;
  if (!fs::is_regular_file(spec.value, error)) {
    return fail_with(Errc::kNotFound, "no such kernel image", spec.value);
  }
  if (!modules_dir.empty() && !fs::is_directory(modules_dir, error)) {
    return fail_with(Errc::kNotFound, "no such folder of modules", modules_dir.string());
  }
  const BzImageFacts facts = TRY(read_bzimage(spec.value));
  std::string sha256 = TRY(sha256_of_file(spec.value));
  return KernelImage{.name = spec.name,
                     .release = facts.release,
                     .package = {},
                     .version = {},
                     .sha256 = std::move(sha256),
                     .vmlinuz = fs::absolute(spec.value, error),
                     .modules_dir = modules_dir};
}

}  // namespace

Result<KernelSpec> KernelSpec::parse(std::string_view text) {
  using enum Kind;
  const auto make = [text](Kind its_kind, std::string_view rest) {
    return KernelSpec{.kind = its_kind, .name = std::string(text), .value = std::string(rest)};
  };
  constexpr std::string_view kDebian = "debian:";
  constexpr std::string_view kPackage = "deb:";
  if (text.starts_with(kDebian)) {
    const std::string_view rest = text.substr(kDebian.size());
    if (!series_of_suite(rest).empty()) return make(kSuite, rest);
    if (is_series(rest)) return make(kSeries, rest);
    return fail_with(Errc::kInvalid, "kernel: what is understood", kUnderstood);
  }
  if (text.starts_with(kPackage) && text.size() > kPackage.size()) {
    return make(kPackageFile, text.substr(kPackage.size()));
  }
  const bool is_path = !text.empty() && text.substr(0, text.find('/')).find(':') == text.npos;
  if (is_path) return make(kImageFile, text);
  return fail_with(Errc::kInvalid, "kernel: what is understood", kUnderstood);
}

Result<BzImageFacts> parse_bzimage(Bytes head) {
  constexpr std::size_t kBootFlag = 0x1FE;     // boot_flag
  constexpr std::size_t kMagic = 0x202;        // header
  constexpr std::size_t kProtocol = 0x206;     // version
  constexpr std::size_t kReleaseAt = 0x20E;    // kernel_version, counted from 0x200
  constexpr std::size_t kLoadFlags = 0x236;    // xloadflags
  constexpr std::uint16_t kHas64BitEntry = 1;  // XLF_KERNEL_64
  constexpr std::uint32_t kHdrS = 0x53726448;  // "HdrS"
  constexpr std::size_t kReleaseBytesMax = 128;
  const std::uint16_t boot_flag = TRY(load<Le16>(head, kBootFlag));
  const std::uint32_t magic = TRY(load<Le32>(head, kMagic));
  if (boot_flag != 0xAA55 || magic != kHdrS) {
    return fail(Errc::kCorrupt, "not a bzImage (an x86 kernel with a boot header)");
  }
  const std::uint16_t protocol = TRY(load<Le16>(head, kProtocol));
  if (protocol < 0x020C) {
    return fail(Errc::kUnsupported, "bzImage: boot protocol before 2.12", protocol);
  }
  const std::uint16_t load_flags = TRY(load<Le16>(head, kLoadFlags));
  const std::uint16_t release_at = TRY(load<Le16>(head, kReleaseAt));
  BzImageFacts facts{.release = {}, .is_64_bit = (load_flags & kHas64BitEntry) != 0};
  if (release_at == 0) return facts;
  const std::size_t begin = std::size_t{release_at} + 0x200;
  if (begin >= head.size()) {
    return fail(Errc::kCorrupt, "bzImage: version text past the end", begin);
  }
  for (const std::uint8_t byte :
       head.subspan(begin, std::min(kReleaseBytesMax, head.size() - begin))) {
    if (byte <= ' ' || byte >= 0x7F) break;
    facts.release += static_cast<char>(byte);
  }
  return facts;
}

Result<KernelImage> obtain_kernel(const KernelSpec& spec, const fs::path& modules_dir,
                                  const fs::path& cache_dir, const Progress& progress) {
  if (architecture() != "x86_64") {
    return fail_with(Errc::kUnsupported, "guests need an x86-64 machine", architecture());
  }
  const KernelCache cache(cache_dir);
  Result<KernelImage> image = [&]() -> Result<KernelImage> {
    switch (spec.kind) {
      case KernelSpec::Kind::kSeries:
      case KernelSpec::Kind::kSuite: return from_index(spec, cache, progress);
      case KernelSpec::Kind::kPackageFile: return from_package_file(spec, cache, progress);
      case KernelSpec::Kind::kImageFile: return from_image_file(spec, modules_dir);
    }
    return fail(Errc::kInvalid, "kernel: kind of spec");
  }();
  if (image) image->name = spec.name;
  return image;
}

}  // namespace powercut::lab
