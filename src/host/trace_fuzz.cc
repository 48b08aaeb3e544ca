// The text of an event's form, then records of a ring.
#include <cstddef>
#include <cstdint>

#include "host/trace_events.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace powercut;
  const Bytes input(data, size);
  const std::size_t split = size == 0 ? 0 : data[0] * size / 256;
  const std::string_view text(reinterpret_cast<const char*>(data), split);
  const auto format = TraceFormat::parse(text);
  for_each_sample(input.subspan(split), [&](Nanoseconds, pid_t, pid_t, Bytes raw) {
    if (!format) return;
    static_cast<void>(format->number("dev", raw));
    static_cast<void>(format->text("name", raw));
  });
  return 0;
}
