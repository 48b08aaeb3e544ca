// Errors as values.
//
// Words
//   Error     what went wrong in the world: a disk, a file, a user's input.  Never our own mistake
//             (that is CHECK, in check.h).
//   Result<T> a T or an Error.  It spells its members like std::expected, which g++ 12 lacks in
//             C++20, so that it can become an alias of it.
//
// Invariants
//   1. Making an Error allocates nothing, so reporting an error cannot fail.
//   2. A Result is looked at: the class is [[nodiscard]], and a value is read only after a test.
//   3. kCorrupt and kChecksum are two things, because recovery decides differently on them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"

namespace powercut {

enum class Errc : std::uint8_t {
  kIo,            // the operating system or a device refused
  kCorrupt,       // stored bytes break a rule of their format
  kChecksum,      // stored bytes do not match their checksum
  kUnsupported,   // well-formed, but not understood here; refused by name
  kNoSpace,       // no room left
  kNotFound,      // nothing of that name
  kExists,        // the name is taken
  kReadOnly,      // a change was asked of something that may not change
  kLimit,         // a bound of ours was reached
  kAborted,       // stopped earlier, or interrupted
  kInvalid,       // the caller's words (arguments, options) make no sense
  kTimeout,       // a bounded wait ended without the thing waited for
  kInUse,         // somebody else may be changing it: mounted, attached, locked
  kNotDirectory,  // a name in what is no directory
  kIsDirectory,   // a directory, where it must be none
  kNotEmpty,      // a directory that has names
  kNotPermitted,  // what it is or how it is marked (immutable, append only) forbids it
};

std::string_view errc_name(Errc code) noexcept;

// Where in our source an Error was made.
struct SourcePlace {
  const char* file = "";
  int line = 0;
  static constexpr SourcePlace here(const char* file = __builtin_FILE(),
                                    int line = __builtin_LINE()) noexcept {
    return {file, line};
  }
};

// A short text kept inside the Error (a path, a device's words); cut off at its capacity.
class Detail {
 public:
  static constexpr std::size_t kCapacity = 120;
  constexpr Detail() = default;
  Detail(std::string_view text) noexcept {  // implicit on purpose: fail(..., path)
    const std::size_t kept = text.size() < kCapacity - 1 ? text.size() : kCapacity - 1;
    std::memcpy(text_, text.data(), kept);
    text_[kept] = '\0';
  }
  std::string_view view() const noexcept { return text_; }

 private:
  char text_[kCapacity] = {};
};

struct Error {
  Errc code = Errc::kIo;
  const char* what = "";    // static text; names the thing and the rule that was broken
  std::uint64_t where = 0;  // the block, inode, byte offset or errno that `what` speaks of
  SourcePlace place;
  Detail detail;
};

// "thing: rule (where)", or "thing: rule: detail" where there is one: an operating system's number
// is in words there.  The kind of the error (errc_name) is left out.
std::string error_words(const Error& error);

struct [[nodiscard]] Failure {
  Error error;
};

[[nodiscard]] inline Failure fail(Errc code, const char* what, std::uint64_t where = 0,
                                  SourcePlace place = SourcePlace::here()) noexcept {
  return Failure{Error{code, what, where, place, {}}};
}

[[nodiscard]] inline Failure fail_with(Errc code, const char* what, std::string_view detail,
                                       std::uint64_t where = 0,
                                       SourcePlace place = SourcePlace::here()) noexcept {
  return Failure{Error{code, what, where, place, Detail{detail}}};
}

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) : state_(std::in_place_index<1>, failure.error) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  T& value() & { return checked(); }
  const T& value() const& { return const_cast<Result*>(this)->checked(); }
  T&& value() && { return std::move(checked()); }
  T& operator*() & { return checked(); }
  const T& operator*() const& { return const_cast<Result*>(this)->checked(); }
  T&& operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->checked(); }
  const Error& error() const {
    CHECK(!has_value(), "error() of a Result that holds a value");
    return *std::get_if<1>(&state_);
  }

 private:
  T& checked() {
    CHECK(has_value(), "value of a Result that holds an error");
    return *std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  Result() = default;
  Result(Failure failure) : error_(failure.error), has_value_(false) {}
  bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }
  void value() const { CHECK(has_value_, "value of a Result that holds an error"); }
  const Error& error() const {
    CHECK(!has_value_, "error() of a Result that holds a value");
    return error_;
  }

 private:
  Error error_;
  bool has_value_ = true;
};

// The greppable way to drop an error; `why` says what makes that right.
template <class T>
void ignore_error(const Result<T>& result, const char* why) noexcept {
  static_cast<void>(result);
  static_cast<void>(why);
}

namespace detail {
template <class T>
T take(Result<T>&& result) {
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}
}  // namespace detail

// The value of `expr`, or return its error from the enclosing function.  A GNU statement
// expression, which g++ and clang both have.
#define TRY(expr)                                                      \
  __extension__({                                                      \
    auto try_result_ = (expr);                                         \
    if (!try_result_) return ::powercut::Failure{try_result_.error()}; \
    ::powercut::detail::take(std::move(try_result_));                  \
  })

}  // namespace powercut
