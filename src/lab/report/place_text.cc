#include "lab/report/place_text.h"

#include <fmt/format.h>

#include "lab/report/name_text.h"
#include "lab/report/text.h"

namespace powercut::lab {

std::string partitions_text(std::span<const Partition> partitions) {
  std::string text = "  its partitions, and the words that choose one:\n";
  for (const Partition& partition : partitions) {
    text += fmt::format("  {:>4}  {:>12.1f} MiB  {:<22}  --offset {}{}\n", partition.number,
                        static_cast<double>(partition.size_bytes) / kMib, partition.type,
                        partition.offset_bytes,
                        partition.name.empty() ? "" : "  (" + printable(partition.name) + ")");
  }
  return text;
}

std::string in_use_text(const std::filesystem::path& image, std::span<const ImageUse> uses) {
  std::string text = fmt::format("powercut: note: {} is in use", printable(image.string()));
  for (std::size_t i = 0; i < uses.size(); ++i)
    text += (i == 0 ? ": " : "; ") + printable(uses[i].who);
  return text + "\n  it may change while it is read, so what is said of it may not fit together\n";
}

}  // namespace powercut::lab
