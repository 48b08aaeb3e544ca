#include "lab/record/kept_stream.h"

#include "base/check.h"

namespace powercut::lab {

void KeptStream::keep(Event event) {
  kept_bytes_ += event.data.size();
  CHECK(kept_bytes_ <= bytes_max_, "a stream longer than what may be kept of it");
  events_.push_back(std::move(event));
}

void KeptStream::on_submitted(const Request& request, Nanoseconds when) {
  CHECK(request.sequence == submissions_.size() + 1, "submissions come without a gap");
  submissions_.push_back(events_.size());
  keep({.moment = Moment::kSubmitted,
        .when = when,
        .request = request,
        .data = {request.data.begin(), request.data.end()}});
}

void KeptStream::on_completed(const Request& request, Nanoseconds when) {
  CHECK(request.sequence > 0 && request.sequence <= submissions_.size(),
        "a completion follows its submission");
  keep({.moment = Moment::kCompleted,
        .when = when,
        .request = request,
        .submission = submissions_[request.sequence - 1],
        .data = {}});
}

void KeptStream::on_power_cycle(Nanoseconds when) {
  keep({.moment = Moment::kPowerCycle, .when = when, .data = {}});
}

void KeptStream::on_mark(std::string_view text, Nanoseconds when) {
  keep({.moment = Moment::kMark, .when = when, .data = {text.begin(), text.end()}});
}

void KeptStream::tell_one(const Event& event, const Request& request, DiskObserver& observer) {
  switch (event.moment) {
    case Moment::kSubmitted: return observer.on_submitted(request, event.when);
    case Moment::kCompleted: return observer.on_completed(request, event.when);
    case Moment::kPowerCycle: return observer.on_power_cycle(event.when);
    case Moment::kMark:
      return observer.on_mark({reinterpret_cast<const char*>(event.data.data()), event.data.size()},
                              event.when);
  }
}

void KeptStream::tell(const std::vector<DiskObserver*>& observers) const {
  for (const Event& event : events_) {
    Request request = event.request;
    request.data = event.moment == Moment::kCompleted ? events_[event.submission].data : event.data;
    for (DiskObserver* const observer : observers) tell_one(event, request, *observer);
  }
}

}  // namespace powercut::lab
