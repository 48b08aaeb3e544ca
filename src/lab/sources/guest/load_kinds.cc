#include "lab/sources/guest/load_kinds.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <sys/mman.h>

namespace powercut::lab {
namespace {

constexpr std::uint32_t kPageBytes = 4096;
constexpr std::uint32_t kPageUnits = kPageBytes / kUnitBytes;
constexpr std::uint32_t kPageWords = kPageBytes / kWordBytes;

std::uint32_t units_of(const LoadPlace& place) {
  return place.shared().options.file_kib * 1024 / kUnitBytes;
}

SyncWay random_way(Prng& prng) {
  return prng.chance(1, 2) ? SyncWay::kFsync : SyncWay::kFdatasync;
}

// A file mapped shared and writable.
class MappedFile {
 public:
  static Result<MappedFile> make(LoadFile& file) {
    const std::size_t length = std::size_t{file.word_count()} * kWordBytes;
    void* const memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
    if (memory == MAP_FAILED) return load_failure("workload: mmap", file.name(), errno);
    return MappedFile(file, static_cast<std::uint64_t*>(memory), length);
  }
  MappedFile(MappedFile&& other) noexcept
      : file_(other.file_), words_(std::exchange(other.words_, nullptr)), length_(other.length_) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile() {
    if (words_ != nullptr) ::munmap(words_, length_);
  }

  std::uint32_t page_count() const { return static_cast<std::uint32_t>(length_ / kPageBytes); }

  // One pass over a page: each word gets the next version, upwards.
  Result<void> store(std::uint32_t page, const WordCode& code) {
    const std::uint32_t version = file_->version(page * kPageUnits) + 1;
    if (version > kVersionMax) return fail(Errc::kLimit, "workload: versions are used up");
    volatile std::uint64_t* const words = words_ + std::size_t{page} * kPageWords;
    for (std::uint32_t i = 0; i < kPageWords; ++i) {
      words[i] = code.encode({file_->number(), page * kPageWords + i, version});
    }
    file_->note_stored(page * kPageUnits, (page + 1) * kPageUnits, version);
    return {};
  }

  // msync() of the pages, and the promise.
  Result<void> sync(std::uint32_t first, std::uint32_t end) {
    std::uint64_t* const begin = words_ + std::size_t{first} * kPageWords;
    if (::msync(begin, std::size_t{end - first} * kPageBytes, MS_SYNC) != 0) {
      return load_failure("workload: msync", file_->name(), errno);
    }
    return file_->promise_units(first * kPageUnits, end * kPageUnits);
  }

 private:
  MappedFile(LoadFile& file, std::uint64_t* words, std::size_t length)
      : file_(&file), words_(words), length_(length) {}
  LoadFile* file_;
  std::uint64_t* words_;
  std::size_t length_;
};

Result<LoadFile> begin_log(LoadPlace& place, const std::string& name) {
  auto log = TRY(LoadFile::create(place, name, {.is_solid = true, .is_overwritten = true}));
  TRY(log.append_words(1));
  TRY(log.sync(SyncWay::kFsync));
  TRY(place.sync_names());
  TRY(place.mark({place.name_is(name, log.number()), HeldClause{log.number(), 1, 1}}));
  return log;
}

Result<void> remove_log(LoadPlace& place, const LoadFile& log) {
  TRY(place.mark({place.name_may_be(log.name(), std::nullopt), HeldClause{log.number(), 0, 1}}));
  TRY(place.system().unlink(place.fd(), log.name()));
  if (!place.wants_sync()) return {};
  TRY(place.sync_names());
  return place.mark({place.name_is(log.name(), std::nullopt), log.gone()});
}

// A name whose file is replaced again and again.
class ReplacedFile {
 public:
  ReplacedFile(LoadPlace& place, LoadFile file)
      : place_(&place), name_(file.name()), file_(std::move(file)) {}
  LoadFile& file() { return file_; }

  Result<void> replace() {
    Prng& prng = place_->prng();
    const std::string beside = name_ + ".new";
    auto made = TRY(LoadFile::create(*place_, beside, {.is_solid = true}));
    TRY(made.write_units(0, random_range(prng, units_of(*place_), units_of(*place_)).end));
    const bool is_synced = prng.chance(3, 4);
    if (is_synced) {
      // ext4 commits the new name with the file.
      TRY(made.sync(SyncWay::kFsync));
      TRY(place_->mark({place_->name_is(beside, made.number()), HeldClause{made.number(), 1, 1}}));
    }
    TRY(place_->mark({place_->name_may_be(name_, made.number()),
                      place_->name_may_be(beside, std::nullopt),
                      HeldClause{file_.number(), 0, 1}}));
    TRY(place_->system().rename(place_->fd(), beside, name_));
    old_.push_back(file_.gone());
    file_ = std::move(made);
    file_.set_name(name_);
    if (!place_->wants_sync()) return {};
    TRY(place_->sync_names());
    return promise_names();
  }

