// powercut-guest: the one program of ours inside a guest.  What it does depends on its name:
//   /init                       process 1 (init.h)
//   hot-store ARGUMENTS         the load (hot_store.h)
//   powercut workload hot-store ARGUMENTS, powercut-guest hot-store ARGUMENTS     the same
#include <string>
#include <vector>

#include <unistd.h>

#include "lab/sources/guest/hot_store.h"
#include "lab/sources/guest/init.h"

int main(int argument_count, char** arguments) {
  using namespace powercut::lab;
  std::vector<std::string> words(arguments, arguments + argument_count);
  if (::getpid() == 1) run_init();
  std::string name = words.empty() ? "" : words.front().substr(words.front().rfind('/') + 1);
  std::size_t used = 1;
  if (name == "powercut" && words.size() > 1 && words[1] == "workload") ++used;
  if (name != "hot-store" && words.size() > used) name = words[used++];
  if (name != "hot-store") {
    constexpr std::string_view kUsage = "usage: powercut-guest ";
    const std::string text = std::string(kUsage) + std::string(kHotStoreUsage) + "\n";
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    static_cast<void>(written);  // the exit status says it too
    return 2;
  }
  return hot_store_main({words.begin() + static_cast<std::ptrdiff_t>(used), words.end()});
}
