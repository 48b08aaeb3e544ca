// A stream kept in memory, to be told again: a simulation's, which a recording cannot follow while
// it runs, since its writer has a thread of its own.
//
// Memory: the data of all writes, at most `bytes_max`; a stream that is longer is a mistake
// (CHECK). Threads: one caller at a time, as observers are called.
#pragma once

#include <vector>

#include "lab/record/request.h"

namespace powercut::lab {

class KeptStream final : public DiskObserver {
 public:
  explicit KeptStream(std::uint64_t bytes_max = std::uint64_t{1} << 30) : bytes_max_(bytes_max) {}
  void on_submitted(const Request& request, Nanoseconds when) override;
  void on_completed(const Request& request, Nanoseconds when) override;
  void on_power_cycle(Nanoseconds when) override;
  void on_mark(std::string_view text, Nanoseconds when) override;

  // Tells all of it, in its order.  Observers that look at the disk see it as it is now, not as it
  // was.
  void tell(const std::vector<DiskObserver*>& observers) const;
  std::size_t event_count() const { return events_.size(); }

 private:
  enum class Moment : std::uint8_t { kSubmitted, kCompleted, kPowerCycle, kMark };
  struct Event {
    Moment moment = Moment::kSubmitted;
    Nanoseconds when{0};
    Request request = {};            // its data is in `data` of its submission
    std::size_t submission = 0;      // kCompleted: the event that has the data
    std::vector<std::uint8_t> data;  // of a write's submission; a mark's text
  };
  void keep(Event event);
  static void tell_one(const Event& event, const Request& request, DiskObserver& observer);

  const std::uint64_t bytes_max_;
  std::uint64_t kept_bytes_ = 0;
  std::vector<Event> events_;
  std::vector<std::size_t> submissions_;  // by sequence, less 1
};

}  // namespace powercut::lab
