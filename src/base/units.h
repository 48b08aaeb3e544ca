// Numbers that must not mix.
//
//   BlockNo    a block of the file system's device, in file-system blocks from its start
//   FileBlock  a block of a file, in file-system blocks from offset 0
//   LogBlock   a block of the journal, in journal blocks; 0 is the journal's superblock
//   InodeNo    an inode; the first is 1
//   Tid        a transaction's sequence number; it wraps at 2^32, so it has no operator<
#pragma once

#include <compare>
#include <cstdint>

namespace powercut {

template <class Tag, class Rep>
class Unit {
 public:
  using rep = Rep;
  constexpr Unit() = default;
  constexpr explicit Unit(Rep value) noexcept : value_(value) {}
  constexpr Rep value() const noexcept { return value_; }
  friend constexpr auto operator<=>(Unit, Unit) = default;
  friend constexpr Unit operator+(Unit unit, Rep count) noexcept {
    return Unit(static_cast<Rep>(unit.value_ + count));
  }
  friend constexpr Rep operator-(Unit a, Unit b) noexcept {
    return static_cast<Rep>(a.value_ - b.value_);
  }
  constexpr Unit& operator++() noexcept {
    ++value_;
    return *this;
  }

 private:
  Rep value_ = 0;
};

using BlockNo = Unit<struct BlockNoTag, std::uint64_t>;
using FileBlock = Unit<struct FileBlockTag, std::uint64_t>;
using LogBlock = Unit<struct LogBlockTag, std::uint32_t>;
using InodeNo = Unit<struct InodeNoTag, std::uint32_t>;

class Tid {
 public:
  constexpr Tid() = default;
  constexpr explicit Tid(std::uint32_t value) noexcept : value_(value) {}
  constexpr std::uint32_t value() const noexcept { return value_; }
  constexpr Tid next() const noexcept { return Tid(value_ + 1); }
  constexpr Tid previous() const noexcept { return Tid(value_ - 1); }
  // Older, on the circle of 2^32: at most half of it behind `other`.
  constexpr bool comes_before(Tid other) const noexcept {
    return static_cast<std::int32_t>(value_ - other.value_) < 0;
  }
  // Steps from `earlier` to here, on the circle.
  constexpr std::uint32_t since(Tid earlier) const noexcept { return value_ - earlier.value_; }
  friend constexpr bool operator==(Tid, Tid) = default;

 private:
  std::uint32_t value_ = 0;
};

}  // namespace powercut
