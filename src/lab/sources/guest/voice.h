// How our init speaks: whole lines into the kernel's log, which puts them on the console.
//
// By way of /dev/kmsg a line can not be torn by a message of the kernel, and it bears the kernel's
// time stamp.  Where there is no /dev/kmsg the line goes to standard output, which is the console.
#pragma once

#include <string_view>

namespace powercut::lab {

class Voice {
 public:
  static constexpr std::size_t kLineBytesMax = 900;  // the kernel refuses records above about 1000

  ~Voice();
  Voice() = default;
  Voice(const Voice&) = delete;
  Voice& operator=(const Voice&) = delete;

  // Once /dev is there.
  void open_kernel_log();
  // A line of the protocol.
  void say(std::string_view line) const;
  // A line of a command's output.
  void relay(std::string_view line) const;

 private:
  void put(std::string_view prefix, std::string_view line) const;
  int kernel_log_ = -1;
};

}  // namespace powercut::lab