  Result<void> promise_names() {
    std::vector<Clause> clauses{place_->name_is(name_, file_.number()),
                                place_->name_is(name_ + ".new", std::nullopt),
                                HeldClause{file_.number(), 1, 1}};
    TRY(place_->mark(clauses));
    clauses.assign(old_.begin(), old_.end());
    old_.clear();
    return place_->mark_all(clauses);
  }

 private:
  LoadPlace* place_;
  std::string name_;
  LoadFile file_;
  std::vector<GoneClause> old_;  // replaced, not known to be gone
};

}  // namespace

UnitRange random_range(Prng& prng, std::uint32_t count, std::uint32_t most) {
  const auto length = static_cast<std::uint32_t>(1 + prng.below(std::min(count, most)));
  const auto first = static_cast<std::uint32_t>(prng.below(count - length + 1));
  return {first, first + length};
}

Result<std::vector<LoadFile>> make_synced_files(LoadPlace& place, const std::string& stem,
                                                const FileTraits& traits) {
  std::vector<LoadFile> files;
  files.reserve(place.shared().options.file_count);
  for (unsigned i = 0; i < place.shared().options.file_count; ++i) {
    files.push_back(TRY(LoadFile::create(place, stem + std::to_string(i), traits)));
    TRY(files.back().write_units(0, units_of(place)));
    TRY(files.back().sync(SyncWay::kFsync));
  }
  TRY(place.sync_names());
  for (const LoadFile& file : files) {
    TRY(place.mark({place.name_is(file.name(), file.number()), HeldClause{file.number(), 1, 1}}));
  }
  return files;
}

Result<std::string> check_all(std::vector<LoadFile>& files) {
  for (LoadFile& file : files) {
    std::string wrong = TRY(file.check());
    if (!wrong.empty()) return wrong;
  }
  return std::string();
}

Result<std::string> run_write_load(LoadPlace& place) {
  constexpr std::uint32_t kUnitsMost = 24;  // of one write: over several pages
  auto files = TRY(make_synced_files(place, "f", {.is_overwritten = true}));
  Prng& prng = place.prng();
  while (place.goes_on()) {
    LoadFile& file = files[prng.below(files.size())];
    const UnitRange range = random_range(prng, file.unit_count(), kUnitsMost);
    TRY(file.write_units(range.first, range.end));
    if (place.wants_sync()) TRY(file.sync(random_way(prng)));
  }
  return check_all(files);
}

Result<std::string> run_mmap_load(LoadPlace& place) {
  constexpr std::uint32_t kPagesMost = 8;  // of one operation
  auto files = TRY(make_synced_files(place, "m", {.is_stored_up = true, .is_overwritten = true}));
  std::vector<MappedFile> maps;
  maps.reserve(files.size());
  for (LoadFile& file : files) maps.push_back(TRY(MappedFile::make(file)));
  Prng& prng = place.prng();
  while (place.goes_on()) {
    const std::size_t which = prng.below(files.size());
    const UnitRange pages = random_range(prng, maps[which].page_count(), kPagesMost);
    for (std::uint32_t page = pages.first; page < pages.end; ++page) {
      TRY(maps[which].store(page, place.shared().code));
    }
    if (!place.wants_sync()) continue;
    if (prng.chance(1, 2)) {
      TRY(maps[which].sync(pages.first, pages.end));
    } else {
      TRY(files[which].sync(random_way(prng)));
    }
  }
  return check_all(files);
}

Result<std::string> run_append_load(LoadPlace& place) {
  constexpr std::uint32_t kRecordWordsMost = 1500;  // over up to four pages
  std::vector<LoadFile> logs;
  std::vector<unsigned> turns(place.shared().options.file_count, 0);
  const auto name_of = [&turns](std::size_t i) {
    return "log" + std::to_string(i) + "." + std::to_string(turns[i]);
  };
  for (std::size_t i = 0; i < turns.size(); ++i) {
    logs.push_back(TRY(begin_log(place, name_of(i))));
  }
  Prng& prng = place.prng();
  while (place.goes_on()) {
    const std::size_t which = prng.below(logs.size());
    const auto words = static_cast<std::uint32_t>(1 + prng.below(kRecordWordsMost));
    if (logs[which].word_count() + words > units_of(place) * kUnitWords) {
      ++turns[which];
      LoadFile next = TRY(begin_log(place, name_of(which)));
      TRY(remove_log(place, logs[which]));
      logs[which] = std::move(next);
      continue;
    }
    TRY(logs[which].append_words(words));
    if (place.wants_sync()) TRY(logs[which].sync(random_way(prng)));
  }
  return check_all(logs);
}

Result<std::string> run_rename_load(LoadPlace& place) {
  std::vector<ReplacedFile> names;
  for (LoadFile& file : TRY(make_synced_files(place, "config", {.is_solid = true}))) {
    names.emplace_back(place, std::move(file));
  }
  while (place.goes_on()) TRY(names[place.prng().below(names.size())].replace());
  for (ReplacedFile& name : names) {
    std::string wrong = TRY(name.file().check());
    if (!wrong.empty()) return wrong;
  }
  return std::string();
}

}  // namespace powercut::lab
