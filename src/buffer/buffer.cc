#include "buffer/buffer.h"

#include "base/trace.h"

namespace powercut {
namespace {

[[maybe_unused]] const MutantNames kMutants{"buffer.freeze.skip", "buffer.home.older"};

}  // namespace

Result<void> Buffer::load(const BlockView& device) {
  Lock lock(mutex_);
  if (live_) return {};
  Content content = Content::unset(block_bytes_);
  TRY(device.read(number_.value() * block_bytes_, content.mutable_bytes()));
  live_ = std::move(content);
  return {};
}

void Buffer::offer(Content content) {
  Lock lock(mutex_);
  if (!live_) live_ = std::move(content);
}

bool Buffer::is_loaded() const {
  Lock lock(mutex_);
  return static_cast<bool>(live_);
}

Content Buffer::snapshot() const {
  Lock lock(mutex_);
  CHECK(static_cast<bool>(live_), "a block is loaded before it is looked at");
  return live_;
}

bool Buffer::own_for(Tid running) {
  if (owner_ == running) return false;
  if (owner_.has_value()) {
    CHECK(!frozen_owner_.has_value(), "two transactions of a block at most");
    if (!mutant("buffer.freeze.skip")) {
      frozen_ = live_;
      frozen_owner_ = owner_;
    }
  }
  owner_ = running;
  return true;
}

bool Buffer::replace_for(Tid running, Content content) {
  CHECK(content.bytes().size() == block_bytes_, "a block's content is as long as a block");
  Lock lock(mutex_);
  const bool is_new = own_for(running);
  live_ = std::move(content);
  return is_new;
}

bool Buffer::disown(Tid running) {
  Lock lock(mutex_);
  if (owner_ != running) return false;
  owner_.reset();
  return true;
}

Content Buffer::collect(Tid committing) {
  Lock lock(mutex_);
  if (frozen_owner_ == committing) {
    frozen_owner_.reset();
    return std::move(frozen_);
  }
  if (owner_ != committing) return {};
  owner_.reset();
  return live_;
}

void Buffer::committed(Tid tid, Content content) {
  Lock lock(mutex_);
  if (mutant("buffer.home.older") && home_) return;
  home_ = std::move(content);
  home_tid_ = tid;
}

Content Buffer::home_content(Tid tid) const {
  Lock lock(mutex_);
  return home_tid_ == tid ? home_ : Content{};
}

bool Buffer::has_home_content() const {
  Lock lock(mutex_);
  return static_cast<bool>(home_);
}

void Buffer::is_home(Tid tid) {
  Lock lock(mutex_);
  if (home_tid_ == tid) home_ = {};
}

void Buffer::give_up_home() {
  Lock lock(mutex_);
  home_ = {};
}

bool Buffer::is_clean() const {
  Lock lock(mutex_);
  return !owner_.has_value() && !frozen_owner_.has_value() && !home_;
}

}  // namespace powercut
