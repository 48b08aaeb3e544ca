// Hostile marks: what is understood is written and understood as the same.
#include "lab/promise/promise.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace powercut::lab;
  const auto promise = parse_promise({reinterpret_cast<const char*>(data), size});
  if (!promise) return 0;
  const std::string text = promise_text(*promise);
  if (text.size() > kPromiseBytesMax) return 0;  // leading zeros were left out; never longer
  const auto again = parse_promise(text);
  CHECK(again, "a promise that was written is understood");
  CHECK(*again == *promise, "and is the same");
  return 0;
}
