#include "lab/sources/guest/voice.h"

#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "lab/sources/guest/guest_job.h"

namespace powercut::lab {
namespace {

constexpr std::string_view kWarningLevel = "<4>";  // shown on the console at loglevel=5

}  // namespace

Voice::~Voice() {
  if (kernel_log_ >= 0) ::close(kernel_log_);
}

void Voice::open_kernel_log() {
  kernel_log_ = ::open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
}

void Voice::say(std::string_view line) const {
  put(kProtocolWord, line);
}

void Voice::relay(std::string_view line) const {
  put(kRelayWord, line);
}

void Voice::put(std::string_view prefix, std::string_view line) const {
  std::string text(kernel_log_ >= 0 ? kWarningLevel : "");
  text += prefix;
  for (const char letter : line.substr(0, kLineBytesMax)) {
    const bool is_plain = static_cast<unsigned char>(letter) >= 0x20 && letter != 0x7F;
    text += is_plain ? letter : '?';
  }
  text += '\n';
  if (kernel_log_ >= 0 && ::write(kernel_log_, text.data(), text.size()) > 0) return;
  const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
  static_cast<void>(written);  // there is no other way to be heard
}

}  // namespace powercut::lab
