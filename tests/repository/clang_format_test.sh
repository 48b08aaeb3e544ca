#!/usr/bin/env bash
# The C++ files have the form of .clang-format; `scripts/format` gives it to them.
set -u
command -v clang-format-16 >/dev/null || { echo "clang-format-16 is not installed"; exit 77; }
exec scripts/format --check
