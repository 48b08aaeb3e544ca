#include "host/trace_events.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace powercut {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kRingBytes = std::size_t{4} << 20;  // a power of two; of each processor
constexpr std::uint64_t kSampleType = PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW;

// A mount of tracefs that only this descriptor holds.
Result<Fd> open_tracefs() {
  const Fd context(::fsopen("tracefs", FSOPEN_CLOEXEC));
  if (context.is_open() &&
      ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    Fd root(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
    if (root.is_open()) return root;
  }
  return fail_with(Errc::kUnsupported, "the kernel's trace events are not to be had",
                   std::strerror(errno));
}

// Nothing if this kernel has no such event.
Result<std::optional<TraceFormat>> read_format(const Fd& tracefs, const std::string& event) {
  const std::string path = "events/" + event + "/format";
  const Fd file(::openat(tracefs.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::optional<TraceFormat>();
  std::string text(TraceFormat::kTextBytesMax, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t count = ::read(file.get(), text.data() + length, text.size() - length);
    if (count < 0) return os_failure("cannot read the form of a trace event", event, errno);
    if (count == 0) break;
    length += static_cast<std::size_t>(count);
  }
  text.resize(length);
  return std::optional(TRY(TraceFormat::parse(text)));
}

Result<Fd> open_event(std::uint64_t id, int processor) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof attributes;
  attributes.config = id;
  attributes.sample_period = 1;
  attributes.sample_type = kSampleType;
  attributes.use_clockid = 1;
  attributes.clockid = CLOCK_MONOTONIC;  // what SteadyClock shows
  const long fd = ::syscall(SYS_perf_event_open, &attributes, -1, processor, -1,
                            static_cast<unsigned long>(PERF_FLAG_FD_CLOEXEC));
  if (fd >= 0) return Fd(static_cast<int>(fd));
  return os_failure("cannot listen to a trace event", "", errno);
}

template <class T>
bool take_number(Bytes& from, T& into) {
  if (from.size() < sizeof into) return false;
  std::memcpy(&into, from.data(), sizeof into);
  from = from.subspan(sizeof into);
  return true;
}

}  // namespace

std::uint64_t for_each_sample(Bytes records, const TakeSample& take) {
  std::uint64_t lost = 0;
  while (!records.empty()) {
    Bytes rest = records;
    perf_event_header header{};
    if (!take_number(rest, header)) return lost;
    if (header.size < sizeof header || header.size > records.size()) return lost;
    rest = records.subspan(sizeof header, header.size - sizeof header);
    records = records.subspan(header.size);
    std::uint64_t time = 0, id = 0, count = 0;
    std::uint32_t process = 0, thread = 0, raw_bytes = 0;
    if (header.type == PERF_RECORD_LOST && take_number(rest, id) && take_number(rest, count)) {
      lost += count;
    }
    if (header.type != PERF_RECORD_SAMPLE) continue;
    const bool is_whole = take_number(rest, process) && take_number(rest, thread) &&
                          take_number(rest, time) && take_number(rest, raw_bytes);
    if (!is_whole || raw_bytes > rest.size()) return lost;
    take(Nanoseconds(static_cast<std::int64_t>(time)), static_cast<pid_t>(process),
         static_cast<pid_t>(thread), rest.first(raw_bytes));
  }
  return lost;
}

Result<void> TraceEvents::open_ring(int processor, const std::vector<TraceWanted>& wanted) {
  Ring& ring = rings_.emplace_back();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!formats_[i]) continue;
    Fd event = TRY(open_event(formats_[i]->id(), processor));
    if (!wanted[i].filter.empty() &&
        ::ioctl(event.get(), PERF_EVENT_IOC_SET_FILTER, wanted[i].filter.c_str()) != 0) {
      return os_failure("cannot choose among trace events", wanted[i].name, errno);
    }
    if (ring.memory == nullptr) {
      void* const memory =
          ::mmap(nullptr, kPage + kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, event.get(), 0);
      if (memory == MAP_FAILED) return os_failure("no memory for trace events", "", errno);
      ring.memory = static_cast<std::uint8_t*>(memory);
    } else if (::ioctl(event.get(), PERF_EVENT_IOC_SET_OUTPUT, ring.events[0].get()) != 0) {
      return os_failure("cannot gather trace events", wanted[i].name, errno);
    }
    ring.events.push_back(std::move(event));
  }
  return {};
}

Result<TraceEvents> TraceEvents::open(const std::vector<TraceWanted>& wanted) {
  TraceEvents events;
  {
    const Fd tracefs = TRY(open_tracefs());
    for (const TraceWanted& one : wanted) {
      events.formats_.push_back(TRY(read_format(tracefs, one.name)));
    }
  }
  const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  for (int processor = 0; processor < processors; ++processor) {
    TRY(events.open_ring(processor, wanted));
  }
  return events;
}

TraceEvents::TraceEvents(TraceEvents&& other) noexcept
    : formats_(std::move(other.formats_)),
      rings_(std::exchange(other.rings_, {})),
      lost_count_(other.lost_count_) {}

TraceEvents::~TraceEvents() {
  for (const Ring& ring : rings_) {
    if (ring.memory != nullptr) ::munmap(ring.memory, kPage + kRingBytes);
  }
}

const TraceFormat* TraceEvents::format(std::size_t event) const {
  return event < formats_.size() && formats_[event] ? &*formats_[event] : nullptr;
}

// The kernel writes up to data_head, and not beyond data_tail, which is ours to move.
std::vector<std::uint8_t> TraceEvents::take_records(Ring& ring) {
  if (ring.memory == nullptr) return {};
  auto* const page = reinterpret_cast<perf_event_mmap_page*>(ring.memory);
  const std::uint64_t head = std::atomic_ref(page->data_head).load(std::memory_order_acquire);
  const std::uint64_t tail = page->data_tail;
  const std::uint8_t* const data = ring.memory + kPage;
  std::vector<std::uint8_t> records(static_cast<std::size_t>(head - tail));
  const std::size_t first = static_cast<std::size_t>(tail % kRingBytes);
  const std::size_t until_wrap = std::min(records.size(), kRingBytes - first);
  std::copy_n(data + first, until_wrap, records.begin());
  std::copy_n(data, records.size() - until_wrap,
              records.begin() + static_cast<std::ptrdiff_t>(until_wrap));
  std::atomic_ref(page->data_tail).store(head, std::memory_order_release);
  return records;
}

void TraceEvents::drain(const std::function<void(const TraceSample&)>& take) {
  const auto give = [&](Nanoseconds when, pid_t process, pid_t thread, Bytes raw) {
    std::uint16_t id = 0;  // common_type, the first field of each event
    Bytes rest = raw;
    if (!take_number(rest, id)) return;
    for (std::size_t i = 0; i < formats_.size(); ++i) {
      if (formats_[i] && formats_[i]->id() == id) return take({i, when, process, thread, raw});
    }
  };
  for (Ring& ring : rings_) lost_count_ += for_each_sample(take_records(ring), give);
}

}  // namespace powercut
