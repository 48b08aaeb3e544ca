#include "buffer/content.h"

#include <new>

namespace powercut {

Content Content::unset(std::uint32_t size) {
  void* memory = ::operator new(sizeof(Body) + size, std::align_val_t{alignof(Body)});
  Body* body = new (memory) Body;
  body->size = size;
  return Content(body);
}

Content Content::zeroes(std::uint32_t size) {
  Content content = unset(size);
  std::memset(content.bytes_of_body(), 0, size);
  return content;
}

Content Content::copy_of(Bytes bytes) {
  Content content = unset(static_cast<std::uint32_t>(bytes.size()));
  copy_bytes(bytes, content.mutable_bytes());
  return content;
}

MutableBytes Content::own() {
  if (is_shared()) *this = copy_of(bytes());
  return mutable_bytes();
}

void Content::drop() noexcept {
  if (body_ == nullptr) return;
  if (body_->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  body_->~Body();
  ::operator delete(static_cast<void*>(body_), std::align_val_t{alignof(Body)});
}

}  // namespace powercut
