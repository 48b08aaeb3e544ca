// nbdkit's side of a served disk: each request of the network block device handed to ServedDisk.
//
//   nbdkit -f -U SOCKET powercut-disk.so disk-fd=N report-fd=N [keep=PATH] [record=PATH]
//          [record-max=BYTES] [marks=SOCKET]
//
// FUA is native: a write with it reaches the recorder as such (QEMU's virtio disk hides it from its
// guest, which flushes instead).  Requests run in parallel; ServedDisk gives them their order.
#define NBDKIT_API_VERSION 2

#include <nbdkit-plugin.h>

#include <cerrno>
#include <charconv>
#include <string>

#include "lab/sources/served_disk.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace {

using powercut::Bytes;
using powercut::Durability;
using powercut::Errc;
using powercut::Fd;
using powercut::MutableBytes;
using powercut::Result;
using powercut::lab::ServedDisk;
using powercut::lab::ServedDiskOptions;

// nbdkit has one plugin of a kind in a process, so what it holds is the process's.
ServedDiskOptions plugin_options;           // NOLINT
std::unique_ptr<ServedDisk> plugin_served;  // NOLINT

bool parse_number(std::string_view text, std::uint64_t& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc{} && end == text.data() + text.size();
}

int config(const char* key_text, const char* value) {
  const std::string_view key = key_text;
  std::uint64_t number = 0;
  if (key == "keep") {
    plugin_options.keep = value;
  } else if (key == "record") {
    plugin_options.record = value;
  } else if (key == "marks") {
    plugin_options.marks = value;
  } else if (!parse_number(value, number)) {
    nbdkit_error("powercut: %s=%s is not a number", key_text, value);
    return -1;
  } else if (key == "disk-fd") {
    plugin_options.disk = Fd(static_cast<int>(number));
  } else if (key == "report-fd") {
    plugin_options.report = Fd(static_cast<int>(number));
  } else if (key == "record-max") {
    plugin_options.record_bytes_max = number;
  } else {
    nbdkit_error("powercut: no such parameter: %s", key_text);
    return -1;
  }
  return 0;
}

int config_complete() {
  if (plugin_options.disk.is_open() && plugin_options.report.is_open()) return 0;
  nbdkit_error("powercut: disk-fd and report-fd are needed");
  return -1;
}

int after_fork() {
  auto served = ServedDisk::open(std::move(plugin_options));
  if (!served) {
    nbdkit_error("powercut: %s", error_words(served.error()).c_str());
    return -1;
  }
  plugin_served = std::move(*served);
  return 0;
}

void cleanup() {
  plugin_served.reset();
}

void* open_client(int) {
  plugin_served->client_came();
  return plugin_served.get();
}

std::int64_t get_size(void*) {
  return static_cast<std::int64_t>(plugin_served->disk().size_bytes());
}

int answer(const Result<void>& result) {
  if (result) return 0;
  const auto& error = result.error();
  nbdkit_error("powercut: %s (%llu)", error.what, static_cast<unsigned long long>(error.where));
  nbdkit_set_error(error.code == Errc::kNoSpace   ? ENOSPC
                   : error.code == Errc::kInvalid ? EINVAL
                                                  : EIO);
  return -1;
}

Durability durability_of(std::uint32_t flags) {
  return (flags & NBDKIT_FLAG_FUA) != 0 ? Durability::kFua : Durability::kCached;
}

int read_at(void*, void* buffer, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  return answer(
      plugin_served->disk().read(offset, MutableBytes(static_cast<std::uint8_t*>(buffer), count)));
}

int write_at(void*, const void* buffer, std::uint32_t count, std::uint64_t offset,
             std::uint32_t flags) {
  return answer(plugin_served->disk().write(
      offset, Bytes(static_cast<const std::uint8_t*>(buffer), count), durability_of(flags)));
}

int flush(void*, std::uint32_t) {
  return answer(plugin_served->disk().flush());
}

int trim(void*, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  return answer(plugin_served->disk().discard(offset, count));
}

int zero(void*, std::uint32_t count, std::uint64_t offset, std::uint32_t flags) {
  return answer(plugin_served->disk().write_zeroes(offset, count, durability_of(flags)));
}

int yes(void*) {
  return 1;
}
int native_fua(void*) {
  return NBDKIT_FUA_NATIVE;
}

struct nbdkit_plugin make_plugin() {
  struct nbdkit_plugin made = {};
  made.name = "powercut";
  made.longname = "a recorded disk whose journal is checked as it is written";
  made.version = "1";
  made.config = config;
  made.config_complete = config_complete;
  made.config_help =
      "disk-fd=N report-fd=N [keep=PATH] [record=PATH] [record-max=BYTES] [marks=SOCKET]";
  made.after_fork = after_fork;
  made.cleanup = cleanup;
  made.open = open_client;
  made.get_size = get_size;
  made.can_write = yes;
  made.can_flush = yes;
  made.can_trim = yes;
  made.can_zero = yes;
  made.can_multi_conn = yes;
  made.can_fua = native_fua;
  made.pread = read_at;
  made.pwrite = write_at;
  made.flush = flush;
  made.trim = trim;
  made.zero = zero;
  return made;
}

struct nbdkit_plugin plugin = make_plugin();  // NOLINT: what NBDKIT_REGISTER_PLUGIN hands out

}  // namespace

NBDKIT_REGISTER_PLUGIN(plugin)
