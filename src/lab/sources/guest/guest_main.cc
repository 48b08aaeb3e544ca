// powercut-guest: the one program of ours inside a guest.  What it does depends on its name:
//   /init                       process 1 (init.h)
//   hot-store ARGUMENTS         the load (hot_store.h)
//   hot-cut ARGUMENTS           the load (hot_cut.h)
//   powercut workload KIND ARGUMENTS, powercut mark TEXT...     as the host's program of that name
//   powercut-guest WORDS        the same
#include <cstring>
#include <string>
#include <vector>

#include <unistd.h>

#include "lab/sources/guest/hot_cut.h"
#include "lab/sources/guest/hot_store.h"
#include "lab/sources/guest/init.h"
#include "lab/sources/guest/mark_client.h"
#include "lab/sources/guest/workload.h"

namespace {

// The value of a variable, as the kernel handed it to main(); empty if there is none.
std::string value_of(const char* name, char** environment) {
  const std::size_t length = std::strlen(name);
  for (; *environment != nullptr; ++environment) {
    if (std::strncmp(*environment, name, length) == 0 && (*environment)[length] == '=') {
      return *environment + length + 1;
    }
  }
  return {};
}

int complain() {
  using namespace powercut::lab;
  const std::string text = "usage: powercut " + std::string(kWorkloadUsage) +
                           "\n       powercut workload " + std::string(kHotStoreUsage) +
                           "\n       powercut mark TEXT...\n";
  const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  static_cast<void>(written);  // the exit status says it too
  return 2;
}

}  // namespace

int main(int argument_count, char** arguments, char** environment) {
  using namespace powercut::lab;
  std::vector<std::string> words(arguments, arguments + argument_count);
  if (::getpid() == 1) run_init();
  // From here on the first word says what to do.
  const std::string name = words.empty() ? "" : words.front().substr(words.front().rfind('/') + 1);
  if (!words.empty()) words.erase(words.begin());
  if (name == "hot-store") return hot_store_main(words);
  if (name == "hot-cut") return hot_cut_main(words);
  const auto take = [&words](std::string_view word) {
    const bool is_first = !words.empty() && words.front() == word;
    if (is_first) words.erase(words.begin());
    return is_first;
  };
  const std::string marks = value_of(kMarksVariable, environment);
  if (take("mark")) return mark_main(marks, words);
  const bool is_workload = take("workload");
  if (take("hot-store")) return hot_store_main(words);
  if (take("hot-cut")) return hot_cut_main(words);
  return is_workload ? workload_main(words, marks) : complain();
}
