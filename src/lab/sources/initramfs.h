// The guest's first file system: our init, busybox, the kernel's modules, the job, and the programs
// that the job runs with the libraries that they need.
//
//   /init -> bin/powercut-guest      also bin/hot-store and bin/powercut
//   /bin/busybox                     with a symlink for each of its applets
//   /powercut/job, /powercut/modules/NAME.ko
//   programs and libraries           where they are on this machine (see carried_path())
//
// Programs come from this machine, so guest and host are of one architecture.  Only a program and
// its libraries come: data files of it (as an interpreter's own modules) do not, unless named in
// `files`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "lab/sources/guest/guest_job.h"
#include "lab/sources/kernel.h"

namespace powercut::lab {

struct InitramfsOptions {
  std::filesystem::path guest_program = {};       // powercut-guest, static
  std::vector<std::string> programs = {};         // to bring besides those that the commands name
  std::vector<std::filesystem::path> files = {};  // to bring as they are, to carried_path()
};

inline constexpr std::size_t kInitramfsBytesMax = std::size_t{512} << 20;

// Where a file of this machine lies in the guest: at its own path, but below /powercut/files if
// that path is hidden there by a mount (/dev, /mnt, /proc, /sys, /tmp).  `path` is absolute and
// normal.
std::string carried_path(const std::filesystem::path& path);

// What the words of a shell's `-c` text could name: plain words, each once, at most 64.
std::vector<std::string> words_of_script(std::string_view script);

// The libraries and the loader in the words of ldd(1).
// Errors: kNotFound: "not found" among them, with the library's name.
Result<std::vector<std::string>> parse_ldd(std::string_view output);

// The bytes of the cpio.  Modules of the kernel are added to the job; the first word of a command
// becomes the path of its program in the guest.
// Errors:
//   kNotFound  a program neither here nor in busybox, a library, a file, the guest program
//   kInvalid   the job (format_job())
//   kLimit     the whole above kInitramfsBytesMax
//   kCorrupt   modules (modules_in_order()); kIo; kTimeout
Result<std::vector<std::uint8_t>> build_initramfs(const KernelImage& kernel, const GuestJob& job,
                                                  const InitramfsOptions& options);

}  // namespace powercut::lab
