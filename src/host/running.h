// The program and the kernel that run right now.
#pragma once

#include <filesystem>
#include <string>

namespace powercut {

std::string kernel_release();  // "6.12.41"
// What starts the program that runs once more, also if its file has been replaced since.
std::filesystem::path own_program();

}  // namespace powercut
