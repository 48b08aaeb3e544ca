#include "lab/record/simulated_stream.h"

#include "base/check.h"

namespace powercut::lab {
namespace {

RequestKind kind_of(BlockRequestKind kind) {
  switch (kind) {
    case BlockRequestKind::kWrite: return RequestKind::kWrite;
    case BlockRequestKind::kZero: return RequestKind::kZero;
    case BlockRequestKind::kDiscard: return RequestKind::kDiscard;
    case BlockRequestKind::kFlush: break;
  }
  return RequestKind::kFlush;
}

Request request_of(const BlockRequest& request) {
  return {.kind = kind_of(request.kind),
          .durability = request.durability,
          .sequence = request.number,
          .offset = request.offset,
          .length = request.length,
          .data = request.data};
}

}  // namespace

void SimulatedStream::on_submitted(const BlockRequest& request) {
  const Request told = request_of(request);
  for (DiskObserver* const observer : observers_) observer->on_submitted(told, clock_.now());
}

void SimulatedStream::on_completed(const BlockRequest& request) {
  const Request told = request_of(request);
  for (DiskObserver* const observer : observers_) observer->on_completed(told, clock_.now());
}

void SimulatedStream::mark(std::string_view text) {
  CHECK(text.size() <= kMarkBytesMax, "a mark longer than it may be");
  for (DiskObserver* const observer : observers_) observer->on_mark(text, clock_.now());
}

void SimulatedStream::power_cycle() {
  for (DiskObserver* const observer : observers_) observer->on_power_cycle(clock_.now());
}

}  // namespace powercut::lab
