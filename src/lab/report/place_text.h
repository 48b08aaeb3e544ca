// Where an image lies, for people: its partitions, and who else uses it.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "host/in_use.h"
#include "lab/image/partitions.h"

namespace powercut::lab {

// A line each, with the words that choose it.
std::string partitions_text(std::span<const Partition> partitions);
// A note for a command that only reads.
std::string in_use_text(const std::filesystem::path& image, std::span<const ImageUse> uses);

}  // namespace powercut::lab
