// The form of one of the kernel's trace events, as its own text describes it.
//
//   name: jbd2_start_commit
//   ID: 1285
//   format:
//       field:tid_t transaction;    offset:16;    size:4;    signed:0;
//
// Source: the kernel's Documentation/trace/events.rst.  Nothing in the text is trusted: an event's
// bytes are read only inside what there is of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace powercut {

class TraceFormat {
 public:
  static constexpr std::size_t kTextBytesMax = std::size_t{64} << 10;
  static constexpr std::size_t kFieldsMax = 256;
  // Errors: kCorrupt: no ID, or a field without its numbers; kLimit.
  static Result<TraceFormat> parse(std::string_view text);

  std::uint64_t id() const { return id_; }
  bool has(std::string_view field) const { return fields_.contains(field); }
  // A field of 1, 2, 4 or 8 bytes; nothing if there is none of that name, or the event is too
  // short.
  std::optional<std::uint64_t> number(std::string_view field, Bytes event) const;
  // A field of characters, up to its first zero byte; empty as above.
  std::string text(std::string_view field, Bytes event) const;

 private:
  struct Place {
    std::size_t offset = 0, size = 0;
  };
  static Result<void> add_field(std::string_view line, TraceFormat& into);
  std::optional<Bytes> bytes_of(std::string_view field, Bytes event) const;

  std::uint64_t id_ = 0;
  std::map<std::string, Place, std::less<>> fields_;
};

}  // namespace powercut
