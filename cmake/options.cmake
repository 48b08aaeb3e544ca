# Switches of the build, and the flags that every target gets.
option(POWERCUT_TESTS "build unit tests (GoogleTest)" OFF)
option(POWERCUT_FUZZ "build the fuzz targets (clang's libFuzzer, or a plain main that replays)" OFF)
option(POWERCUT_BENCH "build the benchmarks" OFF)
option(POWERCUT_UNITY "compile the sources of a target several at a time, as one" OFF)
option(POWERCUT_MUTANTS "mistakes on purpose, which simulations can turn on (base/trace.h)" OFF)
set(POWERCUT_SANITIZE "" CACHE STRING "sanitizers, as for -fsanitize=")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# -O2: what is hot here is ISA-L's; -O3 only made the build longer.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

# Most of a file's compiling is its headers, read once for all files of a batch.  So the names in
# anonymous namespaces are distinct within a target.
if(POWERCUT_UNITY)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 24)
endif()

add_library(powercut_flags INTERFACE)
target_include_directories(powercut_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
target_compile_options(powercut_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wswitch -Werror
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  # g++ 12 warns of overlapping copies inside its own std::string operator+ (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
if(POWERCUT_SANITIZE)
  target_compile_options(powercut_flags INTERFACE
    -fsanitize=${POWERCUT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(powercut_flags INTERFACE -fsanitize=${POWERCUT_SANITIZE})
endif()
if(POWERCUT_TESTS)
  target_compile_definitions(powercut_flags INTERFACE POWERCUT_FUZZ_SWITCH)  # base/fuzzing.h
endif()
if(POWERCUT_MUTANTS)
  target_compile_definitions(powercut_flags INTERFACE POWERCUT_MUTANTS)
endif()
if(POWERCUT_FUZZ)
  # Fuzzed code skips checksums (base/fuzzing.h), so that damage reaches what lies behind them.
  target_compile_definitions(powercut_flags INTERFACE FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    target_compile_options(powercut_flags INTERFACE -fsanitize=fuzzer-no-link)
  endif()
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
