// Modules come out of packages that anybody may have made.
#include "lab/sources/kernel.h"
#include "lab/sources/kernel_modules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const powercut::Bytes bytes(data, size);
  const auto names = powercut::lab::module_dependencies(bytes);
  powercut::ignore_error(names, "any answer will do, as long as it ends");
  const auto facts = powercut::lab::parse_bzimage(bytes);
  powercut::ignore_error(facts, "any answer will do, as long as it ends");
  return 0;
}
