// The content of one block in memory: counted references to bytes that do not change while more
// than one holds them.
//
// That is how a block is at once what the file system sees, what a commit writes and what goes
// home, without a copy until somebody changes it: whoever wants to change bytes that others hold,
// too, copies them first (`own`).
//
// Threads: references may be copied and dropped by any thread; the bytes may be changed only by
// the one holder, under the lock of what holds them.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/bytes.h"

namespace powercut {

class Content {
 public:
  Content() = default;
  // `size` bytes, aligned to 64; all zero, or as they come (`unset`: the caller writes them all).
  static Content zeroes(std::uint32_t size);
  static Content unset(std::uint32_t size);
  static Content copy_of(Bytes bytes);

  Content(const Content& other) noexcept : body_(other.body_) {
    if (body_ != nullptr) body_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  Content(Content&& other) noexcept : body_(std::exchange(other.body_, nullptr)) {}
  Content& operator=(Content other) noexcept {
    std::swap(body_, other.body_);
    return *this;
  }
  ~Content() { drop(); }

  explicit operator bool() const noexcept { return body_ != nullptr; }
  Bytes bytes() const noexcept { return {bytes_of_body(), body_ == nullptr ? 0 : body_->size}; }
  // The same bytes, to be changed; a mistake if others hold them.
  MutableBytes mutable_bytes() noexcept {
    CHECK(!is_shared(), "content that others hold is not changed");
    return {bytes_of_body(), body_ == nullptr ? 0 : body_->size};
  }
  // True if another reference holds the same bytes.
  bool is_shared() const noexcept {
    return body_ != nullptr && body_->holders.load(std::memory_order_acquire) > 1;
  }
  // Makes the bytes this reference's own: copies them if others hold them.
  MutableBytes own();
  // Whether both are the same bytes in memory.
  bool is(const Content& other) const noexcept { return body_ == other.body_; }

 private:
  // The bytes follow it, in the same piece of memory.
  struct alignas(64) Body {
    std::atomic<std::uint32_t> holders{1};
    std::uint32_t size = 0;
  };
  explicit Content(Body* body) noexcept : body_(body) {}
  std::uint8_t* bytes_of_body() const noexcept {
    return body_ == nullptr ? nullptr : reinterpret_cast<std::uint8_t*>(body_ + 1);
  }
  void drop() noexcept;

  Body* body_ = nullptr;
};

}  // namespace powercut
