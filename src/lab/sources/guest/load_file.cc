#include "lab/sources/guest/load_file.h"

#include <algorithm>
#include <utility>

namespace powercut::lab {

Result<LoadFile> LoadFile::create(LoadPlace& place, const std::string& name,
                                  const FileTraits& traits) {
  const std::uint32_t number = place.shared().next_file.fetch_add(1);
  if (number > kFileMax) return fail(Errc::kLimit, "workload: the numbers of files are used up");
  TRY(place.mark({place.name_may_be_anything(name)}));
  const LoadSystem::Opened opened = TRY(place.system().create(place.fd(), name));
  LoadFile file(place, name, number, opened.number);
  TRY(place.mark({FileClause{number, opened.inode, opened.generation, traits}}));
  return file;
}

LoadFile::LoadFile(LoadFile&& other) noexcept
    : place_(other.place_),
      name_(std::move(other.name_)),
      number_(other.number_),
      fd_(std::exchange(other.fd_, -1)),
      word_count_(other.word_count_),
      last_version_(other.last_version_),
      versions_(std::move(other.versions_)),
      is_dirty_(std::move(other.is_dirty_)),
      promised_least_(other.promised_least_),
      promised_most_(other.promised_most_) {}

LoadFile& LoadFile::operator=(LoadFile&& other) noexcept {
  std::swap(place_, other.place_);
  std::swap(name_, other.name_);
  std::swap(number_, other.number_);
  std::swap(fd_, other.fd_);
  std::swap(word_count_, other.word_count_);
  std::swap(last_version_, other.last_version_);
  std::swap(versions_, other.versions_);
  std::swap(is_dirty_, other.is_dirty_);
  std::swap(promised_least_, other.promised_least_);
  std::swap(promised_most_, other.promised_most_);
  return *this;
}

LoadFile::~LoadFile() {
  if (fd_ >= 0) place_->system().close(fd_);
}

void LoadFile::resize(std::uint32_t words) {
  word_count_ = words;
  versions_.resize(unit_count(), 0);
  is_dirty_.resize(unit_count(), true);
}

Result<void> LoadFile::allow_growth(std::uint32_t words) {
  if (words <= word_count_ || promised_most_ >= std::uint64_t{words} * kWordBytes) return {};
  promised_most_ = SizeClause::kNoLimit;
  return place_->mark({SizeClause{number_, promised_least_, promised_most_}});
}

Result<void> LoadFile::write_words(std::uint32_t first, std::uint32_t end, std::uint32_t version) {
  TRY(allow_growth(end));
  buffer_.resize(std::size_t{end - first} * kWordBytes);
  place_->shared().code.fill(buffer_, {number_, first, version});
  TRY(place_->system().write(fd_, std::uint64_t{first} * kWordBytes, buffer_, name_));
  if (end > word_count_) resize(end);
  for (std::uint32_t unit = first / kUnitWords; unit * kUnitWords < end; ++unit) {
    versions_[unit] = version;
    is_dirty_[unit] = true;
  }
  return {};
}

Result<void> LoadFile::write_units(std::uint32_t first, std::uint32_t end) {
  if (last_version_ >= kVersionMax) return fail(Errc::kLimit, "workload: versions are used up");
  // A unit that was promised to be a hole is one no more; one behind the end was promised nothing.
  for (std::uint32_t unit = first; unit < std::min(end, unit_count()); ++unit) {
    if (versions_[unit] == 0 && !is_dirty_[unit]) TRY(release(unit, unit + 1));
  }
  return write_words(first * kUnitWords, end * kUnitWords, ++last_version_);
}

Result<void> LoadFile::append_words(std::uint32_t count) {
  last_version_ = 1;
  return write_words(word_count_, word_count_ + count, 1);
}

void LoadFile::note_stored(std::uint32_t first, std::uint32_t end, std::uint32_t version) {
  for (std::uint32_t unit = first; unit < end; ++unit) {
    versions_[unit] = version;
    is_dirty_[unit] = true;
  }
}

Result<void> LoadFile::release(std::uint32_t first, std::uint32_t end) {
  if (first >= end) return {};
  for (std::uint32_t unit = first; unit < end; ++unit) is_dirty_[unit] = true;
  return place_->mark({WordsClause{number_, first * kUnitWords, end * kUnitWords, 0}});
}

Result<void> LoadFile::truncate(std::uint32_t units) {
  const std::uint32_t words = units * kUnitWords;
  if (words < word_count_) {
    promised_least_ = std::min(promised_least_, std::uint64_t{words} * kWordBytes);
    TRY(place_->mark({SizeClause{number_, promised_least_, promised_most_}}));
    TRY(release(units, unit_count()));
  } else {
    TRY(allow_growth(words));
  }
  TRY(place_->system().truncate(fd_, std::uint64_t{words} * kWordBytes, name_));
  resize(words);
  return {};
}

Result<void> LoadFile::punch(std::uint32_t first, std::uint32_t end) {
  TRY(release(first, end));
  TRY(place_->system().punch(fd_, std::uint64_t{first} * kUnitBytes,
                             std::uint64_t{end - first} * kUnitBytes, name_));
  for (std::uint32_t unit = first; unit < end; ++unit) versions_[unit] = 0;
  return {};
}

Result<void> LoadFile::sync(SyncWay way) {
  TRY(place_->system().sync(fd_, way, name_));
  place_->shared().syncs.fetch_add(1, std::memory_order_relaxed);
  return promise();
}

// Runs of units with one version become one clause each.
void LoadFile::add_word_clauses(std::uint32_t first, std::uint32_t end,
                                std::vector<Clause>& clauses) {
  for (std::uint32_t unit = first; unit < end;) {
    if (!is_dirty_[unit]) {
      ++unit;
      continue;
    }
    std::uint32_t last = unit;
    while (last < end && is_dirty_[last] && versions_[last] == versions_[unit]) {
      is_dirty_[last++] = false;
    }
    const std::uint32_t floor = versions_[unit] == 0 ? WordsClause::kMustBeZero : versions_[unit];
    clauses.emplace_back(
        WordsClause{number_, unit * kUnitWords, std::min(last * kUnitWords, word_count_), floor});
    unit = last;
  }
}

Result<void> LoadFile::promise() {
  promised_least_ = promised_most_ = std::uint64_t{word_count_} * kWordBytes;
  std::vector<Clause> clauses;
  clauses.emplace_back(SizeClause{number_, promised_least_, promised_most_});
  add_word_clauses(0, unit_count(), clauses);
  return place_->mark_all(clauses);
}

Result<void> LoadFile::promise_units(std::uint32_t first, std::uint32_t end) {
  std::vector<Clause> clauses;
  add_word_clauses(first, std::min(end, unit_count()), clauses);
  return place_->mark_all(clauses);
}

Result<std::string> LoadFile::check() {
  const std::uint64_t size = TRY(place_->system().size(fd_, name_));
  const std::uint64_t bytes = std::uint64_t{word_count_} * kWordBytes;
  if (size != bytes) {
    return name_ + ": size " + std::to_string(size) + ", not " + std::to_string(bytes);
  }
  buffer_.resize(static_cast<std::size_t>(bytes));
  const std::size_t done = TRY(place_->system().read(fd_, 0, buffer_, name_));
  if (done < buffer_.size()) return name_ + ": ends at byte " + std::to_string(done);
  const WordCode& code = place_->shared().code;
  for (std::uint32_t index = 0; index < word_count_; ++index) {
    const std::uint32_t version = versions_[index / kUnitWords];
    const std::uint64_t wanted = version == 0 ? 0 : code.encode({number_, index, version});
    if (word_at(buffer_, std::size_t{index} * kWordBytes) == wanted) continue;
    return name_ + ": word " + std::to_string(index) + " is not of version " +
           std::to_string(version);
  }
  place_->shared().words_checked.fetch_add(word_count_, std::memory_order_relaxed);
  return std::string();
}

}  // namespace powercut::lab
