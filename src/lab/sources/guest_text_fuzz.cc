// Hostile text around a guest: its console, a job file, the head of a kernel, the words of ldd.
#include <string>

#include "lab/sources/guest/guest_job.h"
#include "lab/sources/initramfs.h"
#include "lab/sources/kernel.h"
#include "lab/sources/vm_console.h"

namespace {

using namespace powercut;
using namespace powercut::lab;

void feed_console(std::string_view text) {
  ConsoleText console;
  GuestProtocol protocol;
  const auto take = [&](const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      CHECK(line.size() <= 4 * kConsoleLineBytes + 16, "a console line is bounded");
      static_cast<void>(protocol.accept(parse_console_line(line)));
    }
  };
  const std::size_t half = text.size() / 2;
  take(console.feed(text.substr(0, half)));
  take(console.feed(text.substr(half)));
  take(console.finish());
  CHECK(console.tail().size() <= kConsoleTailBytes + 8 * kConsoleLineBytes, "the tail is bounded");
}

void read_job(std::string_view text) {
  const auto job = parse_job(text);
  if (!job) return;
  const auto again = format_job(*job);
  if (!again) return;
  const auto parsed = parse_job(*again);
  CHECK(parsed && *parsed == *job, "a job that was read is written as it is");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: feed_console(text); break;
    case 1: read_job(text); break;
    case 2: ignore_error(parse_bzimage(Bytes(data + 1, size - 1)), "only crashes count"); break;
    default: ignore_error(parse_ldd(text), "only crashes count"); break;
  }
  return 0;
}
